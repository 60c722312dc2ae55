"""Records beside the raw tables that have a period of their own: logs of days, and saved training sets."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from feature_repo.days import days_in
from feature_repo.encryption import parquet_files
from feature_repo.encryption.stored_files import read_lines, write_lines
from feature_repo.home import Home
from refrain.person.erasure.records import LINES, is_parquet
from refrain.person.erasure.rows import erase_rows
from refrain.retention.rows import always
from transforms import parquet

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Record:
    """A kind of record.

    Attributes:
        name: the name in ``refrain.toml``.
        period: how long records are kept unless the project says otherwise.
        folders: the folders with days, or None for saved training sets.
    """

    name: str
    period: str
    folders: Callable[[Home], list[Path]] | None


def _below(pattern: str) -> Callable[[Home], list[Path]]:
    return lambda home: sorted(path for path in home.root.glob(pattern.format(tenant=home.tenant)) if path.is_dir())


RECORDS = {
    record.name: record
    for record in (
        Record("lookups", "90d", _below("lookups/tenant={tenant}/*")),
        Record("impressions", "365d", _below("impressions/tenant={tenant}")),
        Record("predictions", "90d", _below("predictions/tenant={tenant}/*")),
        Record("exposures", "365d", _below("exposures/tenant={tenant}")),
        Record("audit_log", "730d", _below("audit_log/tenant={tenant}")),
        Record("training_sets", "365d", None),
    )
}
"""Name → the kind of record."""


def aged_records(home: Home, record: Record, horizon: datetime, *, remove: bool) -> int:
    """Count the records before a moment, and remove them if asked to.

    Args:
        home: the data folder.
        record: their kind.
        horizon: the oldest moment that is kept.
        remove: whether to remove them.

    Returns:
        Number of lines and rows, or of training sets.

    Raises:
        StoreError: a file is damaged.
    """
    if record.folders is None:
        return _aged_sets(home, horizon, remove)
    return sum(_aged_days(folder, home, horizon, remove) for folder in record.folders(home))


def aged_quarantine(home: Home, table: str, horizon: datetime, *, remove: bool) -> int:
    """Count the quarantined rows of a raw table before a moment, and remove them if asked to.

    A row has the time of its event, or where that cannot be read, the time at which its file was written.
    """
    folder, count = home.quarantine(table), 0
    for path in sorted(folder.glob("*.parquet")) if folder.is_dir() else []:
        stat = path.stat()
        written = datetime.fromtimestamp(stat.st_mtime, UTC)
        text = pl.col("row").map_elements(_event_time, return_dtype=pl.String)
        moment = text.str.to_datetime(time_unit="us", time_zone="UTC", strict=False)
        is_aged = moment.fill_null(written).fill_null(pl.lit(written)) < horizon
        if remove:
            count += erase_rows([path], always(is_aged))
        else:
            count += parquet_files.read(path).filter(is_aged).height
    return count


def _event_time(row: str) -> str | None:
    try:
        value = json.loads(row).get("event_timestamp")
    except (ValueError, AttributeError):
        return None
    return value if isinstance(value, str) else None


def _aged_days(folder: Path, home: Home, horizon: datetime, remove: bool) -> int:
    count = 0
    for text, path in days_in(folder).items():
        day, start = Path(path), datetime.fromisoformat(text).replace(tzinfo=UTC)
        if start >= horizon:
            break
        is_over = start + _DAY <= horizon
        for file in sorted(each for each in day.iterdir() if each.is_file() and not each.name.startswith(".")):
            count += _aged_file(file, home, None if is_over else horizon, remove)
        if remove and is_over:
            shutil.rmtree(day)
    return count


def _aged_file(path: Path, home: Home, horizon: datetime | None, remove: bool) -> int:
    """Count, and remove, the rows or lines of a file before a moment; all of them if it is None."""
    if is_parquet(path):
        rows = parquet.read_whole(path, remedy="")
        if horizon is None:
            return rows.height
        is_aged = _is_aged(rows, horizon)
        if not remove or is_aged is None:
            return 0 if is_aged is None else rows.filter(is_aged).height
        return erase_rows([path], always(is_aged))
    if path.suffix not in LINES:
        return 0
    lines = read_lines(path, home)
    if horizon is None:
        return len(lines)
    kept = [line for line in lines if not _is_before(line, horizon)]
    if remove and len(kept) < len(lines):
        mode = path.stat().st_mode
        write_lines(path, kept, home)
        path.chmod(mode)
    return len(lines) - len(kept)


def _is_aged(rows: pl.DataFrame, horizon: datetime) -> pl.Expr | None:
    """Whether packed rows are older; None if they have no time, and stay until their day is over."""
    for name in ("event_timestamp", "at"):
        dtype = rows.schema.get(name)
        if isinstance(dtype, pl.Datetime):
            return pl.col(name) < horizon
        if dtype is not None and dtype.is_integer():
            return pl.col(name) < int(horizon.timestamp() * 1_000_000)
    if rows.schema.get("line") == pl.String:
        return pl.col("line").map_elements(lambda line: _is_before(line.encode(), horizon), return_dtype=pl.Boolean)
    return None


def _is_before(line: bytes, horizon: datetime) -> bool:
    """Whether a line of JSON has a time ``at`` before a moment."""
    try:
        at: Any = json.loads(line).get("at")
        if isinstance(at, str):
            moment = datetime.fromisoformat(at)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) < horizon
        return isinstance(at, int | float) and at < horizon.timestamp() * 1_000_000
    except (ValueError, AttributeError):
        return False


def _aged_sets(home: Home, horizon: datetime, remove: bool) -> int:
    """Saved training sets that were saved before a moment."""
    count = 0
    for folder in sorted(home.training_sets.glob("*/")) if home.training_sets.is_dir() else []:
        manifest = folder / "manifest.json"
        saved = (manifest if manifest.is_file() else folder).stat().st_mtime
        if datetime.fromtimestamp(saved, UTC) < horizon:
            count += 1
            if remove:
                shutil.rmtree(folder)
    return count
