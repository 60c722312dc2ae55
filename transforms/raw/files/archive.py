"""Zip archives, whole or cut short."""

import io
import mmap
import struct
import weakref
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Any

from transforms.raw.files.streams import BLOCK, UNREADABLE, unzstd

MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
MOST_ENTRIES = 200_000

_LOCAL = struct.Struct("<4s5H3I2H")
_IS_LOCKED, _SIZES_FOLLOW, _IS_UTF8 = 1, 8, 1 << 11
_DOCUMENT = "[Content_Types].xml"
_ZSTD = 93
_METHODS = frozenset(
    {
        zipfile.ZIP_STORED,
        zipfile.ZIP_DEFLATED,
        zipfile.ZIP_BZIP2,
        zipfile.ZIP_LZMA,
        _ZSTD,
    }
)
_SALVAGED_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_NAMES_OF_METHODS = {9: "deflate64", 12: "bzip2", 14: "LZMA", _ZSTD: "zstd", 95: "xz", 98: "PPMd"}
_EPOCH = datetime(1980, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Entry:
    """A file in an archive.

    Attributes:
        name: path within the archive.
        size: bytes, as they are packed.
        modified: when the file was changed; zip archives hold no zone, so it is taken as UTC.
        damage: why it cannot be read; empty if it can.
    """

    name: str
    size: int
    modified: datetime
    open_: Callable[[], Any]
    start: int
    damage: str = ""


class Archive:
    """An open zip archive; it closes its handle when nothing refers to it any more.

    If its table of contents is missing, as in a download that broke off, the entries are found by their own headers.

    Attributes:
        entries: the files in it, in their order; folders are left out.
        is_document: whether it is a document such as an Excel workbook, and no archive for its reader.
        damage: why files may be missing; empty if the archive is whole.
    """

    def __init__(self, handle: IO[bytes]) -> None:
        self._handle = handle
        weakref.finalize(self, handle.close)
        try:
            self._zip = zipfile.ZipFile(handle)
            entries = [self._listed(info) for info in self._zip.infolist()[:MOST_ENTRIES]]
            self.damage = ""
        except (*UNREADABLE, ValueError, KeyError, OverflowError, MemoryError):
            self.damage = (
                "the table of contents is missing: the archive is cut short, and files may be missing at its end"
            )
            entries = list(self._salvaged())
        self.is_document = any(entry.name == _DOCUMENT for entry in entries)
        self.entries = [entry for entry in entries if not entry.name.endswith("/")]

    @contextmanager
    def open(self, entry: Entry) -> Iterator[tuple[Any, Callable[[], int]]]:
        """Opens an entry; yields its bytes, and a function that counts the packed bytes that are read."""
        with entry.open_() as handle:
            yield handle, lambda: max(min(self._handle.tell() - entry.start, entry.size), 0)

    def _listed(self, info: zipfile.ZipInfo) -> Entry:
        damage = "a password locks it" if info.flag_bits & _IS_LOCKED else _unread_method(info.compress_type)
        return Entry(
            info.filename,
            info.compress_size,
            _moment(*info.date_time),
            lambda: self._unpacked(info),
            info.header_offset,
            damage,
        )

    def _unpacked(self, info: zipfile.ZipInfo) -> IO[bytes]:
        """The content of an entry; ``zipfile`` itself knows zstd since Python 3.14."""
        if info.compress_type != _ZSTD:
            return self._zip.open(info)
        packed = copy(info)
        packed.compress_type, packed.file_size = zipfile.ZIP_STORED, info.compress_size
        packed.CRC = None  # type: ignore[assignment]  # which is that of the content
        return io.BufferedReader(_Checked(unzstd(self._zip.open(packed)), info.CRC), BLOCK)

    def _salvaged(self) -> Iterator[Entry]:
        """Finds entries by their headers."""
        length = self._handle.seek(0, io.SEEK_END)
        if not length:
            return
        with mmap.mmap(self._handle.fileno(), 0, access=mmap.ACCESS_READ) as data:
            start = data.find(MAGIC[0])
            for _number in range(MOST_ENTRIES):
                if start < 0 or start + _LOCAL.size > length:
                    return
                _, _, flags, method, clock, day, crc, packed, _, name_length, extra_length = _LOCAL.unpack_from(
                    data, start
                )
                first = start + _LOCAL.size + name_length + extra_length
                has_sizes = not flags & _SIZES_FOLLOW and packed < 0xFFFFFFFF
                following = data.find(MAGIC[0], first + packed if has_sizes else first)
                end = first + packed if has_sizes else (following if following >= 0 else length)
                name = data[start + _LOCAL.size : first - extra_length]
                damage = "a password locks it" if flags & _IS_LOCKED else _unread_method(method, _SALVAGED_METHODS)
                moment = _moment(
                    (day >> 9) + 1980, day >> 5 & 15, day & 31, clock >> 11, clock >> 5 & 63, clock % 32 * 2
                )
                span = _Span(first, end, method == zipfile.ZIP_DEFLATED, crc if has_sizes else None)
                text = name.decode("utf-8" if flags & _IS_UTF8 else "cp437", "replace")
                yield Entry(text, end - first, moment, lambda span=span: self._inflate(span), start, damage)  # type: ignore[misc]
                start = following

    def _inflate(self, span: "_Span") -> IO[bytes]:
        return io.BufferedReader(_Inflated(self._handle, span), 1 << 16)


class _Checked(io.RawIOBase):
    """The content of an entry, whose checksum is compared at its end."""

    def __init__(self, stream: Any, crc: int) -> None:
        self._stream, self._expected, self._crc = stream, crc, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        block = self._stream.read1(len(buffer))
        self._crc = zlib.crc32(block, self._crc)
        if not block and self._crc != self._expected:
            raise zipfile.BadZipFile("its checksum differs")
        buffer[: len(block)] = block
        return len(block)


@dataclass(frozen=True)
class _Span:
    first: int
    end: int
    is_deflated: bool
    crc: int | None


class _Inflated(io.RawIOBase):
    """The content of an entry whose archive has no table of contents."""

    def __init__(self, handle: IO[bytes], span: _Span) -> None:
        self._handle, self._span = handle, span
        self._place = span.first
        self._inflater = zlib.decompressobj(-15)
        self._pending = b""
        self._crc = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        block = self._block(len(buffer))
        self._crc = zlib.crc32(block, self._crc)
        if not block and self._span.crc not in (None, self._crc):
            raise zipfile.BadZipFile("its checksum differs")
        buffer[: len(block)] = block
        return len(block)

    def _block(self, most: int) -> bytes:
        if not self._span.is_deflated:
            return self._packed(most)
        while not self._inflater.eof:
            packed = self._pending or self._packed(min(BLOCK, 1 << 16))
            block = self._inflater.decompress(packed, most)
            self._pending = self._inflater.unconsumed_tail
            if block:
                return block
            if not packed:
                raise EOFError("it has no end")
        return b""

    def _packed(self, most: int) -> bytes:
        self._handle.seek(self._place)
        packed = self._handle.read(min(most, max(self._span.end - self._place, 0)))
        self._place += len(packed)
        if not packed and self._place < self._span.end:
            raise EOFError("it has no end")
        return packed


def _unread_method(method: int, read: frozenset[int] = _METHODS) -> str:
    """Why an entry of a method of compression is not read; empty if it is."""
    name = _NAMES_OF_METHODS.get(method, f"the method {method}")
    return "" if method in read else f"it is packed by {name}; unpack it with another program, and import the folder"


def _moment(*parts: int) -> datetime:
    try:
        return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]
    except ValueError:
        return _EPOCH
