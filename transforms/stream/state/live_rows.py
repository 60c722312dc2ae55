"""Rows of a live table: moments and columns."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from feature_repo.windows import (
    Aggregate,
    Count,
    CountIf,
    DecayedSum,
    Distinct,
    First,
    Last,
    LastN,
    Max,
    Mean,
    Min,
    Previous,
    Quantile,
    Rate,
    Ratio,
    Slope,
    Std,
    Sum,
    TimeSinceLast,
    TopK,
)
from transforms.batch.windows import wide
from transforms.batch.windows.lists import Lists
from transforms.batch.windows.quantile import middles, nearest_rank
from transforms.batch.windows.rows import divided
from transforms.batch.windows.tiles import bucket_column, square_parts
from transforms.stream.state.live_table import LiveTable
from transforms.stream.state.newest import NEVER, newest_distinct
from transforms.stream.state.sums import INT
from transforms.stream.state.words import Words


@dataclass
class LiveRows:
    """Rows of a live table.

    Attributes:
        codes: (n,) codes of the keys, sorted.
        event: (n,) event times, microseconds.
        created: (n,) created times, microseconds.
        columns: names of the columns of one type → (columns · n,) values, column by column.
    """

    codes: np.ndarray
    event: np.ndarray
    created: np.ndarray
    columns: dict[tuple[str, ...], pa.Array]

    @classmethod
    def of(cls, table: LiveTable, keys: np.ndarray) -> "LiveRows":
        """Computes the newest row of each key; the keys are sorted, without repeats."""
        return cls(keys, *table.times(keys), _columns(table, keys))


@dataclass
class _Feature:
    """One feature of some keys: the inputs from which its columns are computed.

    Attributes:
        table: the live table that has the feature.
        keys: (n,) codes of the keys, sorted, without repeats.
        name: name of the feature.
        declaration: its aggregate.
        windows: (w,) numbers of its windows.
        sums: (parts, w, n) sums of the keys.
    """

    table: LiveTable
    keys: np.ndarray
    name: str
    declaration: Any
    windows: list[int]
    sums: np.ndarray

    def part(self, name: str) -> np.ndarray:
        """(w·n,) sums of one part, window by window."""
        return self.sums[self.table.part_index[name]].ravel()

    def wide_total(self, names: tuple[str, ...]) -> np.ndarray:
        """(w·n,) integers of a sum that is kept in parts, see ``wide``."""
        return wide.total({name: self.part(f"{self.of}.{name}") for name in names}, names)

    @property
    def of(self) -> str:
        """The column that the feature aggregates."""
        return str(self.declaration.of)

    @property
    def value_total(self) -> np.ndarray:
        """(w·n,) sums of the values of a number column, see ``wide``."""
        return self.wide_total(wide.VALUE) if self.is_wide else self.part(f"{self.of}.sum")

    @property
    def is_wide(self) -> bool:
        """Whether the column that the feature aggregates has integers of any size."""
        return self.table.table.enriched.is_wide(self.of)

    def decoded(self, integers: np.ndarray) -> np.ndarray:
        """(…,) values of the column that the feature aggregates, from integers."""
        return self.table.table.enriched.decode(self.of, integers)

    def numbers(self, is_valid: np.ndarray, integers: np.ndarray) -> list[pa.Array]:
        """(w·n,) values of the column that the feature aggregates; null where not valid."""
        return [_where(is_valid, self.decoded(integers))]

    @property
    def starts(self) -> np.ndarray:
        """(w,) first moments of the windows, microseconds."""
        return self.table.starts[self.windows]

    @property
    def words(self) -> Words:
        """The coded values of the column that the feature aggregates."""
        return self.table.words(self.of)

    @property
    def is_coded(self) -> bool:
        """Whether the values of the column are kept as codes of ``words``."""
        return self.table.is_coded(self.of)

    @property
    def has_texts(self) -> bool:
        """Whether the values of the column are texts."""
        return self.table.table.enriched.holds_texts(self.of)


def _columns(table: LiveTable, keys: np.ndarray) -> dict[tuple[str, ...], pa.Array]:
    """Computes the columns of some keys (sorted, without repeats): names of one type → (columns · n,) values."""
    sums = np.ascontiguousarray(table.sums(keys).transpose(2, 1, 0))
    by_type: dict[pa.DataType, tuple[list[str], list[pa.Array]]] = {}
    for name, declaration in table.table.features.items():
        windows = table.windows.get(name, [])
        window_sums = sums if len(windows) == sums.shape[1] else sums[:, windows]
        columns = _COLUMNS_OF[type(declaration)](_Feature(table, keys, name, declaration, windows, window_sums))
        for names, values in zip(table.names[name], columns, strict=True):
            all_names, arrays = by_type.setdefault(values.type, ([], []))
            all_names.extend(names)
            arrays.append(values)
    return {tuple(names): pa.concat_arrays(arrays) for names, arrays in by_type.values()}


def _count(feature: _Feature) -> list[pa.Array]:
    return [pa.array(feature.part("n"))]


def _count_if(feature: _Feature) -> list[pa.Array]:
    return [pa.array(feature.part(f"{feature.name}.true"))]


def _sum(feature: _Feature) -> list[pa.Array]:
    return [pa.array(feature.decoded(wide.clipped(feature.value_total)))]


def _mean(feature: _Feature) -> list[pa.Array]:
    n = feature.part(f"{feature.of}.n")
    return feature.numbers(n > 0, wide.mean(n, feature.value_total))


def _rate(feature: _Feature) -> list[pa.Array]:
    n = feature.part("n")
    return [_where(n > 0, feature.part(f"{feature.name}.true") / np.maximum(n, 1))]


def _ratio(feature: _Feature) -> list[pa.Array]:
    parts = []
    for name in (feature.declaration.numerator, feature.declaration.denominator):
        declaration = feature.table.table.features[name]
        part = _COLUMNS_OF[type(declaration)](replace(feature, name=name, declaration=declaration))[0]
        parts.append(part.to_numpy(zero_copy_only=False).astype(np.float64))
    return [_where(*divided(*parts))]


def _std(feature: _Feature) -> list[pa.Array]:
    n, squares = feature.part(f"{feature.of}.n"), square_parts(feature.table.table, feature.of)
    return feature.numbers(n > 0, wide.deviation(n, feature.value_total, feature.wide_total(squares)))


def _slope(feature: _Feature) -> list[pa.Array]:
    n, total = feature.part(f"{feature.of}.n"), feature.value_total
    products = (feature.wide_total(names) for names in (wide.TIME, wide.TIME_SQUARE, wide.TIME_VALUE))
    return feature.numbers(*wide.slope(n, total, *products))


def _quantile(feature: _Feature) -> list[pa.Array]:
    values = feature.table.values[bucket_column(feature.of)]
    slots, owner = values.of_keys(feature.keys)
    bucket, n = values.value[slots], values.n[slots]
    ranked = [
        nearest_rank(owner, bucket, n[:, window], len(feature.keys), feature.declaration.q)
        for window in feature.windows
    ]
    is_valid, found = (np.concatenate(arrays) for arrays in zip(*ranked, strict=True))
    return feature.numbers(is_valid, middles(found))


def _min(feature: _Feature) -> list[pa.Array]:
    minimum = feature.part(f"{feature.of}.min")
    return feature.numbers(feature.part(f"{feature.of}.n") > 0 if feature.is_wide else minimum != INT.max, minimum)


def _max(feature: _Feature) -> list[pa.Array]:
    maximum = feature.part(f"{feature.of}.max")
    return feature.numbers(feature.part(f"{feature.of}.n") > 0 if feature.is_wide else maximum != INT.min, maximum)


def _distinct(feature: _Feature) -> list[pa.Array]:
    count = feature.table.values[feature.of].distinct(feature.keys, feature.declaration.exact)
    return [pa.array(count[:, feature.windows].T.ravel())]


def _top_k(feature: _Feature) -> list[pa.Array]:
    return _lists(feature, feature.table.top[feature.name].read(feature.keys))


def _first(feature: _Feature) -> list[pa.Array]:
    oldest = feature.table.oldest[feature.of]
    windows = [oldest.read(window, feature.keys, feature.table.starts[window]) for window in feature.windows]
    values, is_found = (np.concatenate(arrays) for arrays in zip(*windows, strict=True))
    return _values(feature, values, is_found)


def _last(feature: _Feature) -> list[pa.Array]:
    return _newest(feature, 1)


def _previous(feature: _Feature) -> list[pa.Array]:
    return _newest(feature, 2)


def _newest(feature: _Feature, rank: int) -> list[pa.Array]:
    """The newest value, the newest but one, …: the last of a list of ``rank`` values."""
    lists = feature.table.newest[feature.of].read(feature.keys, feature.starts, rank)
    is_found = lists.length == rank
    values = np.zeros(len(is_found), np.int64)
    values[is_found] = lists.values[np.cumsum(lists.length)[is_found] - 1]
    return _values(feature, values, is_found)


def _last_n(feature: _Feature) -> list[pa.Array]:
    declaration, table = feature.declaration, feature.table
    if declaration.distinct:
        lists = newest_distinct(table.values[feature.of], feature.keys, feature.starts, declaration.n)
    else:
        lists = table.newest[feature.of].read(feature.keys, feature.starts, declaration.n)
    values_and_times = _lists(feature, lists)
    return values_and_times if declaration.times else values_and_times[:1]


def _time_since_last(feature: _Feature) -> list[pa.Array]:
    last = feature.table.last(feature.keys)
    return [_where(last != NEVER, last)]


def _decayed_sum(feature: _Feature) -> list[pa.Array]:
    last = feature.table.last(feature.keys)
    return [_where(last != NEVER, feature.table.mass(feature.name, feature.keys)), _where(last != NEVER, last)]


_COLUMNS_OF: dict[type[Aggregate], Callable[[_Feature], list[pa.Array]]] = {
    Count: _count,
    CountIf: _count_if,
    DecayedSum: _decayed_sum,
    Distinct: _distinct,
    First: _first,
    Last: _last,
    LastN: _last_n,
    Max: _max,
    Mean: _mean,
    Min: _min,
    Previous: _previous,
    Quantile: _quantile,
    Rate: _rate,
    Ratio: _ratio,
    Slope: _slope,
    Std: _std,
    Sum: _sum,
    TimeSinceLast: _time_since_last,
    TopK: _top_k,
}


def _where(is_valid: np.ndarray, values: np.ndarray) -> pa.Array:
    return pa.array(values, mask=None if is_valid.all() else ~is_valid)


def _values(feature: _Feature, values: np.ndarray, is_found: np.ndarray) -> list[pa.Array]:
    """Values of a column, of which codes or integers are given; null where none was found."""
    if feature.has_texts:
        return [feature.words.arrow.take(pa.array(values, mask=~is_found))]
    if feature.is_coded:
        values = feature.words.numbers[np.where(is_found, values, 0)] if is_found.any() else values
    return feature.numbers(is_found, values)


def _lists(feature: _Feature, lists: Lists) -> list[pa.Array]:
    offsets = np.zeros(len(lists.length) + 1, np.int32)
    np.cumsum(lists.length, out=offsets[1:])
    if feature.has_texts:
        values = feature.words.arrow.take(pa.array(lists.values))
    else:
        values = pa.array(feature.decoded(feature.words.numbers[lists.values] if feature.is_coded else lists.values))
    return [pa.ListArray.from_arrays(pa.array(offsets), array) for array in (values, pa.array(lists.numbers))]
