"""Rows of feature tables that were corrected: the old ones stay, with the created time that they had.

A training set as known at a moment then sees what readers saw at that moment; everybody else sees the newest. Rows that
come out as before are left alone. Changed code is another feature, whose rows replace the old ones.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl

from feature_repo.home import Home
from transforms import feature_tables, parquet

if TYPE_CHECKING:
    from feast import FeatureView

CODE = "refrain.code"
"""Key of a file's metadata: fingerprint of declaration and code."""


def write(home: Home, view: "FeatureView", rows: pl.DataFrame, *, date: str, inputs: str, code: str) -> None:
    """Write the rows of one day, which conform to the view, beside those that they correct."""
    path = home.features(view.name) / f"date={date}" / parquet.PART
    if parquet.metadata(path).get(CODE) == code:
        before = parquet.read_whole(path, remedy="python -m transforms build")
        rows = feature_tables.conform(view, corrected(before, rows, view.join_keys))
    feature_tables.write_partition(home, view, rows, date=date, inputs=inputs, more={CODE: code}, conformed=True)


SAME = 1e-9
"""Relative difference below which two floats are one value: sums that fade depend a little on where a run began."""


def corrected(before: pl.DataFrame, after: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """Versions of rows.

    Args:
        before: all versions so far.
        after: what the rows are now; what is not there any more leaves with all its versions.
        keys: join keys.

    Returns:
        The versions before of rows that are still there, and the new ones where a value changed. A new version is known
        when its last event was; or now, should readers have seen another one since.
    """
    identity = [*keys, "event_timestamp"]
    features = [name for name in after.columns if name not in (*identity, "created_timestamp")]
    kept = before.join(after.select(identity), on=identity, how="semi")
    newest = kept.sort("created_timestamp").unique(identity, keep="last", maintain_order=True)
    seen = newest.rename({name: f"{name}:before" for name in (*features, "created_timestamp")})
    beside = after.join(seen, on=identity, how="left", maintain_order="left")
    was = pl.col("created_timestamp:before")
    equal = [_equal(name, after.schema[name]) for name in features]
    changed = beside.filter(was.is_null() | ~pl.all_horizontal(True, *equal))
    late = pl.col("created_timestamp") > pl.coalesce(was, "event_timestamp")
    known = changed.with_columns(created_timestamp=pl.when(late).then("created_timestamp").otherwise(datetime.now(UTC)))
    return pl.concat([kept.select(after.columns), known.select(after.columns)], how="vertical_relaxed")


def _equal(name: str, dtype: pl.DataType) -> pl.Expr:
    now, before = pl.col(name), pl.col(f"{name}:before")
    if not dtype.is_float():
        return now.eq_missing(before)
    return now.eq_missing(before) | ((now - before).abs() <= SAME * before.abs()).fill_null(False)
