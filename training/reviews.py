"""Who answers for a model, and who reviewed a version, when: stored beside the versions of the model.

Owners are declared in the project's ``refrain.toml``; a model without one has the owner that its last review names.
"""

import json
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from feature_repo.bundle import MANIFEST, champion, name_and_version
from feature_repo.errors import BundleError, InputError
from feature_repo.home import Home
from feature_repo.project import Project
from training.version_files import champion_of

REVIEWS = "reviews.jsonl"
"""File beside the versions of a model: its reviews, oldest first."""
LONGEST = 2_000
"""Characters of a note; a name may have a tenth of them."""


@dataclass(frozen=True)
class Review:
    """One review of one version.

    Attributes:
        version: the version that was reviewed.
        by: who reviewed it.
        at: time of the review as ISO 8601, UTC.
        note: what the reviewer says of it.
        owner: who answers for the model from then on; empty if the review does not say.
    """

    version: int
    by: str
    at: str
    note: str = ""
    owner: str = ""


@dataclass(frozen=True)
class Stewardship:
    """Who stands for one version of a model.

    Attributes:
        model: name of the model.
        version: the version.
        owner: who answers for the model; empty if nobody is named.
        reviewer: who reviewed this version last; empty without a review.
        reviewed_at: time of that review as ISO 8601, UTC; empty without a review.
        note: what the reviewer said.
        card: the version's machine-readable card; None if it has none.
    """

    model: str
    version: int
    owner: str
    reviewer: str
    reviewed_at: str
    note: str
    card: Path | None


def review(home: Home, name: str, *, by: str, note: str = "", owner: str = "") -> Review:
    """Records the review of a version; now, and never changed afterwards.

    Args:
        home: the data folder.
        name: ``NAME:VERSION``, or ``NAME`` for its champion.
        by: who reviewed it.
        note: what the reviewer says of it.
        owner: who answers for the model from now on.

    Raises:
        BundleError: there is no such version.
        InputError: nobody is named, or a text is too long or has several lines where it may not.
    """
    model, version = version_of(home, name)
    texts = {"--by": (by, LONGEST // 10), "--owner": (owner, LONGEST // 10), "--note": (note, LONGEST)}
    for option, (text, longest) in texts.items():
        breaks = "\n\t" if option == "--note" else ""
        is_plain = all(letter.isprintable() or letter in breaks for letter in text)
        if len(text) > longest or not is_plain or (option == "--by" and not text.strip()):
            raise InputError(
                expected=f"{option} of 1 to {longest:,} characters{'' if breaks else ' in one line'}",
                found=f"{len(text):,} characters" if is_plain else "control characters",
                next_command=f"refrain model review {model}:{version} --by NAME",
            )
    record = Review(version, by.strip(), datetime.now(UTC).isoformat(), note.strip(), owner.strip())
    with (home.bundles(model) / REVIEWS).open("a") as file:  # its own line, even after one that is unfinished
        file.write(f"\n{json.dumps(asdict(record), ensure_ascii=False)}\n")
    return record


def reviews(home: Home, model: str) -> list[Review]:
    """Reads the reviews of a model, oldest first; a line that a killed process left unfinished is no review."""
    try:
        lines = (home.bundles(model) / REVIEWS).read_text().splitlines()
    except OSError:
        return []
    records = []
    for line in lines:
        try:
            records.append(Review(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return records


def stewardship_of(home: Home, model: str, version: int) -> Stewardship:
    """Returns the owner of a model, and the last review of one of its versions.

    >>> stewardship_of(Home(Path("/nowhere")), "recommendation", 1).owner
    ''
    """
    from training.cards import CARD_MARKDOWN

    records = reviews(home, model)
    named = next((record.owner for record in reversed(records) if record.owner), "")
    last = next((record for record in reversed(records) if record.version == version), Review(version, "", ""))
    card = home.bundles(model) / str(version) / CARD_MARKDOWN
    return Stewardship(
        model=model,
        version=version,
        owner=Project.load(home.project_folder).owner_of(model) or named,
        reviewer=last.by,
        reviewed_at=last.at,
        note=last.note,
        card=card if card.is_file() else None,
    )


def all_stewardships(home: Home) -> list[Stewardship]:
    """Returns who stands for the champion of every model; for the newest version where there is no champion."""
    stewardships = []
    for folder in sorted(home.bundles("any").parent.glob("*")):
        if versions := versions_of(home, folder.name):
            stewardships.append(stewardship_of(home, folder.name, champion_of(home, folder.name) or max(versions)))
    return stewardships


def versions_of(home: Home, model: str) -> list[int]:
    """Lists the versions of a model whose bundles are in the data folder, ascending."""
    paths = home.bundles(model).glob(f"*/{MANIFEST}")
    return sorted(int(path.parent.name) for path in paths if path.parent.name.isdigit())


def version_of(home: Home, name: str) -> tuple[str, int]:
    """Returns the model and the version that ``NAME:VERSION`` names; the champion of ``NAME``.

    Raises:
        BundleError: there is no such version, or the model has no champion.
    """
    model, version = name_and_version(name)
    versions = versions_of(home, model) if re.fullmatch(r"\w[\w.-]*", model) else []
    if versions and not version:
        return model, int(champion(home, model))
    if not version.isdecimal() or int(version) not in versions:
        raise BundleError(
            expected=f"a version of {model!r}, one of {versions}" if versions else "a registered model",
            found=version or repr(model),
            next_command="refrain model list",
        )
    return model, int(version)
