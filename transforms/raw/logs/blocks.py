"""The lines of a log file in blocks of bounded size, whatever their encoding."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from typing import NamedTuple

import polars as pl

from transforms.raw.files.members import Member
from transforms.raw.files.text import utf8_bytes

BLOCK_BYTES = 8 << 20
LONGEST_LINE = 65_536
"""Characters of a line that are read."""


class Block(NamedTuple):
    """Consecutive lines of a file.

    Attributes:
        lines: (lines,) texts without ends of lines; empty lines are left out.
        done: bytes of the file that are read, out of ``Member.size``.
        is_last: whether no more lines follow.
        is_cut: whether the last line has no end.
    """

    lines: pl.Series
    done: int
    is_last: bool
    is_cut: bool


def blocks(member: Member, size: int = BLOCK_BYTES) -> Iterator[Block]:
    """Yields the lines of a file; at least one block, which may be empty.

    A line that is not UTF-8 is read as cp1252: several programs write to one log, each in its encoding. Zero bytes,
    which a crash leaves in logs, are left out.

    Raises:
        InputError: the file is damaged, after the lines before that point.

    >>> from pathlib import Path
    >>> from transforms.raw.files.members import single
    >>> next(blocks(single(Path("README.md")))).lines[0]
    '# Refrain'
    """
    rest = b""
    with member.open() as handle:
        begins_empty = handle.read(2) == b"\0\0"  # a log that was cut at its beginning while it was written
    with _raw(member) if begins_empty else utf8_bytes(member) as (handle, position):
        while data := handle.read(size):
            data = rest + data
            end = data.rfind(b"\n") + 1 or (len(data) if len(data) > LONGEST_LINE else 0)
            rest = data[end:]
            if end:
                yield Block(_lines(data[:end]), position(), False, False)
    yield Block(_lines(rest), member.size, True, bool(rest))


@contextmanager
def _raw(member: Member) -> Iterator[tuple[BufferedReader, Callable[[], int]]]:
    with member.open() as handle:
        yield handle, handle.position


def _lines(data: bytes) -> pl.Series:
    if b"\0" in data:
        data = data.replace(b"\0", b"")
    try:
        texts = data.decode().split("\n")
    except UnicodeDecodeError:
        texts = [_decoded(line) for line in data.split(b"\n")]
    lines = pl.Series("line", texts, pl.String).str.strip_chars_end("\r")
    if lines.str.len_bytes().max() > LONGEST_LINE:  # type: ignore[operator]
        lines = lines.str.slice(0, LONGEST_LINE)
    return lines.filter(lines.str.contains(r"\S"))


def _decoded(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("cp1252", "replace")
