"""What an importer is, and the reading of lines that they share."""

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
        name: as on the command line.
        expects: what ``path`` must be, for help and errors.
        read: yields the content of ``path`` in batches.
        resumes: whether ``read`` also takes a data folder, and leaves out what that knows.
    """

    name: str
    expects: str
    read: Callable[..., Iterator[Batch]]
    resumes: bool = False

    def batches(self, path: Path, home: Home) -> Iterator[Batch]:
        """The content of ``path``; without what ``home`` knows already, if that saves work."""
        return self.read(path, home) if self.resumes else self.read(path)

    def check(self, path: Path) -> Path:
        """The path, if anything is there.

        Raises:
            InputError: nothing is.
        """
        if not path.exists():
            raise self.mismatch(f"nothing at {path}")
        return path

    def mismatch(self, found: str) -> InputError:
        """The error of a path that is not of this format."""
        return InputError(
            expected=self.expects,
            found=found,
            next_command=f"python -m transforms import {self.name} PATH  (--help lists the formats)",
        )


@dataclass
class Rows:
    """Rows of one table on their way into a batch, and the lines that were none."""

    table: str
    columns: dict[str, pl.DataType]

    def __post_init__(self) -> None:
        self.rows: list[tuple[Any, ...]] = []
        self.malformed: list[tuple[str, str]] = []

    def refuse(self, reason: str, row: str) -> None:
        """Note what could not be read as a row, and why."""
        self.malformed.append((reason, row[:2_000]))

    def flush(self, done: float, total: float) -> Batch:
        """Everything so far as a batch; starts anew."""
        frame = pl.DataFrame(self.rows, schema=self.columns, orient="row", strict=False)
        malformed = pl.DataFrame(self.malformed, schema=QUARANTINE, orient="row")
        self.rows, self.malformed = [], []
        return Batch(self.table, frame, malformed, done, total)


EPOCH_SECONDS = pl.Int64()
"""Type of a time that a source gives in whole seconds; see ``from_seconds``."""


def from_seconds(batch: Batch, *columns: str) -> Batch:
    """The batch with columns of seconds since 1970 UTC turned into timestamps."""
    times = [(pl.col(name) * 1_000_000).cast(MICROSECONDS_UTC) for name in columns]
    return Batch(batch.table, batch.rows.with_columns(times), batch.malformed, batch.done, batch.total)


@contextmanager
def opened(path: Path, kind: Format) -> Iterator[tuple[IO[bytes], Callable[[], int]]]:
    """A file's bytes, unpacked if it is gzip, and how many bytes of it are read.

    Raises:
        InputError: the gzip is cut short or damaged.
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
                next_command=f"get the file again, then: python -m transforms import {kind.name} {path}",
            ) from error


def lines(path: Path, kind: Format) -> Iterator[tuple[bytes, int]]:
    """Each line without its end, and the bytes read so far."""
    with opened(path, kind) as (handle, position):
        for number, line in enumerate(handle):
            yield line.rstrip(b"\r\n"), position() if number % 1_000 == 0 else 0


def decoded(line: bytes, rows: Rows) -> str | None:
    """The line as text; one that is not UTF-8 is refused."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        rows.refuse("not UTF-8", line.decode("latin-1"))
        return None
