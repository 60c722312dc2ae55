"""Tar archives, whole or cut short; nothing of them is written to disk, and links in them are left out."""

import tarfile
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import IO, Any

from transforms.raw.files.archive import MOST_ENTRIES, Entry
from transforms.raw.files.streams import UNREADABLE

HEAD = 512
"""Bytes of a file that show whether it is a tar archive."""

LARGEST_HEADER = 1 << 20
"""Bytes of the longest header, such as one with a long name; tarfile reads a header at once."""

_SIGN, _SIGN_AT = b"ustar", 257
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def is_tar(head: bytes) -> bool:
    """Whether a file begins as a tar archive does, by its first ``HEAD`` bytes.

    >>> is_tar(bytes(257) + b"ustar"), is_tar(b"PK")
    (True, False)
    """
    return head[_SIGN_AT : _SIGN_AT + len(_SIGN)] == _SIGN


class TarArchive:
    """An open tar archive that is not packed; it closes its handle when nothing refers to it any more.

    Attributes:
        entries: the files in it, in their order; of several with one name, the last one.
        is_document: false; see ``Archive``.
        damage: why files may be missing; empty if the archive is whole.
    """

    is_document = False

    def __init__(self, handle: IO[bytes]) -> None:
        weakref.finalize(self, handle.close)
        self.damage = ""
        entries: dict[str, Entry] = {}
        try:
            handle.seek(0)
            bounded: Any = _Bounded(handle)
            self._tar = tarfile.open(fileobj=bounded, mode="r:", encoding="utf-8")  # noqa: SIM115
            for info in self._files():
                entries.pop(info.name, None)
                entries[info.name] = Entry(info.name, info.size, _modified(info), self._reader(info), 0)
            handle.seek(self._tar.offset)
            if handle.read(HEAD) != bytes(HEAD):
                self.damage = "the end is missing: the archive is cut short, and files may be missing at its end"
        except (*UNREADABLE, ValueError, OverflowError, RecursionError, MemoryError) as error:
            self.damage = f"the archive is cut short or damaged, and files may be missing: {error}"
        self.entries = list(entries.values())

    @contextmanager
    def open(self, entry: Entry) -> Iterator[tuple[Any, Callable[[], int]]]:
        """Opens an entry; yields its bytes, and a function that counts those that are read."""
        with entry.open_() as handle:
            yield handle, handle.tell

    def _files(self) -> Iterator[tarfile.TarInfo]:
        position = -1
        for _number in range(MOST_ENTRIES):
            info = self._tar.next()
            if info is None:
                return
            if info.offset <= position:
                raise tarfile.ReadError("a header that points backwards")
            position = info.offset
            self._tar.members.clear()  # type: ignore[attr-defined]  # kept for links, which are left out
            info.pax_headers = {}
            if info.isreg() and info.size >= 0:
                yield info

    def _reader(self, info: tarfile.TarInfo) -> Callable[[], Any]:
        return lambda: self._tar.extractfile(info)


class _Bounded:
    """A handle that refuses to read more than ``LARGEST_HEADER`` bytes at once."""

    def __init__(self, handle: IO[bytes]) -> None:
        self._handle = handle
        self.seek, self.tell = handle.seek, handle.tell

    def read(self, size: int) -> bytes:
        if size > LARGEST_HEADER:
            raise tarfile.ReadError(f"a header of {size:,} bytes")
        return self._handle.read(size)


def _modified(info: tarfile.TarInfo) -> datetime:
    try:
        return datetime.fromtimestamp(info.mtime, UTC)
    except (ValueError, OverflowError, OSError):
        return _EPOCH
