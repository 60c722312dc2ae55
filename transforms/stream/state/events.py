"""Events of one source as columns of numbers, and conditions on them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import combinations
from typing import Any

import numpy as np

from feature_repo.windows import Condition, EventSource
from feature_repo.windows.condition import OPERATORS
from transforms.stream.state.pairs import Pairs
from transforms.stream.state.words import Words


@dataclass(frozen=True)
class Events:
    """Some events.

    Attributes:
        time: (n,) when they happened, microseconds since 1970.
        created: (n,) when we learned of them.
        texts: column → (n,) codes, −1 where missing.
        numbers: column → (n,) integers, 0 where missing; truths are 0 or 1.
        there: column of numbers → (n,) whether it was told.
        words: column of texts → what the codes stand for.
        pairs: two columns of texts → the numbers of their pairs.
    """

    time: np.ndarray
    created: np.ndarray
    texts: Mapping[str, np.ndarray]
    numbers: Mapping[str, np.ndarray]
    there: Mapping[str, np.ndarray]
    words: Mapping[str, Words]
    pairs: Mapping[frozenset[str], Pairs]
    _numbers: dict[frozenset[str], np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.time)

    def keep(self, some: np.ndarray | slice) -> "Events":
        """A part of them: a mask, places or a slice."""
        texts, numbers, there = (
            {name: column[some] for name, column in group.items()} for group in (self.texts, self.numbers, self.there)
        )
        return Events(self.time[some], self.created[some], texts, numbers, there, self.words, self.pairs)

    def numbers_of(self, columns: frozenset[str]) -> np.ndarray:
        """(n,) numbers of the pairs of two columns of which no text is missing; several tables ask for the same."""
        if columns not in self._numbers:
            self._numbers[columns] = self.pairs[columns].of_columns(*((name, self.texts[name]) for name in columns))
        return self._numbers[columns]

    @classmethod
    def concat(cls, pieces: "Sequence[Events]") -> "Events":
        """One after the other; at least one."""
        if len(pieces) == 1:
            return pieces[0]
        time, created = (np.concatenate([getattr(piece, name) for piece in pieces]) for name in ("time", "created"))
        texts, numbers, there = (
            {
                name: np.concatenate([getattr(piece, group)[name] for piece in pieces])
                for name in getattr(pieces[0], group)
            }
            for group in ("texts", "numbers", "there")
        )
        return cls(time, created, texts, numbers, there, pieces[0].words, pieces[0].pairs)


class Coder:
    """Makes ``Events`` of columns as they are told.

    Args:
        source: kind of event.
        tenant: stands in the columns that all events share.
    """

    def __init__(self, source: EventSource, tenant: str) -> None:
        self.source = source
        self.words = {name: Words() for name in (*source.columns, *source.shared) if source.dtype(name) == "String"}
        self.pairs = {frozenset(both): Pairs() for both in combinations(self.words, 2)}
        for name in source.shared:
            self.words[name].codes([tenant])

    def events(self, time: Iterable[int], created: Iterable[int], columns: Mapping[str, Sequence[Any]]) -> Events:
        """Columns of Python values, None where something is missing."""
        texts, numbers, there = {}, {}, {}
        times = np.array(time, np.int64)
        for name, dtype in self.source.columns.items():
            told = columns[name]
            if dtype == "String":
                texts[name] = self.words[name].codes(told)
                continue
            if None in told:
                there[name] = np.array([value is not None for value in told])
                numbers[name] = np.array([value or 0 for value in told], np.int64)
            else:
                there[name], numbers[name] = np.ones(len(told), bool), np.array(told, np.int64)
        texts |= {name: np.zeros(len(times), np.int64) for name in self.source.shared}
        return Events(times, np.array(created, np.int64), texts, numbers, there, self.words, self.pairs)


def holds(condition: Condition, events: Events) -> np.ndarray:
    """(n,) whether each event fulfils it."""
    if condition.operator in ("and", "or"):
        of = np.logical_and if condition.operator == "and" else np.logical_or
        return reduce(of, (holds(part, events) for part in condition.parts))
    if condition.operator == "not":
        return ~holds(condition.parts[0], events)
    name = condition.parts[0]
    codes = events.texts.get(name)
    there = events.there[name] if codes is None else codes >= 0
    if condition.operator == "missing":
        return ~there
    compare, value = OPERATORS[condition.operator], condition.parts[1]
    if codes is not None:
        known, place = np.unique(codes, return_inverse=True)
        texts = events.words[name].texts
        return there & np.array([code >= 0 and bool(compare(texts[code], value)) for code in known], bool)[place]
    numbers = events.numbers[name]
    return there & (np.isin(numbers, list(value)) if condition.operator == "in" else compare(numbers, value))
