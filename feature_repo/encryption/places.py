"""Where a file lies in a data folder: which tenant's keys apply to it, and what it is bound to."""

import os
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from feature_repo.encryption.key_ring import DataKey, EncryptionKeys
from feature_repo.encryption.settings import KEY
from feature_repo.home import Home

_TENANT = "tenant="
_OF_TABLES = frozenset({"raw", "features", "tiles", "quarantine", "cursors"})
"""Folders of the data folder with one folder for each table, in which those of the tenants are."""
_CHECK_SECONDS = 1.0
"""How long it is not asked again whether a data folder is encrypted."""


@dataclass(frozen=True)
class Place:
    """The place of a file in a data folder.

    Attributes:
        keys: the keys of its tenant.
        table: what it belongs to, such as ``raw/plays`` or ``training_sets``.
        name: its path in the data folder, with ``/``.
    """

    keys: EncryptionKeys
    table: str
    name: str

    @property
    def prefix(self) -> bytes:
        """What every module of the file is bound to: tenant and table."""
        return f"refrain\0{self.keys.home.tenant}\0{self.table}\0".encode()

    @property
    def encrypts(self) -> bool:
        """Whether new files are encrypted here."""
        file = self.keys.file()
        return file is None or (file.is_on and self.table not in file.plain_tables)

    @property
    def refuses_plain(self) -> bool:
        """Whether a plain file is refused here: all were encrypted once, so that somebody has put it there."""
        file = self.keys.file()
        return file is not None and file.refuses_plain and self.encrypts

    @property
    def key(self) -> DataKey:
        """The key of new files."""
        return self.keys.key(f"table/{self.table}")


def place_of(path: str | Path) -> Place | None:
    """Returns the place of a file; None outside of data folders, and where encryption was never turned on.

    >>> place_of("/srv/refrain/raw/plays/tenant=default/date=2026-03-01/part-0.parquet") is None
    True
    """
    text = os.fspath(path)
    folder = os.path.dirname(text)  # noqa: PTH120 - a Path for each of thousands of files takes longer than the call
    parts = _parts(folder)
    if parts is None:
        return None
    root, tenant, table = parts
    keys = _keys(root, tenant)
    return None if keys is None else Place(keys, table, os.path.abspath(text)[len(root) + 1 :])  # noqa: PTH100


@lru_cache(maxsize=65_536)
def _parts(folder: str) -> tuple[str, str, str] | None:
    """Root of the data folder, tenant and table of a folder in it."""
    parts = Path(os.path.abspath(folder)).parts  # noqa: PTH100
    for number, part in enumerate(parts):
        if part.startswith(_TENANT) and number >= 2:
            is_of_table = number >= 3 and parts[number - 2] in _OF_TABLES
            start = number - (2 if is_of_table else 1)
            return str(Path(*parts[:start])), part[len(_TENANT) :], "/".join(parts[start:number])
    return None


_checked: dict[tuple[str, str, str | None], tuple[float, EncryptionKeys | None]] = {}


def _keys(root: str, tenant: str) -> EncryptionKeys | None:
    question = root, tenant, os.environ.get(KEY)
    now = time.monotonic()
    before = _checked.get(question)
    if before is None or now - before[0] > _CHECK_SECONDS:
        before = _checked[question] = now, EncryptionKeys.for_reading(Home(Path(root), tenant))
    return before[1]


def is_in_use() -> bool:
    """Whether this process has used a data folder with keys, so that what it writes elsewhere may be of it."""
    return any(keys is not None for _, keys in _checked.values())


def forget_checks() -> None:
    """Asks anew whether data folders are encrypted: encryption was turned on or off by this process."""
    _checked.clear()
