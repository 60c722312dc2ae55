"""Columns of a live table's rows."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

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
    Rate,
    Std,
    Sum,
    TimeSinceLast,
    TopK,
)
from transforms.stream.state.newest import NEVER, newest_distinct
from transforms.stream.state.sums import INT
from transforms.stream.state.words import Words
from transforms.windows.lists import Lists
from transforms.windows.rows import deviation

if TYPE_CHECKING:
    from transforms.stream.state.live_table import LiveTable


def columns(table: "LiveTable", keys: np.ndarray) -> dict[str, pa.Array]:
    """Column → (n,) values of some keys (sorted, without repeats)."""
    found: dict[str, pa.Array] = {}
    sums = [table.sums(number, keys) for number in range(len(table.table.spans))]
    for name, feature in table.table.features.items():
        make = _MAKERS[type(feature)]
        if feature.of_the_moment:
            fields = feature.fields(name, "", "String")
            found.update(_named(fields, make(table, name, feature, 0, None, keys)))
            continue
        for window in table.table.windows_of(feature):
            number = table.table.windows.index(window.name)
            fields = feature.fields(name, window.suffix, "String")
            found.update(_named(fields, make(table, name, feature, number, sums[number], keys)))
    return found


def _named(fields: list[tuple[str, str]], made: list[pa.Array]) -> dict[str, pa.Array]:
    return {column: values for (column, _), values in zip(fields, made, strict=True)}


def _part(table: "LiveTable", sums: np.ndarray, name: str) -> np.ndarray:
    return np.ascontiguousarray(sums[:, table.place[name]])


def _count(table: "LiveTable", name: str, feature: Count, window: int, sums: np.ndarray, keys: np.ndarray) -> list:
    return [pa.array(_part(table, sums, "n"))]


def _count_if(table: "LiveTable", name: str, feature: CountIf, window: int, sums: np.ndarray, keys: np.ndarray) -> list:
    return [pa.array(_part(table, sums, f"{name}.true"))]


def _sum(table: "LiveTable", name: str, feature: Sum, window: int, sums: np.ndarray, keys: np.ndarray) -> list:
    return [pa.array(_part(table, sums, f"{feature.of}.sum"))]


def _mean(table: "LiveTable", name: str, feature: Mean, window: int, sums: np.ndarray, keys: np.ndarray) -> list:
    n = _part(table, sums, f"{feature.of}.n")
    return [_where(n > 0, _part(table, sums, f"{feature.of}.sum") / np.maximum(n, 1))]


def _rate(table: "LiveTable", name: str, feature: Rate, window: int, sums: np.ndarray, keys: np.ndarray) -> list:
    n = _part(table, sums, "n")
    return [_where(n > 0, _part(table, sums, f"{name}.true") / np.maximum(n, 1))]


def _std(table: "LiveTable", name: str, feature: Std, window: int, sums: np.ndarray, keys: np.ndarray) -> list:
    n, total, squares = (_part(table, sums, f"{feature.of}.{part}") for part in ("n", "sum", "squares"))
    return [_where(n > 0, deviation(n, total, squares))]


def _min(table: "LiveTable", name: str, feature: Min, window: int, sums: np.ndarray, keys: np.ndarray) -> list:
    least = _part(table, sums, f"{feature.of}.min")
    return [_where(least != INT.max, least)]


def _max(table: "LiveTable", name: str, feature: Max, window: int, sums: np.ndarray, keys: np.ndarray) -> list:
    most = _part(table, sums, f"{feature.of}.max")
    return [_where(most != INT.min, most)]


def _distinct(
    table: "LiveTable", name: str, feature: Distinct, window: int, sums: np.ndarray, keys: np.ndarray
) -> list:
    return [pa.array(table.values[str(feature.of)].distinct(window, keys, feature.exact))]


def _top_k(table: "LiveTable", name: str, feature: TopK, window: int, sums: np.ndarray, keys: np.ndarray) -> list:
    lists = table.top(name, table.table.windows[window]).read(keys)
    return _lists(lists, table.words(str(feature.of)))


def _first(table: "LiveTable", name: str, feature: First, window: int, sums: np.ndarray, keys: np.ndarray) -> list:
    codes = table.oldest[str(feature.of)].read(window, keys, table.start(window))
    return [_texts(codes, table.words(str(feature.of)))]


def _last(table: "LiveTable", name: str, feature: Last, window: int, sums: np.ndarray, keys: np.ndarray) -> list:
    lists = table.newest[str(feature.of)].read(keys, table.start(window), 1)
    codes = np.full(len(keys), -1)
    codes[lists.length > 0] = lists.values
    return [_texts(codes, table.words(str(feature.of)))]


def _last_n(table: "LiveTable", name: str, feature: LastN, window: int, sums: np.ndarray, keys: np.ndarray) -> list:
    of, start = str(feature.of), table.start(window)
    if feature.distinct:
        lists = newest_distinct(table.values[of], keys, start, feature.n)
    else:
        lists = table.newest[of].read(keys, start, feature.n)
    made = _lists(lists, table.words(of))
    return made if feature.times else made[:1]


def _time_since_last(
    table: "LiveTable", name: str, feature: TimeSinceLast, window: int, sums: None, keys: np.ndarray
) -> list:
    last = table.last(keys)
    return [_where(last != NEVER, last)]


def _decayed_sum(table: "LiveTable", name: str, feature: DecayedSum, window: int, sums: None, keys: np.ndarray) -> list:
    last = table.last(keys)
    return [_where(last != NEVER, table.mass(name, keys)), _where(last != NEVER, last)]


_MAKERS: dict[type[Aggregate], Callable[..., list[Any]]] = {
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
    Rate: _rate,
    Std: _std,
    Sum: _sum,
    TimeSinceLast: _time_since_last,
    TopK: _top_k,
}


def _where(there: np.ndarray, values: np.ndarray) -> pa.Array:
    return pa.array(values, mask=None if there.all() else ~there)


def _texts(codes: np.ndarray, words: Words) -> pa.Array:
    return words.arrow.take(pa.array(codes, mask=codes < 0))


def _lists(lists: Lists, words: Words) -> list[pa.Array]:
    offsets = pa.array(np.concatenate([[0], np.cumsum(lists.length)]).astype(np.int32))
    texts = words.arrow.take(pa.array(lists.values))
    return [pa.ListArray.from_arrays(offsets, array) for array in (texts, pa.array(lists.beside))]
