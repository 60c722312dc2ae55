"""The packages that are installed here, and those that a lock file names with the hashes of their files."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import metadata
from pathlib import Path

from feature_repo.errors import InputError

_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)((?:[^\n\\]|\\\n)*)", re.MULTILINE)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
LONGEST_LICENCE = 60
"""Characters of a licence's name in old metadata; a longer text is the licence itself."""


@dataclass(frozen=True)
class Package:
    """A package.

    Attributes:
        name: its name, normalized as by PEP 503.
        version: its version.
        licence: SPDX expression, or the name that its metadata say; empty if they say none, or it is not installed.
        is_expression: whether ``licence`` is an SPDX expression.
        hashes: SHA-256 of each of its files that a lock allows.
    """

    name: str
    version: str
    licence: str = ""
    is_expression: bool = False
    hashes: tuple[str, ...] = field(default=())


@lru_cache(maxsize=1)
def installed() -> tuple[Package, ...]:
    """Lists what is installed, by name; of a package that is there twice, what is imported."""
    packages: dict[str, Package] = {}
    for distribution in metadata.distributions():
        about = distribution.metadata
        name, version = about["Name"], about["Version"]
        if name and version and _normal(name) not in packages:  # left-overs of a removed package have neither
            licence, is_expression = _licence(about)
            packages[_normal(name)] = Package(_normal(name), version, licence, is_expression)
    return tuple(packages[name] for name in sorted(packages))


def locked(path: Path) -> tuple[Package, ...]:
    """Lists what a lock file names, with the licences of what is installed here, of these or other versions.

    Raises:
        InputError: the file cannot be read, or names no package.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            expected=f"a lock file {path}", found=str(error), next_command="refrain bom --lock requirements.lock"
        ) from error
    known = {package.name: package for package in installed()}
    packages = []
    for name, version, rest in _PIN.findall(text):
        licence = known.get(_normal(name), Package(name, version))
        hashes = tuple(_HASH.findall(rest))
        packages.append(Package(_normal(name), version, licence.licence, licence.is_expression, hashes))
    if not packages:
        raise InputError(
            expected="lines such as numpy==2.3.1",
            found=f"none in {path}",
            next_command="refrain bom --lock requirements.lock",
        )
    return tuple(sorted(packages, key=lambda package: (package.name, package.version)))


def with_hashes(packages: Iterable[Package], lock: Iterable[Package]) -> tuple[Package, ...]:
    """Returns packages with the hashes of a lock, where it names the same version."""
    hashes: Mapping[tuple[str, str], tuple[str, ...]] = {(one.name, one.version): one.hashes for one in lock}
    return tuple(
        Package(one.name, one.version, one.licence, one.is_expression, hashes.get((one.name, one.version), ()))
        for one in packages
    )


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _licence(about: metadata.PackageMetadata) -> tuple[str, bool]:
    expression = "".join(about.get_all("License-Expression", []))
    if expression:
        return str(expression), True
    named = [str(one).split(" :: ") for one in about.get_all("Classifier", []) if one.startswith("License ::")]
    classifiers = [parts[-1] for parts in named if parts[-1] != "OSI Approved"]
    if classifiers:
        return " or ".join(dict.fromkeys(classifiers)), False
    text = " ".join(" ".join(about.get_all("License", [])).split())
    return (text if len(text) <= LONGEST_LICENCE and text.upper() != "UNKNOWN" else ""), False
