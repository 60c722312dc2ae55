"""The incremental batch run: raw tables to feature tables.

Windowed tables follow from their declarations (``transforms.batch.windows``); each other table has a function of its
own (``transforms.batch.features``). Every file has a fingerprint of its inputs; a run rebuilds files whose inputs have
changed and leaves all others. So it can be killed at any moment and run again, and a second run changes nothing.
"""

import hashlib
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from feature_repo import clock
from feature_repo.command_line import Progress, silent
from feature_repo.contract import Contract, contract_of
from feature_repo.days import files_in
from feature_repo.encryption import parquet_files
from feature_repo.errors import InputError, StoreError
from feature_repo.home import Home
from transforms import feature_tables, parquet
from transforms.batch import closings, scored_texts, versions
from transforms.batch.features.artist_text import artist_text
from transforms.batch.features.feature_table import FeatureTable
from transforms.batch.features.texts import Written, gather
from transforms.batch.features.track_text import track_text
from transforms.batch.gone_rows import WHOLE as WHOLE_TABLE
from transforms.batch.report import ViewReport
from transforms.batch.windows.backfill import backfill
from transforms.batch.windows.file_index import known_files
from transforms.pure.text.bundles import served_models
from transforms.raw.days import RawDays
from transforms.raw.declared import raw_tables
from transforms.raw.read import damage_named, files, scan

if TYPE_CHECKING:
    from feast import FeatureView

WRITTEN = ("texts", "tracks", "artists", "tags")
TEXTS = {"track_text": track_text, "artist_text": artist_text}
"""View that is computed from the texts of the tables ``WRITTEN`` → the function."""


def build(home: Home, now: datetime | None = None, *, progress: Progress = silent) -> dict[str, ViewReport]:
    """Brings every feature table up to date with the raw tables.

    Args:
        home: the data folder.
        now: the moment of the run; rows of later moments are not due. ``clock.now()`` if None.
        progress: called after each chunk of each view.

    Returns:
        Feature table → its report; nothing for a project of plain views alone.

    Raises:
        StoreError: there are no events, or a raw file is damaged.
        InputError: a function of ``transforms.batch.features`` has no feature table to write.
    """
    home.check_layout()
    now, contract = now or clock.now(), contract_of(home)
    windowed, computed_tables = contract.windowed, contract.computed_tables
    views = feature_tables.tables(home)
    if views:
        _check_not_empty(home, contract)
    _check_tables(computed_tables, contract)
    days = {name: RawDays.of(home, name) for name in {table.source.name for table in windowed.values()}}
    steps = len(windowed) + len(computed_tables) + 1
    reports: dict[str, ViewReport] = {}
    with feature_tables.writing(home), damage_named(home):
        feature_tables.created_time(home, now)  # stores the moment, even if no file is written
        for step, (name, table) in enumerate(windowed.items()):
            if not days[table.source.name].paths and not _has_rows(home, name):
                continue
            report_step = _nested(progress, step, steps, name)
            reports[name] = backfill(home, table, views[name], days[table.source.name], now, progress=report_step)
        for step, (name, feature_table) in enumerate(computed_tables.items(), start=len(windowed)):
            reports[name] = _build_whole(home, views[name], feature_table, now)
            progress(step + 1, steps, name)
        if set(TEXTS) <= set(views):
            reports |= _build_texts(home, views, now, progress=_nested(progress, steps - 1, steps, "texts"))
        for view in views.values():
            feature_tables.write_empty(home, view)
        feature_tables.note_built(home)
    return reports


def _check_not_empty(home: Home, contract: Contract) -> None:
    """Raises a StoreError if there are neither events nor tables whose events are all gone."""
    if any(files(home, name) for name in raw_tables(home)) or any(_has_rows(home, name) for name in contract.windowed):
        return
    raise StoreError(
        expected=f"events in {home.root / 'raw'}",
        found="none",
        next_command=contract.import_command(),
    )


def _check_tables(functions: Mapping[str, FeatureTable], contract: Contract) -> None:
    """Raises an InputError if a function has no feature table to write, as where a plain view has its name."""
    for name in functions:
        if name not in contract.feature_tables:
            raise InputError(
                expected=f"a view {name} of a feature table, declared by feature_repo.sources.feature_table",
                found="a plain view, whose files Refrain does not write" if name in contract.views else "no such view",
                next_command=f"declare the view {name}, or remove {contract.module_of(FeatureTable, 'features', name)}",
            )


def _has_rows(home: Home, name: str) -> bool:
    """Whether a table has rows, though the events behind them may all be gone."""
    return any(file.rows for file in known_files(home.features(name), parquet.PART).values())


def _build_whole(home: Home, view: "FeatureView", declared: FeatureTable, now: datetime) -> ViewReport:
    """Builds a view that is one file, from whole raw tables."""
    started = time.perf_counter()
    target = home.features(view.name) / parquet.PART
    digests = [digest for table in declared.sources for digest in _digests(home, table)]
    code = " ".join(filter(None, [contract_of(home).code_digest(declared.compute), declared.settings]))
    fingerprint = hashlib.sha256(f"{code} {' '.join(digests) or 'none'}".encode()).hexdigest()
    report = ViewReport(days=1)
    if parquet.metadata(target).get(feature_tables.INPUTS) != fingerprint:
        rows = declared.compute(*(scan(home, table).collect() for table in declared.sources))
        _write_whole(home, view, rows, versions.Origin(fingerprint, code, now))
        report.rebuilt = [now.date()]
    report.rows, report.seconds = _rows(target.parent), time.perf_counter() - started
    return report


def _write_whole(home: Home, view: "FeatureView", rows: pl.DataFrame, origin: versions.Origin) -> None:
    versions.write(home, view, feature_tables.conform(view, rows), origin, date=None, has_versions=True)
    closings.close(home, view, origin.now, since=WHOLE_TABLE)


def _build_texts(
    home: Home, views: "Mapping[str, FeatureView]", now: datetime, *, progress: Progress
) -> dict[str, ViewReport]:
    """Builds the views of texts with the promoted text models."""
    models = served_models(home)
    table_names = sorted(WRITTEN, key=lambda table: raw_tables(home)[table].changes_slowly)
    digests = [digest for table in table_names for digest in _digests(home, table)]
    reports: dict[str, ViewReport] = {}
    written: Written | None = None
    for name, function in TEXTS.items():
        started = time.perf_counter()
        code = f"{contract_of(home).code_digest(function)} {scored_texts.fingerprint(models)}"
        fingerprint = hashlib.sha256(f"{code} {' '.join(digests)}".encode()).hexdigest()
        target = home.features(name) / parquet.PART
        report = reports[name] = ViewReport(days=1)
        if parquet.metadata(target).get(feature_tables.INPUTS) != fingerprint:
            if written is None:
                rows = _written_texts(home)
                written = Written(
                    rows, scored_texts.score_texts(home, rows["text"].to_list(), models, progress=progress)
                )
            _write_whole(home, views[name], function(written), versions.Origin(fingerprint, code, now))
            report.rebuilt = [now.date()]
        report.rows, report.seconds = _rows(target.parent), time.perf_counter() - started
    return reports


def keep_scores(home: Home) -> None:
    """Removes the scores of texts that no raw row has any more; the caller holds ``feature_tables.writing``."""
    scored_texts.keep(home, _written_texts(home)["text"].to_list())


def _written_texts(home: Home) -> pl.DataFrame:
    return gather(*(scan(home, table).collect() for table in WRITTEN))


def _digests(home: Home, table: str) -> list[str]:
    """Digests of the files of a raw table; those of files by day are cached."""
    if raw_tables(home)[table].changes_slowly:
        return [parquet.digest(path) for path in files(home, table)]
    return list(RawDays.of(home, table).digests.values())


def _rows(folder: Path) -> int:
    return sum(parquet_files.metadata(path).num_rows for path in files_in(folder) if path.name == parquet.PART)


def _nested(progress: Progress, step: int, steps: int, name: str) -> Progress:
    def report(done: float, total: float, note: str = "") -> None:
        progress(step + done / max(total, 1), steps, f"{name} {done:.0f}/{total:.0f}")

    return report
