"""What of a data folder is signed, or refused: the manifest, the champions, and their promotions; and signing them."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from feature_repo.bundle import ALIASES, MANIFEST, champion, name_and_version
from feature_repo.errors import BundleError, InputError, NotPromoted, RefrainError
from feature_repo.home import Home
from feature_repo.signing.bundles import digests_of, read_statement, sign_bundle, verify_bundle
from feature_repo.signing.champions import read_champion_statement, write_champion
from feature_repo.signing.manifests import read_manifest_statement, read_signed_manifest, sign_manifest
from feature_repo.signing.public_keys import short_name
from feature_repo.signing.statement import Statement
from training.version_files import champion_of


@dataclass(frozen=True)
class SignedThing:
    """Something that can be signed.

    Attributes:
        name: ``manifest``, ``promotion of NAME``, or ``NAME:VERSION``.
        key: short name of the key of its signature, which need not be valid; empty if it has none.
        signed_at: time of the signature, as ISO 8601; empty if it has none.
        refused: why serving would refuse it; empty if it would not.
    """

    name: str
    key: str
    signed_at: str
    refused: str

    def line(self) -> str:
        """Returns what is to be said of it, for a terminal."""
        signature = f"signed by {self.key} at {self.signed_at[:19]}Z" if self.key else "not signed"
        return f"{signature}{'; REFUSED: ' + self.refused if self.refused else ''}"


def signed_things(home: Home) -> list[SignedThing]:
    """Lists the manifest, and the champions with their promotions, with what serving would say to them."""
    things = []
    if home.manifest.is_file():
        things.append(_thing("manifest", read_manifest_statement(home), lambda: read_signed_manifest(home)))
    for name, version in _champions(home).items():
        path = home.bundles(name) / ALIASES
        folder = path.parent / str(version)
        promotion = read_champion_statement(path, home, name)
        things += [
            _thing(f"promotion of {name}", promotion, lambda name=name: champion(home, name)),  # type: ignore[misc]
            _thing(
                f"{name}:{version}",
                read_statement(folder),
                lambda folder=folder, name=name, version=version: verify_bundle(folder, home, name, str(version)),  # type: ignore[misc]
            ),
        ]
    return things


def sign_things(home: Home, names: Sequence[str], *, manifest: bool, everything: bool) -> Iterator[str]:
    """Signs versions, promotions and the manifest; yields a line for each, with the digest of what was signed.

    Args:
        home: the data folder.
        names: models, whose champions and promotions are signed, or versions ``NAME:VERSION``.
        manifest: whether the manifest is signed.
        everything: whether all champions and their promotions are signed.

    Raises:
        InputError: nothing is named, or there is no key.
        BundleError: a version does not exist, or is damaged; it and what comes after it are not signed.
    """
    champions = _champions(home)
    chosen = list(dict.fromkeys([*names, *(champions if everything else ())]))
    if not chosen and not manifest:
        raise InputError(
            expected="what to sign: NAME, NAME:VERSION, --manifest or --all",
            found="nothing",
            next_command="refrain signing status",
        )
    if manifest and home.manifest.is_file():
        sign_manifest(home)
        yield f"signed manifest  sha256 {hashlib.sha256(home.manifest.read_bytes()).hexdigest()}"
    for requested in chosen:
        name, version = name_and_version(requested)
        if not version and name not in champions:
            raise NotPromoted(
                expected=f"a champion of {name!r}, or a version such as {name}:1",
                found="none promoted",
                next_command="refrain model list",
            )
        number = int(version) if version.isdecimal() else 0 if version else champions[name]
        folder = home.bundles(name) / str(number)
        _check(home, name, number)
        statement = sign_bundle(folder, home, name, number)
        yield f"signed {name}:{number}  sha256 {hashlib.sha256(statement.content).hexdigest()}"
        if not version:
            write_champion(home.bundles(name) / ALIASES, home, name, number)
            yield f"signed promotion of {name}: {number} serves"


def _champions(home: Home) -> dict[str, int]:
    """Returns the champions by what the files say, verified or not."""
    names = sorted(path.parent.name for path in home.bundles("any").parent.glob(f"*/{ALIASES}"))
    return {name: version for name in names if (version := champion_of(home, name)) is not None}


def _check(home: Home, name: str, version: int) -> None:
    """Checks that a version is whole by its own manifest, so that no accident is signed."""
    folder = home.bundles(name) / str(version)
    try:
        recorded = json.loads((folder / MANIFEST).read_bytes())
        problem = "" if (recorded["name"], recorded["version"]) == (name, version) else f"one of {recorded['name']}"
        present = {file: digest for file, digest in digests_of(folder, home, name, version).items() if file != MANIFEST}
        changed = sorted(file for file, _ in {*recorded["files"].items()} ^ {*present.items()})
        problem = problem or (f"another content of {', '.join(dict.fromkeys(changed))}" if changed else "")
    except (OSError, ValueError, KeyError, TypeError) as error:
        problem = f"{type(error).__name__}: {error}"
    if problem:
        raise BundleError(
            expected=f"{name}:{version} as it was registered, in {folder}",
            found=problem,
            next_command="refrain model list",
        )


def _thing(name: str, statement: Statement | None, check: Callable[[], object]) -> SignedThing:
    try:
        check()
        refused = ""
    except RefrainError as error:
        refused = f"expected {error.expected}; found {error.found}"
    key, at = (short_name(statement.public_key), statement.signed_at.isoformat()) if statement else ("", "")
    return SignedThing(name, key, at, refused)
