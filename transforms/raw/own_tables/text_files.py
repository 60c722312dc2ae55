"""Text files: unpacked if they are gzip, decoded in the encoding that is recognized in the whole file."""

import codecs
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from feature_repo.errors import InputError

BLOCK = 1 << 20
GZIP = b"\x1f\x8b"

_WORDS = {"utf-8": "UTF-8", "utf-8-sig": "UTF-8 with a byte order mark", "cp1252": "cp1252 (Windows, Western Europe)"}


@dataclass(frozen=True)
class TextFile:
    """A text file.

    Attributes:
        path: the file.
        encoding: Python's name of the encoding.
        packed: whether the file is gzip.
    """

    path: Path
    encoding: str
    packed: bool

    @property
    def description(self) -> str:
        """The encoding in words, and whether the file is packed."""
        return f"{_WORDS.get(self.encoding, self.encoding.upper())}{', gzip' if self.packed else ''}"

    @contextmanager
    def lines(self) -> Iterator[tuple[IO[str], Callable[[], int]]]:
        """Opens the file; yields its text with unchanged ends of lines, and a function that counts the bytes read.

        Bytes that the encoding does not have become lone surrogates, so that they can be found in their row.

        Raises:
            InputError: the file is truncated or damaged.
        """
        with unpacked(self.path) as (handle, position):
            errors = "surrogateescape" if self.encoding.startswith(("utf-8", "cp")) else "strict"
            with io.TextIOWrapper(handle, self.encoding, errors=errors, newline="") as text:
                try:
                    yield text, position
                except UnicodeDecodeError as error:
                    raise damaged(self.path, f"bytes that are not {self.encoding.upper()}: {error.reason}") from error


@contextmanager
def unpacked(path: Path) -> Iterator[tuple[IO[bytes], Callable[[], int]]]:
    """Opens a file; yields its bytes, unpacked if it is gzip, and a function that counts the bytes of the file read.

    Raises:
        InputError: the gzip file is truncated or damaged.
    """
    with path.open("rb") as packed:
        is_gzip = packed.read(2) == GZIP
        packed.seek(0)
        try:
            if is_gzip:
                with gzip.open(packed) as handle:
                    yield handle, packed.tell  # type: ignore[misc]
            else:
                yield packed, packed.tell
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise damaged(path, f"a gzip file that is cut short or damaged: {error}") from error


def damaged(path: Path, found: str) -> InputError:
    """The error for a file that cannot be read to its end."""
    return InputError(
        expected=f"a whole file at {path}", found=found, next_command=f"get {path} again, then repeat the command"
    )


def recognize(path: Path) -> TextFile:
    """Recognizes the encoding of a text file; reads all of it.

    UTF-8, UTF-16 and UTF-32 are recognized by their byte order mark or by their bytes. Of the others, a file is UTF-8
    if more lines with letters beyond ASCII are UTF-8 than are not, else cp1252.

    Raises:
        InputError: the file is truncated, or not a text.
    """
    with unpacked(path) as (handle, _):
        head = handle.read(BLOCK)
    encoding: str = json.detect_encoding(head[:4])
    if encoding.startswith("utf-8") and b"\0" in head:
        raise InputError(
            expected="a table: Parquet, Arrow IPC (Feather), CSV or JSON lines, the latter two also as .gz",
            found=f"{path}, which is neither text nor one of these",
            next_command="save the table as CSV or Parquet, then repeat the command",
        )
    if not _is_valid(path, encoding):
        if not encoding.startswith("utf-8"):
            raise damaged(path, f"bytes that are not {encoding.upper()}")
        encoding = _likelier(path, encoding)
    with path.open("rb") as packed:
        return TextFile(path, encoding, packed.read(2) == GZIP)


def _is_valid(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    with unpacked(path) as (handle, _):
        try:
            for block in iter(partial(handle.read, BLOCK), b""):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            for _block in iter(partial(handle.read, BLOCK), b""):
                pass  # to the end, so that a truncated file is found
            return False
    return True


def _likelier(path: Path, utf8: str) -> str:
    """Decides by the lines with bytes beyond ASCII: UTF-8 with damaged lines, or cp1252."""
    valid = invalid = 0
    with unpacked(path) as (handle, _):
        for line in iter(partial(handle.readline, BLOCK), b""):
            if not line.isascii():
                try:
                    line.decode()
                    valid += 1
                except UnicodeDecodeError:
                    invalid += 1
    return utf8 if valid > invalid else "cp1252"
