"""The only writer of raw tables: validate, quarantine, store each event once."""

import fcntl
import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from feature_repo.command_line import Progress, silent
from feature_repo.contract import contract_of
from feature_repo.errors import InputError
from feature_repo.forgotten import Forgotten
from feature_repo.home import Home
from feature_repo.horizon import TOO_OLD, Horizons
from feature_repo.plausibility import MARK, limits_of
from transforms import parquet
from transforms.pure.text.pii import mask
from transforms.raw.aged_rows import without_aged
from transforms.raw.commit import commit
from transforms.raw.contracted import by_contract
from transforms.raw.declared import raw_tables
from transforms.raw.files.members import PassedOver
from transforms.raw.forgotten_rows import without_forgotten
from transforms.raw.implausible import PlausibilityCheck
from transforms.raw.known_sources import KnownSources
from transforms.raw.report import Report, TableReport
from transforms.raw.staging import Staging, staging_in
from transforms.raw.table import RawTable
from transforms.raw.validate import QUARANTINE, as_json, validate

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
        left_out: rows of the source that are not wanted: what they are → how many. They are not stored anywhere.
    """

    table: str
    rows: pl.DataFrame
    malformed: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=QUARANTINE))
    done: float = 0
    total: float = 0
    left_out: Mapping[str, int] = field(default_factory=dict)


def ingest(
    home: Home,
    source: str,
    batches: Iterable[Batch | PassedOver],
    *,
    progress: Progress = silent,
    slow: bool = False,
    corrects: bool = False,
    content: str | None = None,
    judged: bool = False,
) -> Report:
    """Store the rows of a source in the raw tables.

    Memory holds a batch and ``STAGED_ROWS`` rows, then ``GROUP_ROWS`` new and ``GROUP_BYTES`` of stored rows of one
    table, or one day of it where a day has more. A run that is killed and repeated, or repeated after success,
    gives the same tables. A source that breaks off in the middle is stored as far as it could be read.

    Args:
        home: the data folder.
        source: name of the source, kept with quarantined rows.
        batches: batches from the importer, and the files that it passed over.
        progress: callback after each batch.
        slow: whether to store rows every ``KEEP_SECONDS`` and not only at the end, so that little is lost when a
            resumable import of hours is stopped.
        corrects: whether a row without a created time of its own corrects a stored row with other values, as of now.
            A missing value of such a row is not reported, and corrects nothing.
        content: digest of all that decides which rows the batches have (``known_sources.content_of``), if the caller
            knows: a source that was imported before is not read again while its rows are still there.
        judged: whether implausible events were refused before, as those of the stream are; they are not quarantined.

    Raises:
        InputError: the source broke off; the rows before that point are stored.
    """
    started = time.perf_counter()
    report = Report(source)
    raw = home.ensure().root / "raw"
    raw.mkdir(exist_ok=True)
    failure: InputError | None = None
    folders: set[Path] = set()
    stored_at_s = time.monotonic()
    sources = KnownSources(home, dict(raw_tables(home)))
    with _lock(raw):
        forgotten, horizons = Forgotten.of(home), Horizons.of(home)
        if content and (noted := sources.noted(content)) is not None:
            return Report(source, time.perf_counter() - started, *noted)
        parquet.sweep(raw)
        with staging_in(raw / ".staging", home.tenant) as staging:
            try:
                for batch in batches:
                    if isinstance(batch, PassedOver):
                        report.passed_over.append(batch)
                        continue
                    _stage(home, source, batch, staging, report, forgotten, horizons)
                    if slow and time.monotonic() - stored_at_s >= KEEP_SECONDS:
                        folders |= _commit_all(home, staging, report, corrects, judged)
                        stored_at_s = time.monotonic()
                    progress(batch.done, batch.total, f"{sum(item.read for item in report.tables.values()):,} rows")
            except InputError as error:
                failure = error
            folders |= _commit_all(home, staging, report, corrects, judged)
        if content and failure is None:
            folders |= {home.quarantine(name) for name, counts in report.tables.items() if counts.quarantined}
            sources.note(content, report.tables, report.passed_over, folders)
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


def _stage(
    home: Home,
    source: str,
    batch: Batch,
    staging: Staging,
    report: Report,
    forgotten: Forgotten,
    horizons: Horizons,
) -> None:
    table = _table(home, batch.table)
    counts = report.tables.setdefault(table.name, TableReport())
    rows = without_forgotten(table, batch.rows, forgotten)  # so that none is quarantined
    valid, refused = validate(table, rows)
    accepted = without_forgotten(table, valid, forgotten)  # an id in another type has its own only now
    if dropped := batch.rows.height - rows.height + valid.height - accepted.height:
        kind = "of people who are forgotten"
        counts.left_out[kind] = counts.left_out.get(kind, 0) + dropped
    kept = without_aged(table, accepted, horizons)
    if aged := accepted.height - kept.height:
        kind = f"{TOO_OLD}: before {horizons.moments[table.name]:%Y-%m-%d %H:%M} UTC"
        counts.left_out[kind] = counts.left_out.get(kind, 0) + aged
    malformed = batch.malformed
    if table.prepare:  # malformed lines may hold private data, too
        malformed = malformed.with_columns(pl.Series("row", [mask(row).text for row in malformed["row"]], pl.String))
    counts.read += rows.height - (valid.height - kept.height) + batch.malformed.height
    kept, violations = by_contract(home, table, kept)
    refused = pl.concat([malformed, refused, violations])
    counts.quarantined += refused.height
    for kind, count in batch.left_out.items():
        counts.left_out[kind] = counts.left_out.get(kind, 0) + count
    for why, count in refused.group_by("reason").len().sort("reason").iter_rows():
        counts.reasons[why] = counts.reasons.get(why, 0) + count
    if refused.height:
        _quarantine(home, table, source, refused)
    staging.add(table, kept)


def _quarantine(home: Home, table: RawTable, source: str, refused: pl.DataFrame) -> None:
    """Write refused rows; one file per distinct set of rows, so that importing a source again adds no file."""
    content = "\n".join(f"{why}\t{row}" for why, row in refused.iter_rows())
    name = hashlib.sha256(f"{source}\n{content}".encode()).hexdigest()[:16]
    rows = refused.with_columns(source=pl.lit(source), table=pl.lit(table.name))
    parquet.write_whole(rows, home.quarantine(table.name) / f"{name}.parquet")


def _commit_all(home: Home, staging: Staging, report: Report, corrects: bool, judged: bool) -> set[Path]:
    """Store the staged rows; returns the folders that hold them."""
    folders: set[Path] = set()
    for name, counts in report.tables.items():
        table, check = raw_tables(home)[name], _check(home, report.source, name, counts, judged)
        folders |= commit(table, staging, home.raw(name), counts, corrects=corrects, check=check)
    staging.clear()
    return folders


def _check(home: Home, source: str, name: str, counts: TableReport, judged: bool) -> PlausibilityCheck | None:
    """What judges the events of a raw table; None if it is none of events, or of a kind that is not judged."""
    contract = contract_of(home)
    limits = limits_of(contract.events[name], contract.project.plausibility) if name in contract.events else None
    if limits is None:
        return None

    def quarantine(events: pl.DataFrame) -> None:
        table = raw_tables(home)[name]
        refused = pl.DataFrame(
            {"reason": events["reason"], "row": as_json(events.select(list(table.columns)))}, QUARANTINE
        )
        counts.quarantined += refused.height
        for why, count in refused["reason"].value_counts().iter_rows():
            counts.reasons[why] = counts.reasons.get(why, 0) + count
        _quarantine(home, table, source, refused)

    is_kept = judged or limits.imports == MARK
    return PlausibilityCheck(contract.events[name], limits, counts, None if is_kept else quarantine)


@contextmanager
def storing(home: Home) -> Iterator[None]:
    """Lock the raw tables against other writers."""
    raw = home.ensure().root / "raw"
    raw.mkdir(exist_ok=True)
    with _lock(raw):
        yield


@contextmanager
def _lock(raw: Path) -> Iterator[None]:
    with (raw / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
