"""Merges the staged rows of one table into its files: many days of events at once, or a table that changes slowly."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from feature_repo import clock
from feature_repo.days import days_in
from transforms import parquet
from transforms.raw import left_out
from transforms.raw.by_day import DAY, by_day, equal_days, spans
from transforms.raw.divide import divide, key_of
from transforms.raw.implausible import PlausibilityCheck
from transforms.raw.left_out import LeftOut
from transforms.raw.read import REMEDY, read_days, scan_files
from transforms.raw.reconcile import ABSENT, days_beside, near_midnight, reconcile
from transforms.raw.report import TableReport
from transforms.raw.staging import Staging
from transforms.raw.table import RawTable

GROUP_ROWS = 200_000
"""Staged rows of the days that are merged at once; a day is never divided."""

GROUP_BYTES = 16 << 20
"""Bytes of the stored files of these days."""

Folders = Mapping[date, str | Path]
"""Day → its folder."""


def commit(
    table: RawTable,
    staging: Staging,
    target: Path,
    counts: TableReport,
    *,
    corrects: bool,
    check: PlausibilityCheck | None = None,
) -> set[Path]:
    """Store the staged rows of a table; a run that is killed and repeated ends in the same files.

    Args:
        table: the raw table.
        staging: rows of this and other tables.
        target: folder of the table.
        counts: counts of the import, to which those of this table are added.
        corrects: whether rows without a created time correct stored rows; see ``ingest``.
        check: judges new events; None if all are plausible.

    Returns:
        The folders that hold the rows: of days, or of the table if it changes slowly.
    """
    if table.changes_slowly:
        rows = staging.all(table)
        if rows.is_empty():
            return set()
        _commit_states(table, rows, target, counts, corrects)
        return {target}
    existing = {date.fromisoformat(day): path for day, path in days_in(target).items()}
    rows_by_day = staging.days(table)
    folders = {day: Path(existing.get(day) or f"{target}/date={day}") for day in rows_by_day}
    all_folders: Folders = {**existing, **folders}
    for days in _grouped(rows_by_day, existing):
        additions = staging.between(table, days[0], days[-1])
        day_folders = {day: folders[day] for day in days}
        new_days = set(days) - existing.keys()
        _commit_days(table, additions, day_folders, all_folders, new_days, counts, corrects, check)
    return set(folders.values())


def _grouped(rows_by_day: dict[date, int], folders: dict[date, str]) -> Iterator[list[date]]:
    """Yield consecutive days whose staged and stored rows fit into memory."""
    group: list[date] = []
    rows = size = 0
    for day, day_rows in rows_by_day.items():
        day_size = _size(f"{folders[day]}/{parquet.PART}") if day in folders else 0
        if group and (rows + day_rows > GROUP_ROWS or size + day_size > GROUP_BYTES):
            yield group
            group, rows, size = [], 0, 0
        group.append(day)
        rows, size = rows + day_rows, size + day_size
    if group:
        yield group


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116 - a Path for each of thousands of files takes longer than the call
    except FileNotFoundError:
        return 0


def _commit_days(
    table: RawTable,
    additions: pl.DataFrame,
    folders: dict[date, Path],
    all_folders: Folders,
    new_days: set[date],
    counts: TableReport,
    corrects: bool,
    check: PlausibilityCheck | None,
) -> None:
    folders = folders | _folders_beside(table, additions, folders, all_folders)
    stored, redundant = _read(table, {day: folder for day, folder in folders.items() if day not in new_days})
    if corrects:
        additions = _as_corrections(table, additions, stored, counts)
    merged = _merge_days(table, additions, stored, redundant)
    while more := {day: Path(all_folders[day]) for day in merged.beyond & all_folders.keys() - folders.keys()}:
        folders |= more
        stored, redundant = (
            pl.concat(pair).sort(DAY, maintain_order=True)
            for pair in zip((stored, redundant), _read(table, more), strict=True)
        )
        merged = _merge_days(table, additions, stored, redundant)
    counts.duplicates += merged.duplicates
    for day, left_over in by_day(merged.left_over.sort(DAY, maintain_order=True)):
        LeftOut(table, folders[day]).add(left_over)
    is_changed = ~pl.col(DAY).is_in(list(merged.unchanged))
    rows = merged.rows.filter(is_changed)
    if check is not None and rows.height:
        rows, unchanged = _plausible(table, rows, stored.filter(is_changed), check)
        is_changed &= ~pl.col(DAY).is_in(list(unchanged))
    changed = spans(rows)
    heights = {folders[day] / parquet.PART: height for day, (_, height) in changed.items()}
    parquet.write_slices(rows.drop(DAY), heights)
    before = stored.filter(is_changed)
    emptied = {*before[DAY].unique()} - changed.keys()
    for day in emptied:
        (folders[day] / parquet.PART).unlink()
    counts.added += rows.height - before.height
    counts.days_touched += len(changed) + len(emptied)


def _plausible(
    table: RawTable, rows: pl.DataFrame, stored: pl.DataFrame, check: PlausibilityCheck
) -> tuple[pl.DataFrame, set[date]]:
    """The rows to store without refused ones, of the days that they change; and the days that they do not."""
    keys = stored.select(table.key).unique().with_columns(_is_new=False)
    is_new = (
        rows.select(table.key).join(keys, on=table.key, how="left", maintain_order="left")["_is_new"].fill_null(True)
    )
    is_refused = check.refused(rows, is_new)
    if not is_refused.any():
        return rows, set()
    rows = rows.filter(~is_refused)
    unchanged = equal_days(rows, stored)
    return rows.filter(~pl.col(DAY).is_in(list(unchanged))), unchanged


@dataclass(frozen=True)
class _MergedDays:
    """Rows of days, sorted by day: those to store, and those to leave out.

    Attributes:
        rows: the rows to store.
        left_over: the redundant rows.
        unchanged: days whose rows to store are those that are stored.
        beyond: further days that may have to do with these rows.
        duplicates: rows that repeat another new row.
    """

    rows: pl.DataFrame
    left_over: pl.DataFrame
    unchanged: set[date]
    beyond: set[date]
    duplicates: int


def _merge_days(table: RawTable, additions: pl.DataFrame, stored: pl.DataFrame, redundant: pl.DataFrame) -> _MergedDays:
    merged, left_over = divide(table, additions)
    duplicates = additions.height - merged.height
    unchanged = equal_days(merged, stored) - {*redundant[DAY].unique(), *left_over[DAY].unique()}
    known_days = {*stored[DAY].unique(), *redundant[DAY].unique()} - unchanged
    beyond: set[date] = set()
    absent = additions.clear()
    if known_days:
        is_known = pl.col(DAY).is_in(list(known_days))
        combined = pl.concat([stored.filter(is_known), additions.filter(is_known)])
        versions, absent = _matching(table, redundant, combined, pl.concat([stored, additions]))
        known, known_left_over = divide(table, pl.concat([combined, versions, absent]))
        merged = pl.concat([merged.filter(~is_known), known]).sort(DAY, maintain_order=True)
        left_over = pl.concat([left_over.filter(~is_known), known_left_over])
    is_final = not known_days
    if table.reconciliation:
        result = reconcile(table, _marked(table, merged, absent), left_over, {*additions[DAY].unique()})
        merged, beyond = result.rows, result.beyond
        left_over = pl.concat([left_over, result.redundant])
        unchanged -= {*result.redundant[DAY].unique()}
        is_final &= result.redundant.is_empty()
    unchanged |= set() if is_final else equal_days(merged, stored)
    return _MergedDays(merged, left_over, unchanged, beyond, duplicates)


def _marked(table: RawTable, rows: pl.DataFrame, absent: pl.DataFrame) -> pl.DataFrame:
    """Adds the column ``ABSENT``: whether the key of a row is among ``absent``."""
    if absent.is_empty():
        return rows.with_columns(pl.lit(False).alias(ABSENT))
    key = key_of(table, rows)
    keys = absent.select(key).unique().with_columns(pl.lit(True).alias(ABSENT))
    return rows.join(keys, on=key, how="left", maintain_order="left").with_columns(pl.col(ABSENT).fill_null(False))


def _folders_beside(
    table: RawTable, additions: pl.DataFrame, folders: dict[date, Path], all_folders: Folders
) -> dict[date, Path]:
    """The days before and after new rows that may hold reports of the same events from other forms of export."""
    rule = table.reconciliation
    if rule is None:
        return {}
    near = near_midnight(rule, additions)
    days = days_beside(rule, near) & all_folders.keys() - folders.keys()
    beside = {day: Path(all_folders[day]) for day in days}
    files = [*_files(beside, parquet.PART).items(), *_files(beside, left_out.FILE).items()]
    columns = [*rule.same, rule.form]
    met = near.select(columns).unique()
    return {
        day: beside[day]
        for day, path in files
        if read_days(table, {day: path}, columns)
        .join(met, on=rule.same, suffix=".near")
        .filter(pl.col(rule.form) != pl.col(f"{rule.form}.near"))
        .height
    }


def _read(table: RawTable, folders: dict[date, Path]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The stored rows of days, and those that were left out."""
    folders = dict(sorted(folders.items()))
    return read_days(table, _files(folders, parquet.PART)), read_days(table, _files(folders, left_out.FILE))


def _commit_states(table: RawTable, additions: pl.DataFrame, target: Path, counts: TableReport, corrects: bool) -> None:
    path, left_out_rows = target / parquet.PART, LeftOut(table, target)
    is_new = not path.is_file()
    stored = pl.DataFrame(schema=table.columns) if is_new else _stored(table, path)
    distinct, _ = divide(table, additions)
    counts.duplicates += additions.height - distinct.height
    if corrects:
        additions = _as_corrections(table, additions, stored, counts)
    combined = pl.concat([stored, additions])
    since = None if is_new else additions.select(pl.col("event_timestamp").min()).item()
    merged, left_over = divide(table, pl.concat([combined, left_out_rows.read_matching(combined, since)]))
    left_out_rows.add(left_over)
    if is_new or not merged.equals(stored):
        parquet.write_whole(merged, path)
        counts.added += merged.height - stored.height
        counts.days_touched += 1


def _as_corrections(
    table: RawTable, additions: pl.DataFrame, stored: pl.DataFrame, counts: TableReport
) -> pl.DataFrame:
    """Completes additions by the stored values of their keys; those that differ become known now."""
    key, payload, created = key_of(table, additions), table.payload, pl.col("created_timestamp")
    distinct = divide(table, additions)[0].height if table.changes_slowly else additions.n_unique(key)
    counts.conflicts += additions.n_unique([*key, *payload]) - distinct
    before = stored.select(*key, *(pl.col(name).alias(f"{name}.before") for name in payload), _is_stored=pl.lit(True))
    joined = additions.join(before, on=key, how="left", maintain_order="left")
    unreported = created == pl.col("event_timestamp")
    joined = joined.with_columns(
        pl.when(unreported).then(pl.coalesce(name, f"{name}.before")).otherwise(pl.col(name)).alias(name)
        for name in payload
    )
    differs = pl.any_horizontal(False, *(pl.col(name).ne_missing(pl.col(f"{name}.before")) for name in payload))
    is_correction = pl.col("_is_stored").fill_null(False) & unreported & differs
    now = pl.lit(clock.now()).cast(pl.Datetime("us", "UTC"))
    corrected = joined.with_columns(
        pl.when(is_correction).then(pl.max_horizontal(now, created)).otherwise(created).alias("created_timestamp"),
        _is_correction=is_correction,
    )
    counts.corrected += int(corrected["_is_correction"].sum())
    return corrected.select(additions.columns)


def _matching(
    table: RawTable, redundant: pl.DataFrame, rows: pl.DataFrame, rows_of_all_days: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The redundant rows with a key among ``rows``, see ``LeftOut.read_matching``; and others that may be their events.

    The latter have another key, perhaps of another day; see ``reconcile``.
    """
    if redundant.is_empty():
        return redundant, redundant
    key = key_of(table, rows)
    keys = rows.select(key)
    versions = redundant.join(keys, on=key, how="semi")
    if table.reconciliation is None:
        return versions, redundant.clear()
    same = list(table.reconciliation.same)
    others = redundant.join(keys, on=key, how="anti")
    return versions, others.join(rows_of_all_days.select(same), on=same, how="semi")


def _files(folders: dict[date, Path], name: str) -> dict[date, Path]:
    """The existing files of a name in the folders of days."""
    return {day: folder / name for day, folder in folders.items() if os.path.isfile(f"{folder}/{name}")}  # noqa: PTH113


def _stored(table: RawTable, path: Path) -> pl.DataFrame:
    try:
        return scan_files(table, [path]).collect()
    except parquet.UNREADABLE as error:
        raise parquet.damaged(path, error, REMEDY) from error
