"""Which sealed files belong to a data folder: the salt of each, so that an older version put back is refused.

A seal says that a file was written at its place, not that it is the newest that was. The list says which one is. It is
sealed itself, written whole under a lock, and cached until it changes. An older copy of the whole folder, list
included, is not noticed: nothing in a folder can say how old the folder is.

A file is listed before it gets its name, beside the one that it replaces; after that, alone. So a writer that is killed
leaves a file that opens.
"""

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from feature_repo.encryption.key_ring import EncryptionKeys
from feature_repo.encryption.sealed_file import open_sealed, refusal, seal
from feature_repo.home import Home
from feature_repo.whole_files import write_whole

SCOPE = "files"
"""Scope of the data key of the list."""
PLAIN = "plain"
"""Stands in the place of a salt where a file is about to be made plain."""
Entries = Mapping[str, Mapping[str, bool]]
"""Place → salts of its files, in hexadecimal → whether nothing is appended to the file any more."""

_cache: dict[Path, tuple[tuple[int, int, int], Entries]] = {}


@dataclass(frozen=True)
class FileList:
    """The list of a tenant.

    Attributes:
        home: the data folder.
        keys: its keys.
    """

    home: Home
    keys: EncryptionKeys

    @property
    def path(self) -> Path:
        """The file of the list."""
        return list_of(self.home)

    @property
    def _place(self) -> str:
        return f"{self.home.tenant}:security/{self.path.name}"

    def read(self) -> Entries:
        """The list; empty if nothing was sealed.

        Raises:
            SealError: it was changed.
        """
        try:
            stat = self.path.stat()
        except FileNotFoundError:
            return {}
        version = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        cached = _cache.get(self.path)
        if cached is None or cached[0] != version:
            entries: Entries = json.loads(open_sealed(self.path.read_bytes(), self.keys, self._place))
            cached = _cache[self.path] = (version, entries)
        return cached[1]

    def check(self, place: str, salt: bytes) -> bool:
        """Check that a sealed file is the newest of its place.

        Args:
            place: place of the file.
            salt: salt of its header.

        Returns:
            Whether the file is closed: nothing is appended to it any more.

        Raises:
            SealError: it is not in the list: it was rolled back, or removed and put back.
        """
        is_closed = self.read().get(place, {}).get(salt.hex())
        if is_closed is None:
            raise refusal(place, "it is not the file that was written last: an older one was put back")
        return is_closed

    def add(self, place: str, salt: bytes, *, is_closed: bool) -> None:
        """Note a file beside those that its place has, or that one is closed."""
        with self._changes() as entries:
            entries.setdefault(place, {})[salt.hex()] = is_closed

    def keep_only(self, place: str, salt: bytes) -> None:
        """Note that a place has one closed file and no other."""
        with self._changes() as entries:
            entries[place] = {salt.hex(): True}

    def allow_plain(self, place: str) -> None:
        """Note that a plain file may take a place, before it is written there."""
        with self._changes() as entries:
            entries.setdefault(place, {})[PLAIN] = True

    def drop(self, place: str, salt: bytes) -> None:
        """Note that a file of a place is gone."""
        with self._changes() as entries:
            entries.get(place, {}).pop(salt.hex(), None)
            if not set(entries.get(place, ())) - {PLAIN}:
                entries.pop(place, None)

    @contextmanager
    def _changes(self) -> Iterator[dict[str, dict[str, bool]]]:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self.path.with_name(f".{self.path.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            entries = {place: dict(salts) for place, salts in self.read().items()}
            yield entries
            content = json.dumps(entries, sort_keys=True).encode()
            write_whole(self.path, seal(content, self.keys.key(SCOPE), self._place), is_secret=True)


def list_of(home: Home) -> Path:
    """The file of the list of a tenant; there is none before something was sealed."""
    return home.root / "security" / f"sealed-{home.tenant}.list"
