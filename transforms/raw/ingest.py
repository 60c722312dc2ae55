"""The only writer of raw tables: validate, quarantine, store each event once."""

import fcntl
import hashlib
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl

from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from feature_repo.home import Home
from transforms import parquet
from transforms.pure.text.pii import mask
from transforms.raw import TABLES
from transforms.raw.left_out import LeftOut, once, same_as_before
from transforms.raw.read import REMEDY, scan_files
from transforms.raw.table import RawTable
from transforms.raw.validate import QUARANTINE, validate

KEEP_SECONDS = 30.0
"""After which what a slow source told is stored."""


@dataclass(frozen=True)
class Batch:
    """Some rows of one table, as an importer read them.

    Attributes:
        table: name of the raw table.
        rows: its columns, or those that the source knows; more columns are ignored.
        malformed: what could not be read as a row at all, as ``QUARANTINE``.
        done: how far the source is read, of ``total`` (both in bytes, days or whatever it counts).
        total: the whole of the source.
    """

    table: str
    rows: pl.DataFrame
    malformed: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=QUARANTINE))
    done: float = 0
    total: float = 0


@dataclass
class TableReport:
    """What became of the rows of one table.

    Attributes:
        read: rows of the source, those that could not be read as rows included.
        added: rows that the table has more than before.
        duplicates: rows that say what another row of the same import says.
        quarantined: rows that were refused, for ``reasons``.
    """

    read: int = 0
    added: int = 0
    duplicates: int = 0
    quarantined: int = 0
    days_touched: int = 0
    reasons: dict[str, int] = field(default_factory=dict)

    @property
    def known(self) -> int:
        """Rows that say nothing that was not stored before this import, but for corrections of it."""
        return max(self.read - self.quarantined - self.duplicates - self.added, 0)


@dataclass
class Report:
    """What one import did."""

    source: str
    seconds: float = 0.0
    tables: dict[str, TableReport] = field(default_factory=dict)


def ingest(
    home: Home, source: str, batches: Iterable[Batch], *, progress: Progress = silent, slow: bool = False
) -> Report:
    """Store the rows of a source in the raw tables.

    Memory holds one batch, then one day of one table. A run that is killed and repeated ends in the same tables; so
    does importing again. A source that breaks off in the middle is stored as far as it could be read.

    Args:
        home: the data folder.
        source: name of the source, kept with quarantined rows.
        batches: what the importer reads.
        progress: told after each batch.
        slow: store what was read every ``KEEP_SECONDS``, and not at the end alone, so that little is lost by a source
            that takes hours and goes on where it was.

    Raises:
        InputError: the source broke off; what came before it is stored.
    """
    started = time.perf_counter()
    report = Report(source)
    raw = home.ensure().root / "raw"
    raw.mkdir(exist_ok=True)
    failure: InputError | None = None
    kept_at = time.monotonic()
    with _lock(raw), _staging(raw) as staging:
        try:
            for number, batch in enumerate(batches):
                _stage(home, source, batch, staging, number, report)
                if slow and time.monotonic() - kept_at >= KEEP_SECONDS:
                    _commit_all(home, staging, report)
                    kept_at = time.monotonic()
                progress(batch.done, batch.total, f"{sum(item.read for item in report.tables.values()):,} rows")
        except InputError as error:
            failure = error
        _commit_all(home, staging, report)
    report.seconds = time.perf_counter() - started
    if failure:
        kept = sum(item.read - item.quarantined for item in report.tables.values())
        raise InputError(
            expected=failure.expected,
            found=f"{failure.found}; {kept:,} rows that could be read are stored" if kept else failure.found,
            next_command=failure.next_command,
        ) from failure
    return report


def _stage(home: Home, source: str, batch: Batch, staging: Path, number: int, report: Report) -> None:
    table = TABLES[batch.table]
    counts = report.tables.setdefault(table.name, TableReport())
    accepted, refused = validate(table, batch.rows)
    malformed = batch.malformed
    if table.prepare:  # lines that are no rows may hold what is private, too
        malformed = malformed.with_columns(pl.Series("row", [mask(row).text for row in malformed["row"]], pl.String))
    refused = pl.concat([malformed, refused])
    counts.read += batch.rows.height + batch.malformed.height
    counts.quarantined += refused.height
    for why, count in refused.group_by("reason").len().sort("reason").iter_rows():
        counts.reasons[why] = counts.reasons.get(why, 0) + count
    if refused.height:
        _quarantine(home, table, source, refused)
    if table.changes_slowly:
        parts = {"all": accepted} if accepted.height else {}
    else:
        by_day = accepted.with_columns(_date=pl.col("event_timestamp").dt.date().cast(pl.String))
        parts = {
            str(key[0]): part for key, part in by_day.partition_by("_date", as_dict=True, include_key=False).items()
        }
    for part, rows in parts.items():
        folder = staging / table.name / part
        folder.mkdir(parents=True, exist_ok=True)
        rows.write_ipc(folder / f"{number:06}.arrow")


def _quarantine(home: Home, table: RawTable, source: str, refused: pl.DataFrame) -> None:
    """One file per distinct set of rows, so that a second import of the same source adds none."""
    content = "\n".join(f"{why}\t{row}" for why, row in refused.iter_rows())
    name = hashlib.sha256(f"{source}\n{content}".encode()).hexdigest()[:16]
    rows = refused.with_columns(source=pl.lit(source), table=pl.lit(table.name))
    parquet.write_whole(rows, home.quarantine(table.name) / f"{name}.parquet")


def _commit_all(home: Home, staging: Path, report: Report) -> None:
    for name, counts in report.tables.items():
        _commit(TABLES[name], staging / name, home.raw(name), counts)
        shutil.rmtree(staging / name, ignore_errors=True)


def _commit(table: RawTable, staged: Path, target: Path, counts: TableReport) -> None:
    for part in sorted(staged.iterdir()) if staged.is_dir() else ():
        folder = target if table.changes_slowly else target / f"date={part.name}"
        path = folder / parquet.PART
        new = pl.concat([pl.scan_ipc(piece, glob=False).collect() for piece in sorted(part.iterdir())], how="diagonal")
        counts.duplicates += new.height - _distinct(table, new)
        before = _stored(table, path) if path.is_file() else None
        left_out = LeftOut(table, folder)
        # what was stored before a column was there has it as null
        together = new if before is None else pl.concat([before, new], how="diagonal")
        others = left_out.read_of(together, None if before is None else _earliest(new))
        after, rest = divide(table, pl.concat([together, others], how="diagonal").select(list(table.columns)))
        left_out.add(rest)
        known = 0 if before is None else before.height
        if before is None or not after.equals(before):
            parquet.write_whole(after, path)
            counts.added += after.height - known
            counts.days_touched += 1


def _earliest(rows: pl.DataFrame) -> datetime:
    return rows.select(pl.col("event_timestamp").min()).item()


def _stored(table: RawTable, path: Path) -> pl.DataFrame:
    try:
        return scan_files(table, [path]).collect()
    except parquet.UNREADABLE as error:
        raise parquet.damaged(path, error, REMEDY) from error


def merge(table: RawTable, rows: pl.DataFrame) -> pl.DataFrame:
    """Each event, or each change, once, in an order of its own; see ``divide``."""
    return divide(table, rows)[0]


def divide(table: RawTable, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows that stand, and those that are left out: a function of the set of rows, however they came together.

    Of an event the words of its newest telling stand, with the time at which they were first told since other words
    were. Of a thing that changes slowly, a row is left out if the rows before it say the same and one of them was
    known no later.

    Args:
        table: of which they are.
        rows: all that was ever told of their events; of things that change slowly, all since the first new row, and
            what stood before it.

    Returns:
        Both in an order of their own, none twice.
    """
    return _states(table, rows) if table.changes_slowly else _events(table, rows)


def _events(table: RawTable, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    moment = "event_timestamp"
    has_moment = moment in table.key
    key = [moment, *(name for name in table.key if name != moment)] if has_moment else list(table.key)
    order = [*key, "created_timestamp", *table.payload, *([] if has_moment else [moment])]
    tellings = rows.select(list(table.columns)).sort(order, nulls_last=True)
    rest = tellings.clear()
    if tellings.select(same_as_before(key).any()).item():
        tellings = once(tellings)
        versions = tellings.with_row_index("_row").filter(~same_as_before([*key, *table.payload]))
        newest = versions.unique(key, keep="last", maintain_order=True)["_row"]
        tellings, rest = _parted(tellings, newest)
    return (tellings if has_moment else tellings.sort([moment, *key], nulls_last=True)), rest


def _states(table: RawTable, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    key, created = list(table.key), pl.col("created_timestamp")
    times = ["event_timestamp", "created_timestamp"]
    tellings = once(rows.select(list(table.columns)).sort([*key, *times, *table.payload], nulls_last=True))
    is_last = ~same_as_before([*key, *times]).shift(-1, fill_value=False)  # of those with the same times
    states = tellings.with_row_index("_row").filter(is_last)
    states = states.with_columns(_is_new=~same_as_before([*key, *table.payload]))
    states = states.with_columns(_run=pl.col("_is_new").cum_sum(), _is_earlier=created < created.shift())
    if states.select((pl.col("_is_earlier") & ~pl.col("_is_new")).any()).item():
        states = states.with_columns(_is_earlier=created < created.cum_min().shift().over("_run"))
        states = states.with_columns(_is_new=pl.col("_is_new") | pl.col("_is_earlier").fill_null(False))
    return _parted(tellings, states.filter("_is_new")["_row"])


def _parted(rows: pl.DataFrame, standing: pl.Series) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows with some numbers, and the others."""
    mask = np.zeros(rows.height, bool)
    mask[standing.to_numpy()] = True
    return rows.filter(pl.Series(mask)), rows.filter(pl.Series(~mask))


def _distinct(table: RawTable, rows: pl.DataFrame) -> int:
    """How many rows are left when the others of the same import are known."""
    return merge(table, rows).height if table.changes_slowly else rows.n_unique(list(table.key))


@contextmanager
def _lock(raw: Path) -> Iterator[None]:
    with (raw / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        parquet.sweep(raw)
        yield


@contextmanager
def _staging(raw: Path) -> Iterator[Path]:
    folder = raw / ".staging"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
