"""Finds the distinct entities among the join keys of a lookup, and the place of each row among them."""

from dataclasses import dataclass

import numpy as np

from feature_repo.packed import entity_key


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

    def __len__(self) -> int:
        return len(self.distinct) if self.places is None else len(self.places)

    def rows(self, length: int) -> list[bytes | None]:
        """Return (length,) values; a single value is repeated for all rows."""
        if self.places is None:
            return [*self.distinct] * (length if len(self.distinct) == 1 else 1)
        values = [None if place < 0 else self.distinct[place] for place in self.places.tolist()]
        return values * length if len(values) == 1 else values


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
        return [entity_key.entity([*before, value, *after]) + b"}" for value in column.distinct], column.places
    key_rows = zip(*(column.rows(length) for column in columns), strict=True)
    entities = KeyColumn.from_rows([None if None in row else entity_key.entity(row) for row in key_rows])  # type: ignore[arg-type]
    return [entity + b"}" for entity in entities.distinct], entities.places
