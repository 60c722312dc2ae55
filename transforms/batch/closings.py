"""Closing versions: what a key says at the moment of a row that is not there any more.

A row is gone when its events moved to another key, their day was removed, or a definition leaves them out. Its newest
version would go on being read, offline by whoever asks after its moment, online for good. So it gets a version with
the values of the key's newest row before it, all missing where there is none, known from now on. Those values follow
when that row changes. Closing versions stand in the table like any other; ``gone_rows`` says of which rows they are.
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
    """Write the closing versions of a table, whose files are all written; to be repeated if it was stopped.

    Args:
        home: the data folder.
        view: whose table.
        now: the moment of the run, from which they are known; see ``feature_tables.known_from``.
        since: earliest date whose rows changed, ``WHOLE`` for a table of one file; None if none did. Closing versions
            before it say what they said.

    Returns:
        How many were written.
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
    """The newest version of every row that is there, of the keys that have lost one."""
    identity = [*view.join_keys, "event_timestamp"]
    rows = feature_tables.scan(home, view.name).select(list(feature_tables.schema(view)))
    if view.join_keys:
        rows = rows.join(gone.lazy().select(view.join_keys).unique(), on=view.join_keys, how="semi")
    return newest_versions(rows.collect(), identity).join(gone, on=identity, how="anti").drop("created_timestamp")


def _close(
    home: Home, view: "FeatureView", gone: pl.DataFrame, standing: pl.DataFrame, now: datetime, date: str, part: str
) -> int:
    """Closing versions of one file's rows; the file is written if one of them says something new."""
    partition = None if date == WHOLE else date
    path = feature_tables.file_of(home, view, partition, part)
    before = parquet.read_whole(path, remedy="python -m transforms build")
    says = gone.sort("event_timestamp").join_asof(
        standing.sort("event_timestamp"),
        on="event_timestamp",
        by=view.join_keys or None,
        check_sortedness=False,
    )
    closing = says.with_columns(created_timestamp=pl.col("event_timestamp")).select(before.columns)
    after = corrected(before, closing, view.join_keys, now=feature_tables.known_from(home, now))
    if after.height == before.height:
        return 0
    metadata = parquet.metadata(path)
    more = {name: value for name, value in metadata.items() if name.startswith("refrain.")}
    inputs = more.pop(feature_tables.INPUTS, "")
    feature_tables.write_partition(home, view, after, date=partition, inputs=inputs, part=part, more=more)
    return after.height - before.height
