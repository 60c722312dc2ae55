"""Which versions still know people who were erased, and what becomes of them.

A version knows the people of an erasure if it was registered before it, or began to train before it was done: the
lineage of a version holds the number of the erasures that were done when its training began. One whose inputs have the
same bytes after the erasure, by the key of its run, never knew them; one that is differentially private hardly depended
on them, which was paid for, and stays.

The rule: the champion serves until a version that does not know them passes its gates and is promoted; every other
version that knows them is removed, with its folder, its entry and its files in MLflow, and nothing goes back to it.
What became of each is noted under the secret of the data folder, and by digest alone who it was for.
"""

import json
import shlex
import shutil
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from zipfile import BadZipFile

from feature_repo.bundle import MANIFEST
from feature_repo.errors import RefrainError
from feature_repo.forgotten import Forgotten, erasures_done
from feature_repo.home import Home
from training.exact.kept import KeptSums
from training.mlflow_paths import ARTIFACTS
from training.models.base import FamilyModel, Model
from training.models.find import models
from training.pipeline.erasures import Erased, Forgetting, erasures, read
from training.registry import remove
from training.version_files import champion_of, lineage_of, privacy_of
from transforms import feature_tables

DUE, STILL_THERE, FORGOTTEN, UNAFFECTED = "due", "still there", "forgotten", "unaffected"
PERSON_KEY = "user_id"
"""The join key of the people in kept sums."""
_SAME_INPUTS = "its inputs are the same, byte for byte, without these people"


@dataclass(frozen=True)
class VersionState:
    """What a version knows of the people of an erasure.

    Attributes:
        version: model and version, such as ``recommendation:3``.
        state: ``due``, ``still there``, ``forgotten`` or ``unaffected``.
        note: why, and what to do next.
    """

    version: str
    state: str
    note: str


def begin(home: Home, key: str, ids: Sequence[str], when: str, *, rows_are_there: bool) -> None:
    """Notes what is asked of models, before the rows of people are erased.

    The sums that champions keep are digested without the people, so that a successor can be compared with them.

    Args:
        home: the data folder.
        key: join key of the people.
        ids: their ids.
        when: ``now`` or ``next-run``.
        rows_are_there: whether no raw row of them has gone yet; else there is nothing to subtract.
    """
    forgotten = Forgotten.of(home)
    people = sorted(forgotten.digest(key, id_) for id_ in ids)
    before = read(home, people) or Forgetting(people, when)
    expected = dict(before.expected)
    if rows_are_there and key == PERSON_KEY:
        expected = _expected(home, ids) | expected  # what was noted when their rows were there counts
    replace(before, when=when, expected=expected).save(home)


def _expected(home: Home, ids: Sequence[str]) -> dict[str, str]:
    digests = {}
    for name, model in models(home).items():
        version = champion_of(home, name)
        if not isinstance(model, FamilyModel) or model.share is None or version is None:
            continue
        kept = _sums_of(home, name, version)
        try:
            if kept is not None:
                digests[f"{name}:{version}"] = kept.without(model.share(home, kept, ids)).digest()
        except RefrainError:
            continue  # rows came later, or features are not applied: the successor is trained anew, and not compared
    return digests


def _sums_of(home: Home, name: str, version: int) -> KeptSums | None:
    try:
        return KeptSums.read(home.bundles(name) / str(version))
    except (ValueError, KeyError, EOFError, BadZipFile):  # damaged: there is nothing to compare
        return None


def states(home: Home, person: str | None = None) -> list[VersionState]:
    """What each version knows of erased people, by version.

    Args:
        home: the data folder.
        person: digest of one person; everybody who was erased if None.
    """
    by_version: dict[str, VersionState] = {}
    for erased in erasures(home):
        if person is not None and person not in erased.people:
            continue
        note = read(home, erased.people)
        outcomes = note.outcomes if note else {}
        gone = {version: text for version, text in outcomes.items() if not _is_there(home, version)}
        for version in sorted({*_that_know(home, erased), *outcomes}):
            state = VersionState(version, FORGOTTEN, gone[version]) if version in gone else None
            by_version[version] = state or _state(home, version, outcomes)
        for version in sorted(set(erased.models) - by_version.keys()):
            by_version[version] = VersionState(version, FORGOTTEN, "it is gone")
    return [by_version[version] for version in sorted(by_version)]


def due(home: Home) -> list[str]:
    """Names of the declared models of which a version knows erased people."""
    names = {each.version.partition(":")[0] for each in states(home) if each.state in (DUE, STILL_THERE)}
    return [name for name in models(home) if name in names]


def known_by(home: Home, name: str, version: int) -> bool:
    """Whether a version knows people who were erased."""
    this = f"{name}:{version}"
    for erased in erasures(home):
        note = read(home, erased.people)
        if this in _that_know(home, erased) and not _why_unaffected(home, this, note.outcomes if note else {}):
            return True
    return False


def clear_written(home: Home, model: Model) -> None:
    """Removes the tables that a model writes, before it is trained anew, if its versions knew erased people.

    Vectors that a version has written as of past moments were learned from these people, and training sets would read
    them. Killed and repeated it ends the same.
    """
    if not model.writes or not erasures_done(home):
        return
    tables = feature_tables.tables(home)
    for erased in erasures(home):
        if not erased.counts.get("raw"):
            continue
        note = read(home, erased.people) or Forgetting(erased.people, "next-run")
        knowing = {
            version
            for version in (*erased.models, *_that_know(home, erased))
            if version.partition(":")[0] == model.name and not _why_unaffected(home, version, note.outcomes)
        }
        if knowing and (model.name not in note.cleared or any(_is_there(home, version) for version in knowing)):
            with feature_tables.writing(home):
                for view in model.writes:
                    shutil.rmtree(home.features(view), ignore_errors=True)
                    if view in tables:
                        feature_tables.write_empty(home, tables[view])
            replace(note, cleared=sorted({*note.cleared, model.name})).save(home)


def settle(home: Home, same_inputs: Set[str] = frozenset()) -> str:
    """Removes what knows erased people and does not serve, and notes what became of each version.

    Args:
        home: the data folder.
        same_inputs: versions that a run would not train anew, since all of its inputs are the same.

    Returns:
        What was done, in words.
    """
    removed = set()
    for erased in erasures(home):
        note = read(home, erased.people) or Forgetting(erased.people, "next-run")
        outcomes = dict(note.outcomes)
        for version in _that_know(home, erased):
            name, _, number = version.partition(":")
            champion = champion_of(home, name)
            if version in same_inputs:
                outcomes[version] = _SAME_INPUTS
            elif not _why_unaffected(home, version, outcomes) and champion != int(number):
                outcomes[version] = _successor(home, erased, note, version)
                replace(note, outcomes=outcomes).save(home)  # before its files go, which may be killed
                remove(home, name, int(number), artifacts_of(home, version))
                removed.add(version)
        if outcomes != note.outcomes:
            replace(note, outcomes=outcomes).save(home)
    left = [each.version for each in states(home) if each.state == DUE]
    parts = [f"removed {', '.join(sorted(removed))}"] * bool(removed) + [f"due: {', '.join(left)}"] * bool(left)
    return "; ".join(parts) or "no version knows a person who was erased"


def _successor(home: Home, erased: Erased, note: Forgetting, version: str) -> str:
    """What serves in place of a version that is removed, in words."""
    name = version.partition(":")[0]
    champion = champion_of(home, name)
    if champion is None:
        return "removed; no version serves"
    if f"{name}:{champion}" in _that_know(home, erased):
        return f"removed; it did not serve, {name}:{champion} does"
    kept = _sums_of(home, name, champion)
    is_equal = kept is not None and kept.digest() == note.expected.get(version)
    how = "its sums are those of this version without these people" if is_equal else "trained anew without these people"
    return f"removed; {name}:{champion} serves, {how}"


def _state(home: Home, version: str, outcomes: Mapping[str, str]) -> VersionState:
    unaffected = _why_unaffected(home, version, outcomes)
    if unaffected:
        return VersionState(version, UNAFFECTED, unaffected)
    name, _, number = version.partition(":")
    if champion_of(home, name) != int(number):
        note = f"it does not serve; removed by: refrain model lifecycle {shlex.quote(name)}"
        return VersionState(version, STILL_THERE, note)
    if name not in models(home):
        note = f"it serves and is no longer declared; next: refrain model demote {shlex.quote(name)}"
        return VersionState(version, DUE, note)
    return VersionState(version, DUE, f"it serves; next: refrain model lifecycle {shlex.quote(name)} --deploy")


def _why_unaffected(home: Home, version: str, outcomes: Mapping[str, str]) -> str:
    """Why an erasure asks nothing of a version, in words; empty if it does."""
    if outcomes.get(version) == _SAME_INPUTS:
        return _SAME_INPUTS
    name, _, number = version.partition(":")
    privacy = privacy_of(home, name, int(number)) if number.isdigit() else None
    if privacy is None:
        return ""
    return f"it is differentially private, ε = {privacy['epsilon']:.3g} a person: it hardly depended on these people"


def _that_know(home: Home, erased: Erased) -> list[str]:
    """The versions that are there, and know the people of an erasure or have the same inputs without them."""
    if not erased.counts.get("raw"):
        return []
    versions = [version for version in erased.models if _is_there(home, version)]
    for path in sorted(home.bundles("any").parent.glob(f"*/*/{MANIFEST}")):
        name, number = path.parent.parent.name, path.parent.name
        began_after = lineage_of(home, name, int(number)).get("erasures") if number.isdigit() else None
        if began_after is not None and began_after < erased.number and f"{name}:{number}" not in versions:
            versions.append(f"{name}:{number}")
    return versions


def _is_there(home: Home, version: str) -> bool:
    return (home.bundles("any").parent / version.replace(":", "/")).is_dir() or bool(artifacts_of(home, version))


def artifacts_of(home: Home, version: str) -> list[Path]:
    """The folders of runs in the data folder's MLflow that hold the bundle of a version."""
    name, _, number = version.partition(":")
    folders = []
    for path in sorted((home.mlflow / ARTIFACTS / name).glob(f"*/**/{MANIFEST}")):
        try:
            is_it = str(json.loads(path.read_text())["version"]) == number
        except (OSError, ValueError, KeyError):
            is_it = False
        if is_it:
            folders.append(home.mlflow / ARTIFACTS / name / path.relative_to(home.mlflow / ARTIFACTS / name).parts[0])
    return folders
