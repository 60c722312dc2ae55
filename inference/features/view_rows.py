"""The rows of one view in a lookup: the distinct rows, and which of them each row of the lookup has."""

from typing import Any

import numpy as np

from feature_repo.packed.decode import Block, Mixed
from feature_repo.packed.schema import UNKNOWN_TIME, Column
from inference.features.columns import ColumnRows
from inference.features.matrix import Gather, ViewGather

_MISSING_VALUES: dict[str, Any] = {"f": np.nan, "i": 0, "u": 0, "b": False, "M": np.datetime64("NaT"), "O": None}


class ViewRows:
    """The rows of one view.

    Attributes:
        block: the distinct rows.
        places: (n,) index of each row of the lookup in ``block``, -1 for none; None if they are the same.
        length: number of rows of the lookup, n.
        is_single: whether all rows of the lookup have the same one row.
    """

    def __init__(
        self, block: Block | Mixed | ColumnRows, places: np.ndarray | None, length: int, oldest: float | None = None
    ) -> None:
        """Take decoded rows.

        Args:
            block: see ``ViewRows``.
            places: see ``ViewRows``.
            length: see ``ViewRows``.
            oldest: microseconds since 1970 before which a row has expired; None if rows do not expire.
        """
        self.block, self.places, self.length, self._oldest = block, places, length, oldest
        self.is_single = places is not None and len(block) == 1 and not places.any()

    @property
    def expired(self) -> np.ndarray | None:
        """(rows,) mask of the distinct rows that have expired; None if rows do not expire."""
        return None if self._oldest is None else self.block.event < self._oldest

    def _absent(self) -> np.ndarray | None:
        """Return the (n,) mask of the rows without a row; None if there are none."""
        absent = None if self.places is None or self.is_single else self.places < 0
        return absent if absent is not None and absent.any() else None

    def event_times(self) -> np.ndarray:
        """Return the (n,) event times in seconds since 1970, NaN where there is no row."""
        event = self.block.event
        times = np.where(event == UNKNOWN_TIME, np.nan, event / 1e6)
        if self.places is None:
            return times
        return np.where(self.places < 0, np.nan, times[self.places]) if len(times) else np.full(self.length, np.nan)

    def column(self, feature: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the (n,) values of a feature, and where they are missing."""
        column, places = self._column(feature), self.places
        is_missing = self._missing(feature)
        values: np.ndarray
        if column.is_fixed:
            values = self.block.numbers(feature)
            if column.dtype == "UnixTimestamp":
                values = values.astype("<M8[us]")
        else:
            values = np.empty(len(self.block), object)
            values[:] = self.block.objects(feature)
        if places is None:
            values, missing = values.copy(), is_missing
        elif len(self.block):
            values, missing = values[places], is_missing[places]
            absent = self._absent()
            if absent is not None:
                missing |= absent
        else:
            values = np.zeros((self.length, *values.shape[1:]), values.dtype)
            missing = np.ones(self.length, bool)
        if missing.any():
            values[missing] = _MISSING_VALUES[values.dtype.kind]
        return values, missing

    def objects(self, feature: str) -> list[Any] | None:
        """Return the n values of a feature of variable length, None where missing; None for other features."""
        if self._column(feature).is_fixed:
            return None
        objects, expired = self.block.objects(feature), self.expired
        if expired is not None:
            objects = [None if gone else value for value, gone in zip(objects, expired.tolist(), strict=True)]
        if self.places is None:
            return objects
        return [None if place < 0 else objects[place] for place in self.places.tolist()]

    def vectors(self, feature: str) -> np.ndarray | None:
        """Return (n, d) values of lists of floats, NaN where missing; None if they may have several lengths."""
        if self._column(feature).kind != "numbers" or isinstance(self.block, Mixed) or self._oldest is not None:
            return None
        vectors = self.block.vectors(feature)
        if vectors is None or self.places is None:
            return vectors
        if self.is_single:
            return np.repeat(vectors, self.length, axis=0)
        vectors, absent = vectors[self.places], self._absent()
        if absent is not None:
            vectors[absent] = np.nan
        return vectors

    def fill_matrix(self, gather: ViewGather, matrix: np.ndarray) -> None:
        """Fill the columns of a matrix (n, …) that are features of this view, NaN where missing.

        Args:
            gather: the columns.
            matrix: float32, what a model takes, or float64, inputs of functions.
        """
        if isinstance(self.block, ColumnRows):
            values, expired = self.block.matrix(matrix.dtype, gather.source), self.expired
            if expired is not None:
                values[expired] = np.nan
            self._fill(values, matrix, gather.target)
            return
        for region in gather.regions:
            self._fill(self._region_values(self.block, region, matrix.dtype), matrix, region.target)

    def _column(self, feature: str) -> Column:
        schema = self.block.schema
        return schema.columns[schema.index[feature]]

    def _missing(self, feature: str) -> np.ndarray:
        """Return the (rows,) mask of the distinct rows that have no value, or have expired."""
        is_null, expired = self.block.is_null(feature), self.expired
        return is_null if expired is None else is_null | expired

    def _region_values(self, block: Block | Mixed, gather: Gather, dtype: np.dtype) -> np.ndarray:
        """Return the (rows, columns) numbers of a region, of a float type with NaN where anything is missing."""
        if isinstance(block, Mixed):
            null_bits = np.arange(len(block.schema.columns))[gather.nulls]
            values = np.empty((len(block), len(null_bits)), dtype)
            for number, bit in enumerate(null_bits):
                column = block.numbers(block.schema.columns[bit].name)
                values[:, number] = column / 1e6 if gather.is_time else column
        else:
            values = block.region(gather.dtype, *gather.region)[:, gather.source]
            if gather.is_time:
                values = values / 1e6
        nulls, expired = block.nulls, self.expired
        if nulls is not None or expired is not None:
            values = values.astype(dtype)
        if nulls is not None:
            values[nulls[:, gather.nulls]] = np.nan
        if expired is not None:
            values[expired] = np.nan
        return values

    def _fill(self, values: np.ndarray, matrix: np.ndarray, target: slice | np.ndarray) -> None:
        """Put the values of distinct rows into columns of a matrix."""
        if self.places is None:
            matrix[:, target] = values
        elif self.is_single:
            matrix[:, target] = values[0]
        elif not len(values):
            matrix[:, target] = np.nan
        else:
            values, absent = values[self.places], self._absent()
            if absent is not None:
                values = values.astype(matrix.dtype)
                values[absent] = np.nan
            matrix[:, target] = values
