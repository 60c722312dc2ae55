"""Finds the distinct entities among the join keys of a lookup, and the place of each row among them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from feature_repo.keys import key_parts
from feature_repo.packed import entity_key
from inference.features.known_keys import KnownKeys, NumberedKeys


@dataclass(frozen=True)
class KeyColumn:
    """The values of one join key.

    Attributes:
        distinct: distinct values without None, in order of first appearance.
        places: (rows,) index of each row's value in ``distinct``, -1 for None; None if ``distinct`` has the rows as
            they are.
    """

    distinct: list[bytes]
    places: np.ndarray | None

    @classmethod
    def from_rows(cls, rows: list[bytes | None]) -> "KeyColumn":
        """Make a column from the values of all rows."""
        number: dict[bytes | None, int] = {row: place for place, row in enumerate(dict.fromkeys(rows))}
        if None in number:
            present = [row for row in number if row is not None]
            number = {row: place for place, row in enumerate(present)} | {None: -1}
            return cls(present, np.array([number[row] for row in rows], np.int64))
        distinct: list[bytes] = list(number)  # type: ignore[arg-type]
        if len(distinct) == len(rows):
            return cls(distinct, None)
        return cls(distinct, np.array([number[row] for row in rows], np.int64))

    @classmethod
    def from_numbers(cls, parts: Sequence[bytes], numbers: np.ndarray) -> "KeyColumn":
        """Make a column from numbers of known keys; where values repeat, they are in the order of their numbers.

        Args:
            parts: the known keys as bytes.
            numbers: (rows,) numbers among them, -1 for None.
        """
        if not len(numbers):
            return cls([], None)
        distinct, places = numbers, None
        if not (numbers[1:] > numbers[:-1]).all():
            distinct, places = np.unique(numbers, return_inverse=True)
            if len(distinct) == len(numbers) and distinct[0] >= 0:  # each once: the rows as they are
                distinct, places = numbers, None
        if distinct[0] < 0:
            distinct, places = distinct[1:], np.arange(-1, len(numbers) - 1) if places is None else places - 1
        return cls([parts[number] for number in distinct.tolist()], places)

    def __len__(self) -> int:
        return len(self.distinct) if self.places is None else len(self.places)

    def rows(self, length: int) -> list[bytes | None]:
        """Return (length,) values; a single value is repeated for all rows."""
        if self.places is None:
            return [*self.distinct] * (length if len(self.distinct) == 1 else 1)
        values = [None if place < 0 else self.distinct[place] for place in self.places.tolist()]
        return values * length if len(values) == 1 else values


class KeyValues:
    """The values of one join key of a lookup; the distinct ones are found when somebody asks for them.

    Args:
        values: the key's values as they were given.
        dtype: Feast's name of the key's type.
        key: name of the join key.

    Raises:
        InputError: a value does not fit the type.
    """

    def __init__(self, values: Sequence[Any], dtype: str, key: str) -> None:
        self.numbered: NumberedKeys | None = None
        if isinstance(values, NumberedKeys) and len(values) > 1:
            self.numbered, self.parts = values, values.known.parts(dtype, key)
        else:
            self._rows = key_parts(values, dtype, key)

    @cached_property
    def column(self) -> KeyColumn:
        """The distinct values."""
        if self.numbered is None:
            return KeyColumn.from_rows(self._rows)
        return KeyColumn.from_numbers(self.parts, self.numbered.numbers)


class GroupKeys:
    """The keys of one group of views: those with the same join keys.

    Args:
        values: the values of each join key, sorted by its name.
        length: number of rows.
    """

    def __init__(self, values: Sequence[KeyValues], length: int) -> None:
        self._values, self._length = values, length

    @property
    def known(self) -> tuple[KnownKeys, list[bytes], np.ndarray] | None:
        """Known keys, as bytes, and the (n,) numbers of the rows; None if the rows are not so given."""
        only = self._values[0] if len(self._values) == 1 else None
        if only is None or only.numbered is None:
            return None
        return only.numbered.known, only.parts, only.numbered.numbers

    @cached_property
    def _distinct(self) -> tuple[list[bytes], np.ndarray | None]:
        return distinct_entities([values.column for values in self._values], self._length)

    @property
    def entities(self) -> list[bytes]:
        """The distinct entities, with the closing brace of their Redis keys."""
        return self._distinct[0]

    @property
    def places(self) -> np.ndarray | None:
        """(n,) index of each row's entity, -1 for a missing key; None if the entities are the rows as they are."""
        return self._distinct[1]


def distinct_entities(columns: list[KeyColumn], length: int) -> tuple[list[bytes], np.ndarray | None]:
    """Return the distinct entities (with the closing brace of their Redis keys) and each row's index among them.

    The index is None if the entities are the rows as they are.
    """
    varying = [number for number, column in enumerate(columns) if len(column) > 1]
    constants = [column.distinct for number, column in enumerate(columns) if number not in varying]
    if [] in constants:  # a null key
        return [], np.full(length, -1)
    if not varying:
        entity = entity_key.entity([values[0] for values in constants]) + b"}"
        return [entity], None if length == 1 else np.zeros(length, np.int64)
    if len(varying) == 1:
        column, place = columns[varying[0]], varying[0]
        if len(columns) == 1:
            return [value + b"}" for value in column.distinct], column.places
        before, after = [values[0] for values in constants[:place]], [values[0] for values in constants[place:]]
        return entity_key.entities(before, column.distinct, after, ending=b"}"), column.places
    key_rows = zip(*(column.rows(length) for column in columns), strict=True)
    entities = KeyColumn.from_rows([None if None in row else entity_key.entity(row) for row in key_rows])  # type: ignore[arg-type]
    return [entity + b"}" for entity in entities.distinct], entities.places
