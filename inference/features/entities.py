"""Join keys as given to distinct entities, and where each row's is among them."""

from dataclasses import dataclass

import numpy as np

from feature_repo.packed import entity_key


@dataclass(frozen=True)
class Column:
    """One join key's values.

    Attributes:
        distinct: each once, None left out, in the order in which they come.
        places: (rows,) where each row's value is among them, -1 for None; None if they are the rows.
    """

    distinct: list[bytes]
    places: np.ndarray | None

    @classmethod
    def of(cls, rows: list[bytes | None]) -> "Column":
        """Of a value for each row."""
        number: dict[bytes | None, int] = {row: place for place, row in enumerate(dict.fromkeys(rows))}
        if None in number:
            there = [row for row in number if row is not None]
            number = {row: place for place, row in enumerate(there)} | {None: -1}
            return cls(there, np.array([number[row] for row in rows], np.int64))
        distinct: list[bytes] = list(number)  # type: ignore[arg-type]
        if len(distinct) == len(rows):
            return cls(distinct, None)
        return cls(distinct, np.array([number[row] for row in rows], np.int64))

    def __len__(self) -> int:
        return len(self.distinct) if self.places is None else len(self.places)

    def rows(self, length: int) -> list[bytes | None]:
        """(length,) values; a single one counts for all."""
        if self.places is None:
            return [*self.distinct] * (length if len(self.distinct) == 1 else 1)
        found = [None if place < 0 else self.distinct[place] for place in self.places.tolist()]
        return found * length if len(found) == 1 else found


def distinct_entities(columns: list[Column], length: int) -> tuple[list[bytes], np.ndarray | None]:
    """Distinct entities (with the closing brace of their names), and where each row's is; None if they are the rows."""
    several = [number for number, column in enumerate(columns) if len(column) > 1]
    single = [column.distinct for number, column in enumerate(columns) if number not in several]
    if [] in single:  # a null key
        return [], np.full(length, -1)
    if not several:
        only = entity_key.entity([values[0] for values in single]) + b"}"
        return [only], None if length == 1 else np.zeros(length, np.int64)
    if len(several) == 1:
        one, place = columns[several[0]], several[0]
        if len(columns) == 1:
            return [value + b"}" for value in one.distinct], one.places
        before, after = [values[0] for values in single[:place]], [values[0] for values in single[place:]]
        return [entity_key.entity([*before, value, *after]) + b"}" for value in one.distinct], one.places
    spread = zip(*(column.rows(length) for column in columns), strict=True)
    joined = Column.of([None if None in row else entity_key.entity(row) for row in spread])  # type: ignore[arg-type]
    return [entity + b"}" for entity in joined.distinct], joined.places
