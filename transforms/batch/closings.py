"""Closing rows: later versions of rows that are gone.

A row is gone if its events moved to another key, their day was removed, or a new definition excludes them. Without a
closing row, its newest version would still be read: offline for later moments, and online forever. A closing row has
the values of the key's newest row before it, or missing values if there is none, and its created time is now. If the
row before it changes, the closing row gets a new version. Closing rows are in the table like all other versions;
``gone_rows`` says which rows they close.
"""

from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl

from feature_repo.home import Home
from transforms import feature_tables, parquet
from transforms.batch.gone_rows import WHOLE, GoneRows
from transforms.batch.versions import corrected, newest_versions

if TYPE_CHECKING:
    from feast import FeatureView


def close(home: Home, view: "FeatureView", now: datetime, *, since: str | None) -> int:
    """Writes the closing rows of a table after all its files are written; must be repeated if it was interrupted.

    Args:
        home: the data folder.
        view: view of the table.
        now: the moment of the run, which gives the created time; see ``feature_tables.created_time``.
        since: earliest date whose rows changed, ``WHOLE`` for a table that is one file; None if no row changed. Earlier
            closing rows keep their values.

    Returns:
        Number of closing rows that were written.
    """
    gone = GoneRows.of(home, view)
    if since is None and gone.is_settled:
        return 0
    rows_of_file = gone.read()
    first = "" if since is None or not gone.is_settled else since
    affected = [file for file in rows_of_file if file[0] == WHOLE or file[0] >= first]
    count = 0
    if affected:
        standing = _standing(home, view, pl.concat(rows_of_file.values()))
        count = sum(_close(home, view, rows_of_file[file], standing, now, *file) for file in affected)
    gone.note_settled()
    return count


def _standing(home: Home, view: "FeatureView", gone: pl.DataFrame) -> pl.DataFrame:
    """The newest version of every row that stands, of the keys that have gone rows."""
    identity = [*view.join_keys, "event_timestamp"]
    rows = feature_tables.scan(home, view.name).select(list(feature_tables.schema(view)))
    if view.join_keys:
        rows = rows.join(gone.lazy().select(view.join_keys).unique(), on=view.join_keys, how="semi")
    return newest_versions(rows.collect(), identity).join(gone, on=identity, how="anti").drop("created_timestamp")


def _close(
    home: Home, view: "FeatureView", gone: pl.DataFrame, standing: pl.DataFrame, now: datetime, date: str, part: str
) -> int:
    """Writes the closing rows of one file if any of them has new values; returns their number."""
    partition = None if date == WHOLE else date
    path = feature_tables.file_of(home, view, partition, part)
    before = parquet.read_whole(path, remedy="refrain build")
    with_values = gone.sort("event_timestamp").join_asof(
        standing.sort("event_timestamp"),
        on="event_timestamp",
        by=view.join_keys or None,
        check_sortedness=False,
    )
    closing = with_values.with_columns(created_timestamp=pl.col("event_timestamp")).select(before.columns)
    after = corrected(before, closing, view.join_keys, now=feature_tables.created_time(home, now))
    if after.height == before.height:
        return 0
    metadata = parquet.metadata(path)
    more = {name: value for name, value in metadata.items() if name.startswith("refrain.")}
    inputs = more.pop(feature_tables.INPUTS, "")
    feature_tables.write_partition(home, view, after, date=partition, inputs=inputs, part=part, more=more)
    return after.height - before.height
