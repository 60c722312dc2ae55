"""Events of one source as columns of numbers, and conditions on them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import combinations
from typing import Any

import numpy as np

from feature_repo.windows import Condition, EventSource
from feature_repo.windows.condition import OPERATORS
from feature_repo.windows.units import Days
from transforms.stream.state.pairs import Pairs
from transforms.stream.state.words import Words

_ANY_DAY = "1970-01-01"


@dataclass(frozen=True)
class Events:
    """Events of one source as columns of numbers.

    Attributes:
        time: (n,) event times, microseconds since 1970.
        created: (n,) created times, microseconds since 1970.
        texts: coded column (of texts, or of integers that are counted as texts are) → (n,) codes, −1 where missing.
        numbers: number column → (n,) numbers, 0 where missing; booleans are 0 or 1. A Float64 column has its units
            beside it, and a Date column its days, see ``EventSource.integers``.
        present: number or Date column → (n,) whether the event has a value.
        words: coded column → the values that its codes stand for.
        pairs: two coded columns → the numbers of their pairs of codes.
    """

    time: np.ndarray
    created: np.ndarray
    texts: Mapping[str, np.ndarray]
    numbers: Mapping[str, np.ndarray]
    present: Mapping[str, np.ndarray]
    words: Mapping[str, Words]
    pairs: Mapping[frozenset[str], Pairs]
    _numbers: dict[frozenset[str], np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.time)

    def keep(self, selection: np.ndarray | slice) -> "Events":
        """Selects events by a mask, by row numbers or by a slice."""
        texts, numbers, present = (
            {name: column[selection] for name, column in group.items()}
            for group in (self.texts, self.numbers, self.present)
        )
        return Events(self.time[selection], self.created[selection], texts, numbers, present, self.words, self.pairs)

    def numbers_of(self, columns: frozenset[str]) -> np.ndarray:
        """(n,) numbers of the pairs of two coded columns without missing values; cached, as several tables use them."""
        if columns not in self._numbers:
            self._numbers[columns] = self.pairs[columns].of_columns(*((name, self.texts[name]) for name in columns))
        return self._numbers[columns]

    @classmethod
    def concat(cls, pieces: "Sequence[Events]") -> "Events":
        """Concatenates pieces in their order; there must be at least one."""
        if len(pieces) == 1:
            return pieces[0]
        time, created = (np.concatenate([getattr(piece, name) for piece in pieces]) for name in ("time", "created"))
        texts, numbers, present = (
            {
                name: np.concatenate([getattr(piece, group)[name] for piece in pieces])
                for name in getattr(pieces[0], group)
            }
            for group in ("texts", "numbers", "present")
        )
        return cls(time, created, texts, numbers, present, pieces[0].words, pieces[0].pairs)


class Coder:
    """Encodes columns of Python values as ``Events``.

    Args:
        source: the kind of event.
        tenant: value of the columns that all events share.
        coded: further columns whose values have codes, see ``WindowedTable.coded``; other sources' are left out.
    """

    def __init__(self, source: EventSource, tenant: str, coded: Iterable[str] = ()) -> None:
        self.source, self._coded = source, source.columns.keys() & set(coded)
        self.words = {name: Words() for name in (*source.columns, *source.shared) if source.holds_texts(name)}
        self.words |= {name: Words() for name in sorted(self._coded)}
        self.pairs = {frozenset(columns): Pairs() for columns in combinations(self.words, 2)}
        self._units = {name: source.units(name) for name in source.columns}
        for name in source.shared:
            self.words[name].codes([tenant])

    def events(self, time: Iterable[int], created: Iterable[int], columns: Mapping[str, Sequence[Any]]) -> Events:
        """Encodes columns of Python values, in which None is a missing value."""
        texts, numbers, present = {}, {}, {}
        times = np.array(time, np.int64)
        for name, dtype in self.source.columns.items():
            values = columns[name]
            if self.source.holds_texts(name):
                codes = texts[name] = self.words[name].codes(values)
                if dtype == "Date":
                    present[name] = codes >= 0
                    numbers[self.source.integers(name)] = Days.encode([value or _ANY_DAY for value in values])
                continue
            units = self._units[name]
            number_type = np.int64 if units is None else np.float64
            if None in values:
                present[name] = np.array([value is not None for value in values])
                numbers[name] = np.array([value or 0 for value in values], number_type)
            else:
                present[name], numbers[name] = np.ones(len(values), bool), np.array(values, number_type)
            if units is not None:
                numbers[self.source.integers(name)] = units.encode(numbers[name])
            if name in self._coded:
                texts[name] = np.full(len(times), -1)
                integers = numbers[self.source.integers(name)][present[name]]
                texts[name][present[name]] = self.words[name].codes(integers.tolist())
        texts |= {name: np.zeros(len(times), np.int64) for name in self.source.shared}
        return Events(times, np.array(created, np.int64), texts, numbers, present, self.words, self.pairs)


def holds(condition: Condition, events: Events) -> np.ndarray:
    """(n,) whether each event fulfils the condition."""
    if condition.operator in ("and", "or"):
        combine = np.logical_and if condition.operator == "and" else np.logical_or
        return reduce(combine, (holds(part, events) for part in condition.parts))
    if condition.operator == "not":
        return ~holds(condition.parts[0], events)
    name = condition.parts[0]
    codes = None if name in events.numbers else events.texts.get(name)
    present = events.present[name] if codes is None else codes >= 0
    if condition.operator == "missing":
        return ~present
    compare, value = OPERATORS[condition.operator], condition.parts[1]
    if codes is not None:
        distinct_codes, position = np.unique(codes, return_inverse=True)
        texts = events.words[name].texts
        return (
            present
            & np.array([code >= 0 and bool(compare(texts[code], value)) for code in distinct_codes], bool)[position]
        )
    numbers = events.numbers[name]
    return present & (np.isin(numbers, list(value)) if condition.operator == "in" else compare(numbers, value))
