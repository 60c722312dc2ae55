"""Whether and how a data folder is encrypted: one setting turns it on.

``REFRAIN_ENCRYPTION_KEY`` says where the key-encryption key is, else ``key`` in the section ``[encryption]`` of the
project's ``refrain.toml``, else what the folder's own key file notes of the last time.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.project import FILE, Project, find_folder

KEY = "REFRAIN_ENCRYPTION_KEY"
"""Environment variable that says where the key-encryption key is, as ``file:/etc/refrain/encryption.key``."""

ALL, PERSONAL = "all", "personal"
"""Which tables are encrypted: all of them, or those with personal columns."""

CACHE_SECONDS = 300.0
"""How long an unwrapped key is used before the key-encryption key is asked again."""

_OPTIONS = ("key", "tables", "cache")


@dataclass(frozen=True)
class Settings:
    """How a data folder is encrypted.

    Attributes:
        key: where the key-encryption key is: ``SCHEME:PLACE``; a relative path of a file is made absolute.
        tables: which tables are encrypted, ``all`` or ``personal``.
        cache_seconds: how long an unwrapped key is used before the key-encryption key is asked again.

    >>> Settings("env:REFRAIN_KEK").tables
    'all'
    """

    key: str
    tables: str = ALL
    cache_seconds: float = CACHE_SECONDS

    @classmethod
    def of(cls, home: Home, noted_key: str = "") -> "Settings | None":
        """Reads the settings of a data folder; None if nothing says where its key-encryption key is.

        Args:
            home: the data folder.
            noted_key: the key that the folder's key file notes.

        Raises:
            InputError: the section ``[encryption]`` is not valid, or the key lies in the data folder that it protects.
        """
        folder = home.project_folder or find_folder()
        section = Project.load(folder).encryption
        file = folder / FILE if folder else Path(FILE)
        options = _checked(section, file)
        key = os.environ.get(KEY)
        if key:
            place = absolute_key(key, Path.cwd())
        elif options.get("key"):
            place = absolute_key(options["key"], folder or Path.cwd())
        else:
            place = noted_key
        if not place:
            return None
        check_outside(place, home)
        return cls(place, options.get("tables", ALL), _seconds(options.get("cache")))


def absolute_key(text: str, folder: Path) -> str:
    """Makes the path of ``file:PATH`` absolute; other places are returned as they are.

    >>> absolute_key("file:keys/encryption.key", Path("/srv/shop")), absolute_key("env:KEK", Path("/srv/shop"))
    ('file:/srv/shop/keys/encryption.key', 'env:KEK')
    """
    scheme, sign, place = text.strip().partition(":")
    if scheme != "file" or not sign or not place:
        return text.strip()
    return f"file:{folder.absolute() / Path(place).expanduser()}"


def check_outside(key: str, home: Home) -> None:
    """Checks that a key file is not inside the data folder, where whoever takes the data takes the key as well."""
    scheme, _, place = key.partition(":")
    if scheme == "file" and Path(os.path.realpath(place)).is_relative_to(os.path.realpath(home.root)):
        raise InputError(
            expected="the file of the key-encryption key outside the data folder that it protects",
            found=place,
            next_command=f"mv {place} ~/.config/refrain-encryption.key, and name that in {KEY} or [encryption]",
        )


def _checked(section: Mapping[str, str], file: Path) -> Mapping[str, str]:
    unknown = sorted(set(section) - set(_OPTIONS))
    tables, cache = section.get("tables", ALL), section.get("cache", "5m")
    if unknown:
        expected, found = f"the options {', '.join(_OPTIONS)} in [encryption]", unknown[0]
    elif tables not in (ALL, PERSONAL):
        expected, found = f'tables = "{ALL}" or "{PERSONAL}" in [encryption]', tables
    elif not re.fullmatch(r"\d{1,5}[sm]", cache):
        expected, found = 'cache = "5m" or "30s" in [encryption]', cache
    else:
        return section
    raise InputError(expected=f"{expected} of {file}", found=repr(found), next_command=f"correct {file}")


def _seconds(text: str | None) -> float:
    return CACHE_SECONDS if text is None else float(text[:-1]) * (60 if text.endswith("m") else 1)
