"""Bytes of packed files: unpacked while they are read, and only up to a limit."""

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from feature_repo.errors import InputError

BLOCK = 1 << 20

FREE_BYTES = 256 << 20
"""Any file may unpack to this size."""

GREATEST_RATIO = 250
"""Beyond ``FREE_BYTES``, a file may unpack to this multiple of its size; logs and JSON reach 10 to 100."""

MOST_BYTES = 100 << 30
"""No file may unpack to more."""


def unzstd(handle: IO[bytes]) -> Any:
    """The content of bytes that are packed by zstd."""
    import pyarrow

    return pyarrow.CompressedInputStream(pyarrow.PythonFile(handle, mode="r"), "zstd")


PACKERS: dict[bytes, tuple[str, Callable[[IO[bytes]], Any]]] = {
    b"\x1f\x8b": ("gzip", lambda handle: gzip.GzipFile(fileobj=handle)),
    b"\xfd7zXZ\x00": ("xz", lzma.LZMAFile),
    b"BZh": ("bzip2", bz2.BZ2File),
    b"\x28\xb5\x2f\xfd": ("zstd", unzstd),
}
"""First bytes of a packed file → name of the packing, and its reader."""

PACKED_SUFFIXES = (".gz", ".xz", ".bz2", ".zst")

ARCHIVE_SUFFIXES = (
    ".zip",
    *(f".tar{packed}" for packed in ("", *PACKED_SUFFIXES)),
    ".tgz",
    ".txz",
    ".tbz2",
    ".tbz",
    ".tzst",
)

UNREADABLE = (
    EOFError,
    OSError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    tarfile.TarError,
    struct.error,
    NotImplementedError,
)
"""What the readers of packed files raise about damaged ones."""


def damaged(place: str | Path, found: str) -> InputError:
    """The error for a file that cannot be read to its end."""
    return InputError(
        expected=f"a whole file at {place}", found=found, next_command=f"get {place} again, then repeat the command"
    )


class TooLarge(InputError):
    """A file that unpacks to more than is permitted."""


class Allowance:
    """How many bytes all members of one file may unpack to. Reading a member again does not count twice."""

    def __init__(self, place: str, packed_bytes: int) -> None:
        self._place, self._sizes, self._total = place, dict[str, int](), 0
        self._limit = min(max(FREE_BYTES, GREATEST_RATIO * packed_bytes), MOST_BYTES)

    def count(self, name: str, size: int) -> None:
        """Notes that a member unpacks to at least ``size`` bytes.

        Raises:
            TooLarge: the limit is passed.
        """
        growth = size - self._sizes.get(name, 0)
        if growth <= 0:
            return
        self._sizes[name], self._total = size, self._total + growth
        if self._total > self._limit:
            raise TooLarge(
                expected=f"files that unpack to at most {self._limit:,} bytes in {self._place}",
                found=f"more than that, at {name}: it looks like an archive that is made to fill memory",
                next_command=f"if you trust {self._place}, unpack it yourself, then import the folder",
            )


class Bytes(io.BufferedReader):
    """Unpacked bytes of a member.

    Attributes:
        packing: gzip, xz, bzip2 or zstd; empty if the member is not packed.
    """

    def __init__(self, raw: "_Guarded", position: Callable[[], int], packing: str) -> None:
        super().__init__(raw, BLOCK)
        self._position, self.packing = position, packing

    def position(self) -> int:
        """The bytes of the member that are read, as it is packed: out of ``Member.size``."""
        return self._position()


class _Guarded(io.RawIOBase):
    """Bytes of a handle; what it raises about damage becomes an ``InputError``, and what it gives is counted."""

    def __init__(self, handle: Any, place: str, count: Callable[[int], None]) -> None:
        self._handle, self._place, self._count = handle, place, count
        self._size = 0
        self._fills_buffers = hasattr(handle, "readinto1")  # those of PyArrow do not

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            if self._fills_buffers:
                size = int(self._handle.readinto1(buffer))
            else:
                block = self._handle.read1(len(buffer))
                size = len(block)
                buffer[:size] = block
        except UNREADABLE as error:
            raise damaged(self._place, f"{self._place}, which is cut short or damaged: {error or 'no end'}") from error
        self._size += size
        self._count(self._size)
        return size


@contextmanager
def unpacked(
    handle: Any, place: str, position: Callable[[], int], allowance: Allowance, always: bool
) -> Iterator[Bytes]:
    """Unpacks a handle by its first bytes.

    Args:
        handle: bytes with ``peek`` and ``read1``.
        place: where they come from, for errors.
        position: function that counts the packed bytes that are read.
        allowance: limit of what they unpack to.
        always: whether they count where they are not packed by themselves, since the archive around them is.
    """
    try:
        head = handle.peek(8)[:8]
    except UNREADABLE as error:
        raise damaged(place, f"{place}, which is cut short or damaged: {error or 'no end'}") from error
    packing, reader = next((item for magic, item in PACKERS.items() if head.startswith(magic)), ("", None))

    def count(size: int) -> None:
        if always or reader:
            allowance.count(place, size)

    inner = reader(handle) if reader else handle
    with Bytes(_Guarded(inner, place, count), position, packing) as opened:
        yield opened


def readable_name(name: str) -> str:
    """A name of a file without characters that a terminal would act on."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name)


def is_archive_name(name: str) -> bool:
    """Whether a file has the name of an archive: zip, or tar, packed or not.

    >>> is_archive_name("Takeout-001.TGZ"), is_archive_name("auth.log.gz")
    (True, False)
    """
    return name.lower().endswith(ARCHIVE_SUFFIXES)


def plain_name(name: str) -> str:
    """A name without the ending of an archive.

    >>> plain_name("lastfm-dataset-1K.tar.gz"), plain_name("mira")
    ('lastfm-dataset-1K', 'mira')
    """
    return next((name[: -len(end)] for end in ARCHIVE_SUFFIXES if name.lower().endswith(end)), name)


def is_noise(name: str) -> bool:
    """Whether a file is one that an operating system puts beside others, such as ``__MACOSX/…`` and ``.DS_Store``."""
    parts = Path(name).parts
    last = parts[-1] if parts else ""
    return "__MACOSX" in parts or last in (".DS_Store", "Thumbs.db", "desktop.ini") or last.startswith("._")
