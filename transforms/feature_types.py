"""The polars types of features, by Feast's names."""

from functools import cache

import polars as pl
import pyarrow as pa

from feature_repo.packed.encode import arrow_type
from feature_repo.packed.schema import Column


@cache
def feature_type(dtype: str) -> pl.DataType | None:
    """Returns the polars type of a feature; None for maps, structs and nested lists, which stay as they are.

    Args:
        dtype: Feast's name of the type.

    >>> feature_type("Int32"), feature_type("Array(Float32)"), feature_type("Map")
    (Int32, List(Float32), None)
    """
    column = Column("", dtype)
    if column.kind == "message":
        return None
    series = pl.from_arrow(pa.array([], arrow_type(column)))
    assert isinstance(series, pl.Series)
    return series.dtype
