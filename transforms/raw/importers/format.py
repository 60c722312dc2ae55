"""The definition of an importer, and the reading of lines that importers share."""

import inspect
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import IO, Any

import polars as pl

from feature_repo.clock import LAST
from feature_repo.errors import InputError
from feature_repo.home import Home
from transforms.raw.files.members import Member, PassedOver, check_place, members, single
from transforms.raw.files.rows import BATCH_ROWS
from transforms.raw.files.text import LONGEST_LINE, SHOWN
from transforms.raw.ingest import Batch
from transforms.raw.known_sources import content_of
from transforms.raw.table import MICROSECONDS_UTC
from transforms.raw.typed import typed
from transforms.raw.validate import QUARANTINE

__all__ = ["BATCH_ROWS", "EPOCH_SECONDS", "USER", "Format", "Rows", "decoded", "from_seconds", "lines", "opened"]

_NAMES = 5
LAST_SECOND = int(LAST.replace(microsecond=0).timestamp())
"""The last second of the year 9999, since 1970."""

USER = {"user": "id of the listener whose export it is; by default what the export says"}
"""The option of formats that are the export of one listener; its value is the listener's id as it is."""


@dataclass(frozen=True)
class Format:
    """One importer.

    Attributes:
        name: name of the format on the command line.
        expects: description of a valid ``path``, for help and errors.
        read: function that yields the content of ``path`` in batches, and a ``PassedOver`` for each file of it that
            it does not read.
        resumes: whether ``read`` skips what the data folder stores, so that it may yield nothing.
        repeats: whether the same bytes always give the same rows; false where times of files, or the clock, count.
        options: what else ``read`` takes, as keywords, and the command as options: name and help of each. One whose
            default is a boolean takes no value.
    """

    name: str
    expects: str
    read: Callable[..., Iterator[Batch | PassedOver]]
    resumes: bool = False
    repeats: bool = True
    options: Mapping[str, str] = field(default_factory=dict)

    def is_flag(self, option: str) -> bool:
        """Whether an option takes no value."""
        return isinstance(inspect.signature(self.read).parameters[option].default, bool)

    def batches(self, path: Path, home: Home, **options: Any) -> Iterator[Batch | PassedOver]:
        """Yield the content of ``path`` in batches; a reader with a parameter ``home`` gets the data folder.

        Args:
            path: what to read.
            home: the data folder.
            options: values of ``self.options``; those that are left out have the defaults of ``read``.

        Raises:
            InputError: no row could be read; the message counts and names the files that were passed over. Or the
                format takes no such option.
        """
        if unknown := sorted(options.keys() - self.options.keys()):
            names = ", ".join(f"--{name}" for name in self.options) or "no options"
            raise InputError(
                expected=f"options of the format {self.name}: {names}",
                found=f"--{unknown[0]}",
                next_command=f"refrain import {self.name} {path}",
            )
        passed_over: list[PassedOver] = []
        rows, reasons = 0, Counter[str]()
        folder: dict[str, Any] = {"home": home} if "home" in inspect.signature(self.read).parameters else {}
        for item in self.read(path, **folder, **options):
            if isinstance(item, PassedOver):
                passed_over.append(item)
            else:
                rows += item.rows.height + sum(item.left_out.values())
                reasons.update(item.malformed["reason"])
            yield item
        if not rows and not self.resumes:
            raise self.mismatch(_nothing(path, reasons, passed_over))

    def each_member(
        self,
        path: Path,
        read_member: Callable[[Member], Iterator[Batch]],
        why_not: Callable[[Member], str] = lambda member: "",
        order: Callable[[Member], Any] | None = None,
        listed: Iterable[Member] | None = None,
    ) -> Iterator[Batch | PassedOver]:
        """Yield the batches of every member of ``path``, with the progress in all of it.

        A member that is damaged is passed over, after its rows before that point, so that it does not stop the others;
        one that stands alone raises its error.

        Args:
            path: file, folder or archive.
            read_member: function that yields the batches of a member; their ``done`` is out of its size.
            why_not: function that returns why a member is not read ("a playlist, not a history"); empty if it is.
            order: key by which members are sorted; by default they are read in the order of their names.
            listed: the members, if the importer has listed them already.

        Raises:
            InputError: the path does not exist, or its only member is damaged.
        """
        files = list(members(self.check(path)) if listed is None else listed)
        if order is not None:
            files.sort(key=order)
        total, before = sum(member.size for member in files), 0
        for member in files:
            if why := member.damage or why_not(member):
                yield PassedOver(member.name, why)
            else:
                try:
                    for batch in read_member(member):
                        yield replace(batch, done=before + batch.done, total=total)
                except InputError as error:
                    if len(files) == 1:
                        raise
                    yield PassedOver(member.name, error.found)
            before += member.size

    def content(self, path: Path, *options: str) -> str | None:
        """Digest of the source and of the code that reads it; None where a second import may yield other rows."""
        module = sys.modules.get(getattr(self.read, "__module__", ""))
        if self.resumes or not self.repeats or module is None or not path.exists():
            return None
        return content_of(path, self.name, inspect.getsource(module), *options)

    def check(self, path: Path) -> Path:
        """Return the path if it is a file or a folder.

        Raises:
            InputError: the path does not exist, or is a pipe.
        """
        if not path.exists():
            raise self.mismatch(f"nothing at {path}")
        check_place(path)
        return path

    def mismatch(self, found: str) -> InputError:
        """The error for a path that is not of this format."""
        return InputError(
            expected=self.expects,
            found=found,
            next_command=f"refrain import {self.name} PATH  (--help lists the formats)",
        )


def _nothing(path: Path, reasons: Counter[str], passed_over: list[PassedOver]) -> str:
    """Describes a path that holds nothing of what was to be read."""
    malformed = reasons.total()
    if not malformed and not passed_over and path.is_dir():
        return f"no file in {path}"
    if len(passed_over) == 1 and not malformed:
        name = "" if passed_over[0].name == path.name else f"{passed_over[0].name}: "
        return f"{path}: {name}{passed_over[0].why}"
    mostly = f", most of them for this: {reasons.most_common(1)[0][0]}" if malformed else ""
    refused = f"; {malformed:,} malformed rows are in quarantine{mostly}" if malformed else ""
    named = ", ".join(f"{item.name} ({item.why})" for item in passed_over[:_NAMES])
    more = ", …" if len(passed_over) > _NAMES else ""
    skipped = f"; {len(passed_over):,} files passed over: {named}{more}" if passed_over else ""
    return f"no row that could be read in {path}{refused}{skipped}"


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
        self.malformed.append((reason, row[:SHOWN]))

    def flush(self, done: float, total: float) -> Batch:
        """Return the buffered rows as a batch, and empty the buffer; rows with values that do not fit are malformed."""
        frame, refusals = typed(self.rows, self.columns)
        for why, row in refusals:
            self.refuse(why, row)
        malformed = pl.DataFrame(self.malformed, schema=QUARANTINE, orient="row")
        self.rows, self.malformed = [], []
        return Batch(self.table, frame, malformed, done, total)


EPOCH_SECONDS = pl.Int64()
"""Type of a column of times in whole seconds since 1970; see ``from_seconds``."""


def from_seconds(batch: Batch, *columns: str) -> Batch:
    """Convert columns of seconds since 1970 UTC to timestamps; rows with a time after the year 9999 are malformed."""
    late = {name: pl.col(name).abs().fill_null(0) > LAST_SECOND for name in columns}
    reasons = [pl.when(is_late).then(pl.lit(f"{name} is after the year 9999")) for name, is_late in late.items()]
    refused = batch.rows.filter(pl.any_horizontal(late.values())).select(
        reason=pl.concat_str(reasons, separator="; ", ignore_nulls=True), row=pl.struct(pl.all()).struct.json_encode()
    )
    rows = batch.rows.filter(~pl.any_horizontal(late.values()))
    times = [(pl.col(name) * 1_000_000).cast(MICROSECONDS_UTC) for name in columns]
    return replace(batch, rows=rows.with_columns(times), malformed=pl.concat([batch.malformed, refused]))


@contextmanager
def opened(path: Path, kind: Format) -> Iterator[tuple[IO[bytes], Callable[[], int]]]:
    """Open a file; yields its bytes, unpacked if it is packed, and a function that returns the file bytes read so far.

    Raises:
        InputError: the packed file is truncated or damaged.
    """
    kind.check(path)
    with single(path).open() as handle:
        yield handle, handle.position


def lines(path: Path, kind: Format) -> Iterator[tuple[bytes, int]]:
    """Yield each line without its end, and the bytes read so far (every 1,000 lines; 0 otherwise)."""
    with opened(path, kind) as (handle, position):
        for number, line in enumerate(iter(partial(handle.readline, LONGEST_LINE), b"")):
            yield line.rstrip(b"\r\n"), position() if number % 1_000 == 0 else 0


def decoded(line: bytes, rows: Rows) -> str | None:
    """Decode a line; one that is not UTF-8 is recorded as malformed, and None is returned."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        rows.refuse("not UTF-8", line.decode("latin-1"))
        return None
