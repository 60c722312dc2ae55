"""Holds decoded columns of some views in memory for seconds, so that Redis is asked only for the other rows.

Rows are numbered by their keys. The columns of a view are arrays, read by number, and all expire together: a view whose
time is over starts with empty columns. A row that was not found is not held, so that a new row is found at once.
"""

import threading
import time
from collections.abc import Mapping, Sequence

import numpy as np

from feature_repo.distinct import distinct
from inference.features.columns import ColumnRows, Columns
from inference.features.entities import GroupKeys
from inference.features.fetch import OlderSchemas, Rows, decode_found
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
            new = distinct(rows[numbers < 0])
            numbers_of[new] = self.of_entities([parts[row] + b"}" for row in new.tolist()])
            numbers = numbers_of[rows]
        return numbers


class HeldView:
    """The rows of one view in one lookup, of which those that are not held are fetched.

    Attributes:
        redis_keys: Redis keys of the rows to fetch.
    """

    def __init__(
        self,
        lookup: Lookup,
        older: OlderSchemas,
        columns: Columns,
        entities: list[bytes],
        numbers: np.ndarray,
        places: np.ndarray | None,
        lock: threading.Lock,
    ) -> None:
        self._schema, self._older, self._lock = lookup.schema, older, lock
        self._columns, self._numbers, self._places = columns, numbers, places
        is_held = columns.is_held[numbers]
        self._missing = numbers[:0]
        if not is_held.all():
            missing = distinct(numbers[~is_held])
            self._missing = missing[missing != NO_KEY]
        self.redis_keys = [lookup.prefix + entities[number] for number in self._missing.tolist()]

    def rows(self, packed: Sequence[bytes | None]) -> Rows:
        """Hold the fetched rows, and return those of the lookup; see ``Fetch``."""
        if packed:
            places, block = decode_found(packed, self._schema, self._older)
            if len(places):
                with self._lock:
                    self._columns.write(self._missing[places], block)
        return ColumnRows(self._columns, self._numbers), self._places


class ColumnCache:
    """Holds columns by view. Safe to share between threads: at worst two of them look up the same row.

    Args:
        seconds: view → seconds for which its rows stay valid. Views that are not named are not held.
    """

    def __init__(self, seconds: Mapping[str, float]) -> None:
        self._seconds, self._lock = dict(seconds), threading.Lock()
        self._groups: dict[int, NumberedEntities] = {}

    def views(self, plan: Plan, groups: Sequence[GroupKeys]) -> dict[int, HeldView]:
        """Find the rows of a lookup in the views that are held, by index of the view.

        Args:
            plan: plan of the lookup, always the same one.
            groups: the keys of its groups.
        """
        now, numbers = time.monotonic(), dict[int, np.ndarray]()
        views: dict[int, HeldView] = {}
        with self._lock:
            for number, lookup in enumerate(plan.lookups):
                if lookup.view.name not in self._seconds:
                    continue
                keys = groups[lookup.group]
                if lookup.group not in numbers:
                    numbers[lookup.group] = self._numbers(lookup.group, keys)
                numbered = self._groups[lookup.group]
                columns = self._columns(numbered, plan, number, now)
                places = keys.places if keys.known is None else None
                older, entities = plan.older_schemas[number], numbered.entities
                views[number] = HeldView(lookup, older, columns, entities, numbers[lookup.group], places, self._lock)
        return views

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
