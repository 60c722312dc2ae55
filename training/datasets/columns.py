"""Polars columns as the numpy columns that on-demand functions take (see ``feature_repo.on_demand``)."""

import numpy as np
import polars as pl


def to_numpy(column: pl.Series) -> np.ndarray:
    """Numbers as float64 with NaN, times as float64 whole seconds, texts as objects, vectors as (n, d) float32."""
    if isinstance(column.dtype, pl.List):
        return _vectors(column)
    if column.dtype == pl.Datetime:
        micros = column.dt.timestamp("us")
        return (micros // 1_000_000).cast(pl.Float64).fill_null(np.nan).to_numpy()
    if column.dtype in (pl.String, pl.Null):
        return np.array(column.to_list(), dtype=object)
    return column.cast(pl.Float64).fill_null(np.nan).to_numpy()


def _vectors(column: pl.Series) -> np.ndarray:
    """(n, d) float32; a missing vector is a row of NaN, a column of nothing but missing ones (n, 0)."""
    lengths = column.list.len()
    width = int(lengths.max() or 0)  # type: ignore[arg-type]
    if not width:
        return np.empty((len(column), 0), np.float32)
    out = np.full((len(column), width), np.nan, np.float32)
    whole = (lengths == width).fill_null(False)
    out[whole.to_numpy()] = column.filter(whole).explode().to_numpy().reshape(-1, width)
    return out
