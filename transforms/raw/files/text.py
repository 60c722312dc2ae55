"""The text of a member, in the encoding that is recognized in all of it."""

import codecs
import io
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import IO, Any

from feature_repo.errors import InputError
from transforms.raw.files.members import Member
from transforms.raw.files.streams import BLOCK, damaged

LONGEST_LINE = 1 << 24
"""Characters of the longest line; a longer one is divided."""

SHOWN = 2_000
"""Characters of a malformed row that are kept."""

_WORDS = {"utf-8": "UTF-8", "utf-8-sig": "UTF-8 with a byte order mark", "cp1252": "cp1252 (Windows, Western Europe)"}
_LETTERS_SHARE = 0.3
_LETTERS, _DAMAGES = re.compile(r"[^\0-\x7f]"), re.compile("[\udc80-\udcff]")


@dataclass(frozen=True)
class Text:
    """A member that is text.

    Attributes:
        member: the file.
        encoding: Python's name of the encoding.
        packing: gzip, xz, bzip2 or zstd; empty if the member is not packed.
        has_damage: whether it has, or may have, bytes that the encoding does not have.
    """

    member: Member
    encoding: str
    packing: str = ""
    has_damage: bool = False

    @property
    def description(self) -> str:
        """The encoding in words, and how it is packed."""
        return f"{_WORDS.get(self.encoding, self.encoding.upper())}{f', {self.packing}' if self.packing else ''}"

    @contextmanager
    def open(self) -> Iterator[tuple[IO[str], Callable[[], int]]]:
        """Opens it; yields its text with unchanged ends of lines, and a function that counts the bytes read.

        Bytes that the encoding does not have become lone surrogates, so that they can be found in their row.

        Raises:
            InputError: the member is cut short or damaged.
        """
        with self.member.open() as handle:
            errors = "surrogateescape" if self.encoding.startswith(("utf-8", "cp")) else "strict"
            with io.TextIOWrapper(handle, self.encoding, errors=errors, newline="") as text:
                try:
                    yield text, handle.position
                except UnicodeDecodeError as error:
                    raise damaged(
                        self.member.place, f"bytes that are not {self.encoding.upper()}: {error.reason}"
                    ) from error

    def lines(self) -> Iterator[str]:
        """Yields the lines without their ends; those longer than ``LONGEST_LINE`` in pieces."""
        with self.open() as (handle, _):
            for line in iter(partial(handle.readline, LONGEST_LINE), ""):
                yield line.rstrip("\r\n")


def recognize(member: Member) -> Text:
    """Recognizes the encoding of a text; reads all of it.

    UTF-8, UTF-16 and UTF-32 are recognized by their byte order mark or by their bytes. Of the others, a file is UTF-8
    if more of its letters beyond ASCII are UTF-8 than are not, else cp1252.

    Raises:
        InputError: the member is cut short, or not a text.

    >>> from pathlib import Path
    >>> from transforms.raw.files.members import members
    >>> recognize(next(members(Path("README.md")))).description
    'UTF-8'
    """
    with member.open() as handle:
        head, packing = handle.read(BLOCK), handle.packing
    encoding = encoding_of(head)
    if encoding.startswith("utf-8") and b"\0" in head:
        raise InputError(
            expected="a text, such as CSV or JSON",
            found=f"{member.place}, which is no text",
            next_command="save it as text (in Excel: CSV UTF-8), then repeat the command",
        )
    is_valid = _is_valid(member, encoding)
    if not is_valid:
        if not encoding.startswith("utf-8"):
            raise damaged(member.place, f"bytes that are not {encoding.upper()}")
        encoding = _likelier(member, encoding)
    return Text(member, encoding, packing, not is_valid)


def encoding_of(head: bytes) -> str:
    """The Unicode encoding of the first bytes of a text; UTF-8 where nothing speaks for another.

    >>> encoding_of("id;Ärger".encode("utf-16-le"))
    'utf-16-le'
    """
    encoding: str = json.detect_encoding(head[:4])
    if encoding.startswith("utf-8") and b"\0" in head:
        halves = head[: len(head) // 2 * 2]
        for candidate, zeros in (("utf-16-le", halves[1::2]), ("utf-16-be", halves[::2])):
            if zeros.count(0) > _LETTERS_SHARE * len(zeros) and _decodes(halves[:4_096], candidate):
                return candidate
    return encoding


def _decodes(head: bytes, encoding: str) -> bool:
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError:
        return False
    return "\0" not in text


def _is_valid(member: Member, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    with member.open() as handle:
        try:
            for block in iter(partial(handle.read, BLOCK), b""):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            for _block in iter(partial(handle.read, BLOCK), b""):
                pass  # to the end, so that a file that is cut short is found
            return False
    return True


def _likelier(member: Member, utf8: str) -> str:
    """Decides by the letters beyond ASCII: UTF-8 with damaged rows, or cp1252."""
    valid = invalid = 0
    with member.open() as handle:
        for line in iter(partial(handle.readline, BLOCK), b""):
            if not line.isascii():
                text = line.decode(errors="surrogateescape")
                damages = len(_DAMAGES.findall(text))
                valid, invalid = valid + len(_LETTERS.findall(text)) - damages, invalid + damages
    return utf8 if valid > invalid else "cp1252"


def storable(row: str) -> str:
    """A malformed row as it can be stored: not too long, and without what UTF-8 does not have."""
    return encodable(row[:SHOWN])


def encodable(text: str) -> str:
    """A text with a question mark for everything that UTF-8 does not have.

    >>> encodable("t\udc8dime")
    't?ime'
    """
    return text.encode(errors="replace").decode()


class _Recoded(io.RawIOBase):
    """Bytes of another Unicode encoding as UTF-8."""

    def __init__(self, handle: IO[bytes], encoding: str, place: str) -> None:
        self._handle, self._encoding, self._place = handle, encoding, place
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._pending = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._pending:
            block = self._handle.read(BLOCK)
            try:
                self._pending = self._decoder.decode(block, final=not block).encode(errors="replace")
            except UnicodeDecodeError as error:
                raise damaged(self._place, f"bytes that are not {self._encoding.upper()}: {error.reason}") from error
            if not block:
                break
        piece, self._pending = self._pending[: len(buffer)], self._pending[len(buffer) :]
        buffer[: len(piece)] = piece
        return len(piece)


@contextmanager
def utf8_bytes(member: Member) -> Iterator[tuple["io.BufferedReader[Any]", Callable[[], int]]]:
    """Opens a member of any Unicode encoding; yields its bytes as UTF-8, and a function as ``Text.open``.

    Text of no Unicode encoding is passed on as it is.
    """
    with member.open() as handle:
        encoding = encoding_of(handle.peek(4_096)[:4_096])
        if encoding.startswith("utf-8"):
            if encoding == "utf-8-sig":
                handle.read(len(codecs.BOM_UTF8))
            yield handle, handle.position
        else:
            with io.BufferedReader(_Recoded(handle, encoding, member.place), BLOCK) as recoded:
                yield recoded, handle.position
