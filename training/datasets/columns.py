"""Polars columns as the numpy columns that on-demand functions take (see ``feature_repo.on_demand``)."""

import numpy as np
import polars as pl

from feature_repo.errors import InputError
from feature_repo.vectors import objects, vector_column


def to_numpy(column: pl.Series) -> np.ndarray:
    """Converts a column to numpy: floats with NaN, or objects with None, for missing values.

    Numbers become float64, times float64 whole seconds, texts and lists of texts objects. Lists of numbers become
    (n, d) float32 if all have one length, else objects (``feature_repo.vectors.vector_column``).
    """
    if isinstance(column.dtype, pl.List | pl.Array):
        return _lists(column.arr.to_list() if isinstance(column.dtype, pl.Array) else column)
    if column.dtype == pl.Datetime:
        times_us = column.dt.timestamp("us")
        return (times_us // 1_000_000).cast(pl.Float64).fill_null(np.nan).to_numpy()
    if column.dtype in (pl.String, pl.Null):
        return np.array(column.to_list(), dtype=object)
    return column.cast(pl.Float64).fill_null(np.nan).to_numpy()


def to_matrix(column: pl.Series) -> np.ndarray:
    """Converts lists of numbers of one length to (n, d) float32; a missing list is a row of NaN.

    Raises:
        InputError: the lists have several lengths.
    """
    values = to_numpy(column)
    if values.ndim != 2:
        lengths = column.list.len().unique().drop_nulls().sort().to_list()
        raise InputError(
            expected=f"vectors of one length in {column.name}",
            found=f"the lengths {lengths[:5]}",
            next_command="compute them all again with one model: refrain build",
        )
    return values


def _lists(column: pl.Series) -> np.ndarray:
    if not column.dtype.inner.is_numeric():  # type: ignore[attr-defined]
        return objects(column.to_list())
    lengths = column.list.len()
    if lengths.drop_nulls().n_unique() > 1:
        return vector_column(column.to_list())
    width = int(lengths.max() or 0)  # type: ignore[arg-type]
    matrix = np.full((len(column), width), np.nan, np.float32)
    if width:
        is_present = column.is_not_null()
        matrix[is_present.to_numpy()] = column.drop_nulls().explode().to_numpy().reshape(-1, width)
    return matrix
