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

from feature_repo import clock
from feature_repo.command_line import Progress, silent
from feature_repo.contract import contract_of
from feature_repo.errors import InputError
from feature_repo.home import Home
from transforms import parquet
from transforms.pure.text.pii import mask
from transforms.raw.declared import raw_tables
from transforms.raw.left_out import LeftOut, once, same_as_before
from transforms.raw.read import REMEDY, scan_files
from transforms.raw.table import RawTable
from transforms.raw.validate import QUARANTINE, validate

KEEP_SECONDS = 30.0
"""Interval in seconds at which the rows of a slow source are stored."""


@dataclass(frozen=True)
class Batch:
    """Rows of one table, as an importer read them.

    Attributes:
        table: name of the raw table.
        rows: rows with those columns of the table that the source has; further columns are ignored.
        malformed: lines that could not be read as a row, with the columns of ``QUARANTINE``.
        done: amount of the source that is read, out of ``total`` (in bytes, days or another unit).
        total: size of the source in the same unit.
    """

    table: str
    rows: pl.DataFrame
    malformed: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=QUARANTINE))
    done: float = 0
    total: float = 0


@dataclass
class TableReport:
    """Counts of the rows of one table in an import.

    Attributes:
        read: rows of the source, malformed lines included.
        added: growth of the table in rows.
        duplicates: rows that repeat another row of the same import.
        corrected: rows that changed the values of a stored row; only counted where ``corrects`` is set.
        conflicts: duplicates with other values than the row that they repeat; likewise.
        quarantined: rows that were refused.
        days_touched: files of the table that were written.
        reasons: reason of refusal → number of rows.
    """

    read: int = 0
    added: int = 0
    duplicates: int = 0
    corrected: int = 0
    conflicts: int = 0
    quarantined: int = 0
    days_touched: int = 0
    reasons: dict[str, int] = field(default_factory=dict)

    @property
    def known(self) -> int:
        """Rows that added none to the table: they were stored before this import, or correct a stored row."""
        return max(self.read - self.quarantined - self.duplicates - self.added - self.corrected, 0)


@dataclass
class Report:
    """The result of one import.

    Attributes:
        source: name of the source.
        seconds: wall time of the import.
        tables: table → counts of its rows.
    """

    source: str
    seconds: float = 0.0
    tables: dict[str, TableReport] = field(default_factory=dict)


def ingest(
    home: Home,
    source: str,
    batches: Iterable[Batch],
    *,
    progress: Progress = silent,
    slow: bool = False,
    corrects: bool = False,
) -> Report:
    """Store the rows of a source in the raw tables.

    Memory holds one batch, then one day of one table. A run that is killed and repeated, or repeated after success,
    gives the same tables. A source that breaks off in the middle is stored as far as it could be read.

    Args:
        home: the data folder.
        source: name of the source, kept with quarantined rows.
        batches: batches from the importer.
        progress: callback after each batch.
        slow: whether to store rows every ``KEEP_SECONDS`` and not only at the end, so that little is lost when a
            resumable import of hours is stopped.
        corrects: whether a row without a created time of its own corrects a stored row with other values, as of now.
            A missing value of such a row is not reported, and corrects nothing.

    Raises:
        InputError: the source broke off; the rows before that point are stored.
    """
    started = time.perf_counter()
    report = Report(source)
    raw = home.ensure().root / "raw"
    raw.mkdir(exist_ok=True)
    failure: InputError | None = None
    stored_at_s = time.monotonic()
    with _lock(raw), _staging(raw) as staging:
        try:
            for number, batch in enumerate(batches):
                _stage(home, source, batch, staging, number, report)
                if slow and time.monotonic() - stored_at_s >= KEEP_SECONDS:
                    _commit_all(home, staging, report, corrects)
                    stored_at_s = time.monotonic()
                progress(batch.done, batch.total, f"{sum(item.read for item in report.tables.values()):,} rows")
        except InputError as error:
            failure = error
        _commit_all(home, staging, report, corrects)
    report.seconds = time.perf_counter() - started
    if failure:
        stored_rows = sum(item.read - item.quarantined for item in report.tables.values())
        raise InputError(
            expected=failure.expected,
            found=f"{failure.found}; {stored_rows:,} rows that could be read are stored"
            if stored_rows
            else failure.found,
            next_command=failure.next_command,
        ) from failure
    return report


def _table(home: Home, name: str) -> RawTable:
    tables = raw_tables(home)
    if name not in tables:
        contract = contract_of(home)
        raise InputError(
            expected=f"a project that has the raw table {name}, such as one with the definitions of music",
            found=f"the project {contract.project.name}, which has {', '.join(sorted(tables)) or 'none'}",
            next_command=f'{contract.import_command()}  (or: extends = ["music"] in {contract.project.file})',
        )
    return tables[name]


def _stage(home: Home, source: str, batch: Batch, staging: Path, number: int, report: Report) -> None:
    table = _table(home, batch.table)
    counts = report.tables.setdefault(table.name, TableReport())
    accepted, refused = validate(table, batch.rows)
    malformed = batch.malformed
    if table.prepare:  # malformed lines may hold private data, too
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
    """Write refused rows; one file per distinct set of rows, so that importing a source again adds no file."""
    content = "\n".join(f"{why}\t{row}" for why, row in refused.iter_rows())
    name = hashlib.sha256(f"{source}\n{content}".encode()).hexdigest()[:16]
    rows = refused.with_columns(source=pl.lit(source), table=pl.lit(table.name))
    parquet.write_whole(rows, home.quarantine(table.name) / f"{name}.parquet")


def _commit_all(home: Home, staging: Path, report: Report, corrects: bool) -> None:
    for name, counts in report.tables.items():
        _commit(raw_tables(home)[name], staging / name, home.raw(name), counts, corrects)
        shutil.rmtree(staging / name, ignore_errors=True)


def _commit(table: RawTable, staged: Path, target: Path, counts: TableReport, corrects: bool) -> None:
    for part in sorted(staged.iterdir()) if staged.is_dir() else ():
        folder = target if table.changes_slowly else target / f"date={part.name}"
        path = folder / parquet.PART
        additions = pl.concat(
            [pl.scan_ipc(piece, glob=False).collect() for piece in sorted(part.iterdir())], how="diagonal"
        )
        counts.duplicates += additions.height - _distinct(table, additions)
        stored = _stored(table, path) if path.is_file() else None
        if corrects:
            counts.conflicts += additions.unique([*table.key, *table.payload]).height - _distinct(table, additions)
        if corrects and stored is not None:
            additions, corrected = _as_corrections(table, additions, stored)
            counts.corrected += corrected
        left_out = LeftOut(table, folder)
        # rows that were stored before a column existed have it as null
        combined = additions if stored is None else pl.concat([stored, additions], how="diagonal")
        redundant = left_out.read_matching(combined, None if stored is None else _earliest(additions))
        merged, left_over = divide(table, pl.concat([combined, redundant], how="diagonal").select(list(table.columns)))
        left_out.add(left_over)
        stored_count = 0 if stored is None else stored.height
        if stored is None or not merged.equals(stored):
            parquet.write_whole(merged, path)
            counts.added += merged.height - stored_count
            counts.days_touched += 1


def _as_corrections(table: RawTable, additions: pl.DataFrame, stored: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Completes additions by the stored values of their keys; those that differ become known now.

    Returns:
        The additions, and how many of them differ from a stored row.
    """
    key, payload, created = list(table.key), table.payload, pl.col("created_timestamp")
    before = stored.select(*key, *(pl.col(name).alias(f"{name}.before") for name in payload), _is_stored=pl.lit(True))
    joined = additions.join(before, on=key, how="left", maintain_order="left")
    unreported = created == pl.col("event_timestamp")
    joined = joined.with_columns(
        pl.when(unreported).then(pl.coalesce(name, f"{name}.before")).otherwise(pl.col(name)).alias(name)
        for name in payload
    )
    differs = pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}.before")) for name in payload)
    differs = differs if payload else pl.lit(False)
    is_correction = pl.col("_is_stored").fill_null(False) & unreported & differs
    now = pl.lit(clock.now()).cast(pl.Datetime("us", "UTC"))
    corrected = joined.with_columns(
        pl.when(is_correction).then(pl.max_horizontal(now, created)).otherwise(created).alias("created_timestamp"),
        _is_correction=is_correction,
    )
    return corrected.select(additions.columns), int(corrected["_is_correction"].sum())


def _earliest(rows: pl.DataFrame) -> datetime:
    return rows.select(pl.col("event_timestamp").min()).item()


def _stored(table: RawTable, path: Path) -> pl.DataFrame:
    try:
        return scan_files(table, [path]).collect()
    except parquet.UNREADABLE as error:
        raise parquet.damaged(path, error, REMEDY) from error


def merge(table: RawTable, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows to store: each event, or each change, once, sorted; see ``divide``."""
    return divide(table, rows)[0]


def divide(table: RawTable, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Divide rows into those to store and redundant ones; depends only on the set of rows, not on their order.

    Of an event, the values of its newest version are stored, with the created time at which they were first reported
    after other values. In a table that changes slowly, a row is redundant if the rows before it have the same values
    and one of them has a created time that is not later.

    Args:
        table: the raw table of the rows.
        rows: all reported versions of their events; for a table that changes slowly, all rows since the first new
            one, and the stored rows before it.

    Returns:
        The rows to store and the redundant rows, each sorted and without repetitions.
    """
    return _states(table, rows) if table.changes_slowly else _events(table, rows)


def _events(table: RawTable, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    moment = "event_timestamp"
    has_moment = moment in table.key
    key = [moment, *(name for name in table.key if name != moment)] if has_moment else list(table.key)
    order = [*key, "created_timestamp", *table.payload, *([] if has_moment else [moment])]
    reported = rows.select(list(table.columns)).sort(order, nulls_last=True)
    redundant = reported.clear()
    if reported.select(same_as_before(key).any()).item():
        reported = once(reported)
        versions = reported.with_row_index("_row").filter(~same_as_before([*key, *table.payload]))
        newest = versions.unique(key, keep="last", maintain_order=True)["_row"]
        reported, redundant = _split(reported, newest)
    return (reported if has_moment else reported.sort([moment, *key], nulls_last=True)), redundant


def _states(table: RawTable, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    key, created = list(table.key), pl.col("created_timestamp")
    times = ["event_timestamp", "created_timestamp"]
    reported = once(rows.select(list(table.columns)).sort([*key, *times, *table.payload], nulls_last=True))
    is_last = ~same_as_before([*key, *times]).shift(-1, fill_value=False)  # among rows with the same times
    states = reported.with_row_index("_row").filter(is_last)
    states = states.with_columns(_is_new=~same_as_before([*key, *table.payload]))
    states = states.with_columns(_run=pl.col("_is_new").cum_sum(), _is_earlier=created < created.shift())
    if states.select((pl.col("_is_earlier") & ~pl.col("_is_new")).any()).item():
        states = states.with_columns(_is_earlier=created < created.cum_min().shift().over("_run"))
        states = states.with_columns(_is_new=pl.col("_is_new") | pl.col("_is_earlier").fill_null(False))
    return _split(reported, states.filter("_is_new")["_row"])


def _split(rows: pl.DataFrame, row_numbers: pl.Series) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split rows into those with the given row numbers and the others."""
    mask = np.zeros(rows.height, bool)
    mask[row_numbers.to_numpy()] = True
    return rows.filter(pl.Series(mask)), rows.filter(pl.Series(~mask))


def _distinct(table: RawTable, rows: pl.DataFrame) -> int:
    """The number of rows without repetitions within one import."""
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
