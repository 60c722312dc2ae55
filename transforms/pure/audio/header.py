"""What the header of a sound file states of its length, and the bytes of the file with that statement taken out.

A decoder that believes the header stops early where it states too little (mp3 without a table of contents, for which
mpg123 guesses), so that decoders get ``SoundBytes``, and what they give is compared with what was stated.
"""

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import IO, Any

from transforms.pure.audio.loudness.layouts import Layout, from_mask

_UNKNOWN = 0x7FFF0000
"""Sizes of a chunk from here on are placeholders of programs that write to a pipe."""
_WINDOW = 8_192
"""Bytes from the first frame of an mp3 within which its table of contents lies."""
_LAST_PAGES = 200_000
"""Bytes before the end of an Ogg file that hold its last page, of 65,307 at the most, and tags after it."""
_PADDING = 4_096
"""Bytes of the last frames of an mp3 that may hold nothing but what the encoder added."""
_ENDLESS = 1 << 40
_TRIES = 8
_EXTENSIBLE = 0xFFFE
"""Format of a WAV that names its channels."""
_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")


@dataclass(frozen=True)
class Header:
    """What the header of a sound file states.

    Attributes:
        frames: samples of each channel; None if it states none, or if the decoder knows.
        present: share of the bytes it states that the file has.
        has_end: whether the mark of the last page is there, in formats that have one.
        edits: offset → bytes to read there, so that the decoder does not stop by the header.
        is_endless: whether the decoder is to be told of no end, as it guesses the length by the size of the file.
        is_known: whether the file begins as one of those that are read here.
        layout: names of the channels, if it states them.
    """

    frames: int | None = None
    present: float = 1.0
    has_end: bool = True
    edits: Mapping[int, bytes] = field(default_factory=dict)
    is_endless: bool = False
    is_known: bool = True
    layout: Layout | None = None


def read_header(file: IO[bytes], size: int) -> Header:
    """Read what a sound file states of its length; a header that is none of those known states nothing.

    Args:
        file: the file, at any position.
        size: its bytes.

    >>> read_header(io.BytesIO(b"RIFF....WAVEdata" + (400).to_bytes(4, "little") + bytes(100)), 120).present
    0.25
    """
    start = _after_id3(_at(file, 0, 10))
    magic = _at(file, start, 12)
    if magic[:4] in (b"RIFF", b"RF64", b"RIFX") and magic[8:] == b"WAVE":
        order = "big" if magic[:4] == b"RIFX" else "little"
        return replace(_of_chunks(file, size, b"data", order), layout=_wav_layout(file, order))
    if magic[:4] == b"FORM" and magic[8:] in (b"AIFF", b"AIFC"):
        return _of_chunks(file, size, b"SSND", "big")
    if magic[:4] == b"fLaC":
        return _of_flac(_at(file, start + 21, 5), start + 21)
    if magic[:4] == b"OggS":
        return _of_ogg(_at(file, max(size - _LAST_PAGES, 0), _LAST_PAGES))
    if magic[:4] == b"0&\xb2u":
        return _of_asf(_at(file, start, 65_536), size)
    return of_mp3(file, start, size) if is_frame(magic) else Header(is_known=False)


class SoundBytes:
    """The bytes of a sound file as a decoder is to see them; its methods raise nothing, as libsndfile calls them.

    Args:
        file: the file.
        size: its bytes.
        header: what its header states.
        start: where the sound begins.
    """

    def __init__(self, file: IO[bytes], size: int, header: Header, start: int = 0) -> None:
        self._file, self._size, self._header, self._start, self._position = file, size - start, header, start, 0
        self._length = self._size + (_ENDLESS if header.is_endless else 0)

    def next_frame(self) -> int | None:
        """Where in the file a frame of an mp3 follows that the decoder, which believes the header, did not take."""
        place = self._start + self._position
        is_left = self._position + _PADDING < self._size
        return place if is_left and is_frame(_at(self._file, place, 4)) else None

    def tell(self) -> int:
        """The position in bytes."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Seek; a position before the beginning, as damaged headers cause, is ignored. Returns the position."""
        position = (0, self._position, self._length)[whence] + offset
        self._position = position if position >= 0 else self._position
        return self._position

    def readinto(self, buffer: Any, /) -> int:
        """Fill a buffer; returns the number of bytes, 0 at the end, and where the file cannot be read."""
        count = min(len(buffer), self._length - self._position)
        if self._position >= self._size:
            # mpg123 looks for a tag in the last bytes, and wants bytes there
            count = count if self._position >= self._length - 128 else 0
            content = bytes(max(count, 0))
        else:
            try:
                self._file.seek(self._start + self._position)
                content = self._edited(self._file.read(min(count, self._size - self._position)))
            except OSError:
                content = b""
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)

    def read(self, count: int = -1, /) -> bytes:
        """Read up to so many bytes; all of the file if negative."""
        buffer = bytearray(count if count >= 0 else max(self._size - self._position, 0))
        return bytes(buffer[: self.readinto(buffer)])

    def _edited(self, content: bytes) -> bytes:
        for offset, replacement in self._header.edits.items():
            for number, byte in enumerate(replacement):
                place = offset + number - self._position
                if 0 <= place < len(content):
                    content = content[:place] + bytes([byte]) + content[place + 1 :]
        return content


def _at(file: IO[bytes], offset: int, count: int) -> bytes:
    file.seek(offset)
    return file.read(count)


def _after_id3(head: bytes) -> int:
    """Where the sound begins after a tag of ID3v2, whose size has seven bits a byte."""
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    size = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
    return 10 + size + (10 if head[5] & 0x10 else 0)


def _of_chunks(file: IO[bytes], size: int, samples: bytes, order: Any) -> Header:
    """WAV and AIFF: the size of the chunk of samples, and what of it is there."""
    long_size = 0
    for name, offset, chunk_size in _chunks(file, order):
        if name == b"ds64":
            long_size = int.from_bytes(_at(file, offset + 8, 8), "little")
        if name == samples:
            there = size - offset
            if chunk_size == 0 and there > 8:  # a program that was stopped before it wrote the size
                return Header(edits={offset - 4: b"\xff\xff\xff\xff"})
            stated = long_size or chunk_size
            is_known = stated > 0 and (long_size or stated < _UNKNOWN)
            return Header(present=min(there / stated, 1.0)) if is_known else Header()
    return Header()


def _wav_layout(file: IO[bytes], order: Any) -> Layout | None:
    """The channels of an extensible WAV, by their mask."""
    for name, offset, _ in _chunks(file, order):
        if name == b"fmt ":
            chunk = _at(file, offset, 24)
            is_extensible = int.from_bytes(chunk[:2], order) == _EXTENSIBLE and len(chunk) == 24
            mask, channels = int.from_bytes(chunk[20:24], order), int.from_bytes(chunk[2:4], order)
            return from_mask(mask, channels) if is_extensible else None
        if name == b"data":
            return None
    return None


def _chunks(file: IO[bytes], order: Any) -> Iterator[tuple[bytes, int, int]]:
    """Yield the name of each chunk, where its content begins, and the size that is stated."""
    offset = 12
    while len(chunk := _at(file, offset, 8)) == 8:
        size = int.from_bytes(chunk[4:], order)
        yield chunk[:4], offset + 8, size
        offset += 8 + size + size % 2


def _of_flac(total: bytes, offset: int) -> Header:
    """FLAC: 36 bits of STREAMINFO, 0 where they are not known."""
    if len(total) < 5:
        return Header()
    frames = int.from_bytes(total, "big") & 0xF_FFFF_FFFF
    return Header(frames=frames or None, edits={offset: bytes([total[0] & 0xF0]) + bytes(4)})


def _of_ogg(end: bytes) -> Header:
    """Ogg: no length, but a mark in the last page."""
    place = end.rfind(b"OggS")
    page = end[place:]
    if place < 0 or len(page) < 27:
        return Header(has_end=False)
    length = 27 + page[26] + sum(page[27 : 27 + page[26]])
    return Header(has_end=bool(page[5] & 4) and len(page) >= length)


def _of_asf(head: bytes, size: int) -> Header:
    """WMA: the size of the whole file."""
    place = head.find(_ASF_PROPERTIES)
    stated = int.from_bytes(head[place + 40 : place + 48], "little") if place >= 0 else 0
    return Header(present=min(size / stated, 1.0)) if stated else Header()


def of_mp3(file: IO[bytes], start: int, size: int) -> Header:
    """MP3: the number of frames in the first one, which the decoder knows, too; without it, it would guess."""
    window = _at(file, start, _WINDOW)
    place = max(window.find(b"Xing"), window.find(b"Info"))
    flags = int.from_bytes(window[place + 4 : place + 8], "big") if place >= 0 else 0
    if not flags & 1:
        return Header(is_endless=True)
    return Header()


def possible_frames(file: IO[bytes]) -> list[int]:
    """Where in the beginning of a file the first frame of an mp3 may be, behind bytes that are none."""
    window = _at(file, 0, _WINDOW)
    return [place for place in range(len(window) - 4) if is_frame(window[place : place + 4])][:_TRIES]


def is_frame(head: bytes) -> bool:
    """Whether an mp3 may go on with these bytes: a frame, or the tag of another file that was appended.

    >>> is_frame(bytes.fromhex("fffb9064")), is_frame(b"APETAGEX")
    (True, False)
    """
    return head[:3] == b"ID3" or (len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and bool(head[1] & 6))
