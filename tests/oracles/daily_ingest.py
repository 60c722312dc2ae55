"""An import as it is defined: each day of each table by itself, from all rows at once.

The program merges many days by one sort and compares their rows before it writes; here every day is read, merged and
written for itself. Both must end with the same bytes and the same counts.
"""

import polars as pl

from feature_repo.home import Home
from transforms import parquet
from transforms.raw.declared import raw_tables
from transforms.raw.divide import divide
from transforms.raw.ingest import Batch
from transforms.raw.left_out import LeftOut
from transforms.raw.report import TableReport
from transforms.raw.validate import validate


def ingest_by_day(home: Home, batches: list[Batch]) -> dict[str, TableReport]:
    """Stores the rows of batches; returns the counts of each table (quarantine is only counted)."""
    reports: dict[str, TableReport] = {}
    for name in dict.fromkeys(batch.table for batch in batches):
        table, counts = raw_tables(home)[name], reports.setdefault(name, TableReport())
        rows = pl.concat([batch.rows for batch in batches if batch.table == name], how="diagonal_relaxed")
        accepted, refused = validate(table, rows)
        counts.read, counts.quarantined = rows.height, refused.height
        for why in refused["reason"]:
            counts.reasons[why] = counts.reasons.get(why, 0) + 1
        if table.changes_slowly:
            parts = {"": accepted} if accepted.height else {}
        else:
            dates = accepted["event_timestamp"].dt.date()
            parts = {f"date={day}": accepted.filter(dates == day) for day in sorted(set(dates))}
        for part, additions in parts.items():
            folder = home.raw(name) / part
            path = folder / parquet.PART
            stored = pl.read_parquet(path, hive_partitioning=False) if path.is_file() else additions.clear()
            since = additions["event_timestamp"].min() if path.is_file() else None
            combined = pl.concat([stored, additions])
            redundant = LeftOut(table, folder).read_matching(combined, since)  # type: ignore[arg-type]
            merged, left_over = divide(table, pl.concat([combined, redundant]))
            LeftOut(table, folder).add(left_over)
            counts.duplicates += additions.height - divide(table, additions)[0].height
            if not path.is_file() or not merged.equals(stored):
                parquet.write_whole(merged, path)
                counts.added += merged.height - stored.height
                counts.days_touched += 1
    return reports
