"""Polars columns as the numpy columns that on-demand functions take (see ``feature_repo.on_demand``)."""

import numpy as np
import polars as pl

from feature_repo.errors import InputError
from feature_repo.vectors import objects, vector_column


def to_numpy(column: pl.Series) -> np.ndarray:
    """A column in numpy: floats with NaN, or objects with None, for missing values.

    Numbers are float64, times float64 whole seconds, texts and lists of texts objects. Lists of numbers are (n, d)
    float32 where all have one length, else objects (``feature_repo.vectors.vector_column``).
    """
    if isinstance(column.dtype, pl.List | pl.Array):
        return _lists(column.arr.to_list() if isinstance(column.dtype, pl.Array) else column)
    if column.dtype == pl.Datetime:
        micros = column.dt.timestamp("us")
        return (micros // 1_000_000).cast(pl.Float64).fill_null(np.nan).to_numpy()
    if column.dtype in (pl.String, pl.Null):
        return np.array(column.to_list(), dtype=object)
    return column.cast(pl.Float64).fill_null(np.nan).to_numpy()


def to_matrix(column: pl.Series) -> np.ndarray:
    """(n, d) float32 of lists of numbers that all have one length; a missing one is a row of NaN.

    Raises:
        InputError: they have several lengths.
    """
    values = to_numpy(column)
    if values.ndim != 2:
        lengths = column.list.len().unique().drop_nulls().sort().to_list()
        raise InputError(
            expected=f"vectors of one length in {column.name}",
            found=f"the lengths {lengths[:5]}",
            next_command="compute them all again, of one model: python -m transforms build",
        )
    return values


def _lists(column: pl.Series) -> np.ndarray:
    if not column.dtype.inner.is_numeric():  # type: ignore[attr-defined]
        return objects(column.to_list())
    lengths = column.list.len()
    if lengths.drop_nulls().n_unique() > 1:
        return vector_column(column.to_list())
    width = int(lengths.max() or 0)  # type: ignore[arg-type]
    out = np.full((len(column), width), np.nan, np.float32)
    if width:
        known = column.is_not_null()
        out[known.to_numpy()] = column.drop_nulls().explode().to_numpy().reshape(-1, width)
    return out
