"""Holds decoded columns of some views in memory for seconds, so that Redis is asked only for the other rows.

Rows are numbered by their keys. The columns of a view are arrays, read by number, and all expire together: a view whose
time is over starts with empty columns. A row that was not found is not held, so that a new row is found at once.
"""

import threading
import time
from collections.abc import Mapping, Sequence

import numpy as np

from feature_repo.packed.decode import Block, Mixed
from inference.features.columns import ColumnRows, Columns
from inference.features.entities import GroupKeys
from inference.features.known_keys import KnownKeys
from inference.features.plan import Lookup, Plan

MAX_ROWS = 500_000
"""Maximum number of rows that are held of a view, each of at most a few hundred bytes."""
FIRST_ROWS = 1_024
"""Number of rows that new columns have room for."""
NO_KEY = 0
"""Number of a missing key; there is never a row for it."""


class NumberedEntities:
    """Numbers of the entities of one group of join keys, and the columns of its views."""

    def __init__(self) -> None:
        self.entities: list[bytes] = [b""]
        self._number: dict[bytes, int] = {}
        self._numbers_of_known: dict[int, tuple[KnownKeys, np.ndarray]] = {}
        self.views: dict[str, tuple[Columns, float]] = {}
        """View → its columns, and the time of the monotonic clock at which they were empty."""

    def __len__(self) -> int:
        return len(self.entities)

    def of_entities(self, entities: Sequence[bytes]) -> np.ndarray:
        """Return the (n,) numbers of entities, new ones for those that have none. The caller holds the lock."""
        numbers = [self._number.get(entity, NO_KEY) for entity in entities]
        if NO_KEY in numbers:
            for place, number in enumerate(numbers):
                if number == NO_KEY:
                    entity = entities[place]
                    numbers[place] = self._number.setdefault(entity, len(self.entities))
                    if numbers[place] == len(self.entities):
                        self.entities.append(entity)
        return np.array(numbers, np.int64)

    def of_known(self, known: KnownKeys, parts: Sequence[bytes], rows: np.ndarray) -> np.ndarray:
        """Return the (n,) numbers of rows that are given as numbers of known keys. The caller holds the lock."""
        _, numbers_of = self._numbers_of_known.setdefault(id(known), (known, _unnumbered(len(parts))))
        numbers: np.ndarray = numbers_of[rows]
        if numbers.min(initial=0) < 0:
            new = np.unique(rows[numbers < 0])
            numbers_of[new] = self.of_entities([parts[row] + b"}" for row in new.tolist()])
            numbers = numbers_of[rows]
        return numbers


class HeldView:
    """The rows of one view in one lookup: what is held of them, and what has to be fetched.

    Attributes:
        redis_keys: Redis keys of the rows to fetch.
        places: (n,) index of each row of the lookup among ``rows``; None if they are the same.
    """

    def __init__(
        self, lookup: Lookup, columns: Columns, entities: list[bytes], numbers: np.ndarray, places: np.ndarray | None
    ) -> None:
        self._columns, self._numbers, self.places = columns, numbers, places
        is_held = columns.is_held[numbers]
        missing = numbers[:0]
        if not is_held.all():
            missing = np.unique(numbers[~is_held])
            missing = missing[missing != NO_KEY]
        self._missing = missing
        self.redis_keys = [lookup.prefix + entities[number] for number in missing.tolist()]

    def keep(self, found: np.ndarray, block: Block | Mixed) -> None:
        """Hold fetched rows: those of ``redis_keys`` that were found. The caller holds the lock."""
        self._columns.write(self._missing[found], block)

    def rows(self) -> ColumnRows:
        """Return the rows."""
        return ColumnRows(self._columns, self._numbers)


class ColumnCache:
    """Holds columns by view. Safe to share between threads: at worst two of them look up the same row.

    Args:
        seconds: view → seconds for which its rows stay valid. Views that are not named are not held.
    """

    def __init__(self, seconds: Mapping[str, float]) -> None:
        self._seconds, self._lock = dict(seconds), threading.Lock()
        self._groups: dict[int, NumberedEntities] = {}

    def views(self, plan: Plan, groups: Sequence[GroupKeys]) -> list[HeldView | None]:
        """Find the rows of a lookup by view; None for a view that is not held.

        Args:
            plan: plan of the lookup, always the same one.
            groups: the keys of its groups.
        """
        now, numbers = time.monotonic(), dict[int, np.ndarray]()
        views: list[HeldView | None] = []
        with self._lock:
            for number, lookup in enumerate(plan.lookups):
                if lookup.view.name not in self._seconds:
                    views.append(None)
                    continue
                keys = groups[lookup.group]
                if lookup.group not in numbers:
                    numbers[lookup.group] = self._numbers(lookup.group, keys)
                numbered = self._groups[lookup.group]
                columns = self._columns(numbered, plan, number, now)
                places = keys.places if keys.known is None else None
                views.append(HeldView(lookup, columns, numbered.entities, numbers[lookup.group], places))
        return views

    def keep(self, view: HeldView, found: np.ndarray, block: Block | Mixed) -> None:
        """Hold the rows of a view that were fetched.

        Args:
            view: the view in the lookup.
            found: (k,) indices in ``redis_keys`` of the rows that were found.
            block: the k rows.

        Raises:
            StoreError: a value is damaged; nothing of the block is held.
        """
        with self._lock:
            view.keep(found, block)

    def _numbers(self, group: int, keys: GroupKeys) -> np.ndarray:
        numbered = self._groups.get(group)
        if numbered is None or len(numbered) > MAX_ROWS:
            numbered = self._groups[group] = NumberedEntities()
        known = keys.known
        return numbered.of_entities(keys.entities) if known is None else numbered.of_known(*known)

    def _columns(self, numbered: NumberedEntities, plan: Plan, number: int, now: float) -> Columns:
        """Return the columns of a view with room for all numbers; empty ones if they have expired."""
        view = plan.lookups[number].view.name
        columns, filled_at = numbered.views.get(view, (None, now))
        if columns is None or now - filled_at > self._seconds[view]:
            capacity = max(FIRST_ROWS, 2 * len(numbered))
            columns, filled_at = Columns(plan.lookups[number].schema, plan.held_features(number), capacity), now
        elif len(numbered) > columns.capacity:
            columns = columns.grown(2 * len(numbered))
        numbered.views[view] = columns, filled_at
        return columns


def _unnumbered(count: int) -> np.ndarray:
    """Return the numbers of ``count`` known keys that have none yet, -1, and of the missing key, which is the last."""
    numbers = np.full(count + 1, -1, np.int32)
    numbers[-1] = NO_KEY
    return numbers
