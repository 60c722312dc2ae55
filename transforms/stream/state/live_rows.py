"""Rows of a live table: moments and columns."""

from collections.abc import Callable
from dataclasses import dataclass
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
    Rate,
    Std,
    Sum,
    TimeSinceLast,
    TopK,
)
from transforms.batch.windows.lists import Lists
from transforms.batch.windows.rows import deviation
from transforms.stream.state.live_table import LiveTable
from transforms.stream.state.newest import NEVER, newest_distinct
from transforms.stream.state.sums import INT
from transforms.stream.state.words import Words


@dataclass
class LiveRows:
    """Rows of a live table.

    Attributes:
        codes: (n,) of their keys, sorted.
        event: (n,) moments, microseconds.
        created: (n,) when they could be known.
        columns: columns of one type → (their number × n,) values, one column after the other.
    """

    codes: np.ndarray
    event: np.ndarray
    created: np.ndarray
    columns: dict[tuple[str, ...], pa.Array]

    @classmethod
    def of(cls, table: LiveTable, keys: np.ndarray) -> "LiveRows":
        """The newest row of each of some keys (sorted, without repeats)."""
        return cls(keys, *table.times(keys), _columns(table, keys))


@dataclass
class _Asked:
    """What a column is made of.

    Attributes:
        table: whose.
        keys: (n,) sorted, without repeats.
        name: of the feature.
        feature: its declaration.
        windows: (w,) numbers of its windows.
        sums: (parts, w, n) of the keys.
    """

    table: LiveTable
    keys: np.ndarray
    name: str
    feature: Any
    windows: list[int]
    sums: np.ndarray

    def part(self, name: str) -> np.ndarray:
        """(w·n,) window by window."""
        return self.sums[self.table.place[name]].ravel()

    @property
    def of(self) -> str:
        """The column that is read."""
        return str(self.feature.of)

    @property
    def starts(self) -> np.ndarray:
        """(w,) first moments."""
        return self.table.starts[self.windows]

    @property
    def words(self) -> Words:
        """Texts of the column that is read."""
        return self.table.words(self.of)


def _columns(table: LiveTable, keys: np.ndarray) -> dict[tuple[str, ...], pa.Array]:
    """Columns of one type → (columns · n,) values of some keys (sorted, without repeats), column by column."""
    sums = np.ascontiguousarray(table.sums(keys).transpose(2, 1, 0))
    by_type: dict[pa.DataType, tuple[list[str], list[pa.Array]]] = {}
    for name, feature in table.table.features.items():
        windows = table.windows.get(name, [])
        mine = sums if len(windows) == sums.shape[1] else sums[:, windows]
        made = _MAKERS[type(feature)](_Asked(table, keys, name, feature, windows, mine))
        for names, values in zip(table.names[name], made, strict=True):
            all_names, arrays = by_type.setdefault(values.type, ([], []))
            all_names.extend(names)
            arrays.append(values)
    return {tuple(names): pa.concat_arrays(arrays) for names, arrays in by_type.values()}


def _count(asked: _Asked) -> list[pa.Array]:
    return [pa.array(asked.part("n"))]


def _count_if(asked: _Asked) -> list[pa.Array]:
    return [pa.array(asked.part(f"{asked.name}.true"))]


def _sum(asked: _Asked) -> list[pa.Array]:
    return [pa.array(asked.part(f"{asked.of}.sum"))]


def _mean(asked: _Asked) -> list[pa.Array]:
    n = asked.part(f"{asked.of}.n")
    return [_where(n > 0, asked.part(f"{asked.of}.sum") / np.maximum(n, 1))]


def _rate(asked: _Asked) -> list[pa.Array]:
    n = asked.part("n")
    return [_where(n > 0, asked.part(f"{asked.name}.true") / np.maximum(n, 1))]


def _std(asked: _Asked) -> list[pa.Array]:
    n, total, squares = (asked.part(f"{asked.of}.{part}") for part in ("n", "sum", "squares"))
    return [_where(n > 0, deviation(n, total, squares))]


def _min(asked: _Asked) -> list[pa.Array]:
    least = asked.part(f"{asked.of}.min")
    return [_where(least != INT.max, least)]


def _max(asked: _Asked) -> list[pa.Array]:
    most = asked.part(f"{asked.of}.max")
    return [_where(most != INT.min, most)]


def _distinct(asked: _Asked) -> list[pa.Array]:
    count = asked.table.values[asked.of].distinct(asked.keys, asked.feature.exact)
    return [pa.array(count[:, asked.windows].T.ravel())]


def _top_k(asked: _Asked) -> list[pa.Array]:
    return _lists(asked.table.top[asked.name].read(asked.keys), asked.words)


def _first(asked: _Asked) -> list[pa.Array]:
    oldest = asked.table.oldest[asked.of]
    codes = [oldest.read(window, asked.keys, asked.table.starts[window]) for window in asked.windows]
    return [_texts(np.concatenate(codes), asked.words)]


def _last(asked: _Asked) -> list[pa.Array]:
    lists = asked.table.newest[asked.of].read(asked.keys, asked.starts, 1)
    codes = np.full(len(lists.length), -1)
    codes[lists.length > 0] = lists.values
    return [_texts(codes, asked.words)]


def _last_n(asked: _Asked) -> list[pa.Array]:
    feature, table = asked.feature, asked.table
    if feature.distinct:
        lists = newest_distinct(table.values[asked.of], asked.keys, asked.starts, feature.n)
    else:
        lists = table.newest[asked.of].read(asked.keys, asked.starts, feature.n)
    made = _lists(lists, asked.words)
    return made if feature.times else made[:1]


def _time_since_last(asked: _Asked) -> list[pa.Array]:
    last = asked.table.last(asked.keys)
    return [_where(last != NEVER, last)]


def _decayed_sum(asked: _Asked) -> list[pa.Array]:
    last = asked.table.last(asked.keys)
    return [_where(last != NEVER, asked.table.mass(asked.name, asked.keys)), _where(last != NEVER, last)]


_MAKERS: dict[type[Aggregate], Callable[[_Asked], list[pa.Array]]] = {
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
    offsets = np.zeros(len(lists.length) + 1, np.int32)
    np.cumsum(lists.length, out=offsets[1:])
    texts = words.arrow.take(pa.array(lists.values))
    return [pa.ListArray.from_arrays(pa.array(offsets), array) for array in (texts, pa.array(lists.beside))]
