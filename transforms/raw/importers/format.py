"""The definition of an importer, and the reading of lines that importers share."""

import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import polars as pl

from feature_repo.errors import InputError
from feature_repo.home import Home
from transforms.raw.ingest import Batch
from transforms.raw.table import MICROSECONDS_UTC
from transforms.raw.validate import QUARANTINE

BATCH_ROWS = 50_000


@dataclass(frozen=True)
class Format:
    """One importer.

    Attributes:
        name: name of the format on the command line.
        expects: description of a valid ``path``, for help and errors.
        read: function that yields the content of ``path`` in batches.
        resumes: whether ``read`` also takes a data folder, and skips what is stored there.
    """

    name: str
    expects: str
    read: Callable[..., Iterator[Batch]]
    resumes: bool = False

    def batches(self, path: Path, home: Home) -> Iterator[Batch]:
        """Yield the content of ``path`` in batches; a resuming importer skips what ``home`` already stores."""
        return self.read(path, home) if self.resumes else self.read(path)

    def check(self, path: Path) -> Path:
        """Return the path if it exists.

        Raises:
            InputError: the path does not exist.
        """
        if not path.exists():
            raise self.mismatch(f"nothing at {path}")
        return path

    def mismatch(self, found: str) -> InputError:
        """The error for a path that is not of this format."""
        return InputError(
            expected=self.expects,
            found=found,
            next_command=f"refrain import {self.name} PATH  (--help lists the formats)",
        )


@dataclass
class Rows:
    """A buffer of rows of one table, and of malformed lines, for the next batch."""

    table: str
    columns: dict[str, pl.DataType]

    def __post_init__(self) -> None:
        self.rows: list[tuple[Any, ...]] = []
        self.malformed: list[tuple[str, str]] = []

    def refuse(self, reason: str, row: str) -> None:
        """Record a malformed line with the reason."""
        self.malformed.append((reason, row[:2_000]))

    def flush(self, done: float, total: float) -> Batch:
        """Return the buffered rows as a batch, and empty the buffer."""
        frame = pl.DataFrame(self.rows, schema=self.columns, orient="row", strict=False)
        malformed = pl.DataFrame(self.malformed, schema=QUARANTINE, orient="row")
        self.rows, self.malformed = [], []
        return Batch(self.table, frame, malformed, done, total)


EPOCH_SECONDS = pl.Int64()
"""Type of a column of times in whole seconds since 1970; see ``from_seconds``."""


def from_seconds(batch: Batch, *columns: str) -> Batch:
    """Convert columns of seconds since 1970 UTC to timestamps."""
    times = [(pl.col(name) * 1_000_000).cast(MICROSECONDS_UTC) for name in columns]
    return Batch(batch.table, batch.rows.with_columns(times), batch.malformed, batch.done, batch.total)


@contextmanager
def opened(path: Path, kind: Format) -> Iterator[tuple[IO[bytes], Callable[[], int]]]:
    """Open a file; yields its bytes, unpacked if it is gzip, and a function that returns the file bytes read so far.

    Raises:
        InputError: the gzip file is truncated or damaged.
    """
    with path.open("rb") as packed:
        magic = packed.read(2)
        packed.seek(0)
        try:
            if magic == b"\x1f\x8b":
                with gzip.open(packed) as unpacked:
                    yield unpacked, packed.tell  # type: ignore[misc]
            else:
                yield packed, packed.tell
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(
                expected=f"a whole gzip file at {path}",
                found=f"{error}",
                next_command=f"get the file again, then: refrain import {kind.name} {path}",
            ) from error


def lines(path: Path, kind: Format) -> Iterator[tuple[bytes, int]]:
    """Yield each line without its end, and the bytes read so far (every 1,000 lines; 0 otherwise)."""
    with opened(path, kind) as (handle, position):
        for number, line in enumerate(handle):
            yield line.rstrip(b"\r\n"), position() if number % 1_000 == 0 else 0


def decoded(line: bytes, rows: Rows) -> str | None:
    """Decode a line; one that is not UTF-8 is recorded as malformed, and None is returned."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        rows.refuse("not UTF-8", line.decode("latin-1"))
        return None
