"""Caches packed values of some views in memory for seconds, so that Redis is asked only for the other rows."""

import math
import time
from collections.abc import Mapping, Sequence
from typing import Protocol

from feature_repo.manifest import View
from feature_repo.packed.server import Server, get

MAX_ROWS = 500_000
"""Maximum number of cached rows per view, about 300 bytes each."""
Rows = dict[bytes, bytes | None]


class ViewLookup(Protocol):
    """The lookup of one view. Its entities are those of a group of join keys."""

    @property
    def view(self) -> View:
        """The view."""
        ...

    @property
    def group(self) -> int:
        """Index of the view's group of join keys among the groups of the request."""
        ...

    @property
    def prefix(self) -> bytes:
        """Prefix of the view's keys in Redis."""
        ...


class RowCache:
    """Caches rows by view. Safe to share between threads: at worst two of them look up the same row.

    Args:
        seconds: view → seconds for which its rows stay valid. Views that are not named are not cached.
    """

    def __init__(self, seconds: Mapping[str, float]) -> None:
        self._seconds = dict(seconds)
        self._views: dict[str, tuple[Rows, float]] = {}

    def __bool__(self) -> bool:
        return bool(self._seconds)

    def clear(self) -> None:
        """Empty the cache."""
        self._views = {}

    def get(
        self, server: Server, lookups: Sequence[ViewLookup], entities: Sequence[Sequence[bytes]]
    ) -> tuple[list[bytes | None], list[int]]:
        """Get the packed rows of all views from memory or Redis.

        Returns:
            The rows, one view after the other, and the ascending positions of those that were fetched from Redis.

        Raises:
            OnlineUnavailable: Redis does not answer.
        """
        now, start = time.monotonic(), 0
        packed_rows: list[bytes | None] = []
        fetched: list[int] = []
        redis_keys: list[bytes] = []
        for lookup in lookups:
            view_entities = entities[lookup.group]
            cached = self._cached_view(lookup.view.name, now)
            rows = [None] * len(view_entities) if cached is None else list(map(cached.get, view_entities))
            if None in rows:
                misses = [place for place, row in enumerate(rows) if row is None]
                fetched += [start + place for place in misses]
                redis_keys += [lookup.prefix + view_entities[place] for place in misses]
            packed_rows += rows
            start += len(view_entities)
        for place, value in zip(fetched, get(server, redis_keys), strict=True):
            packed_rows[place] = value
        return packed_rows, fetched

    def keep(
        self,
        lookups: Sequence[ViewLookup],
        entities: Sequence[Sequence[bytes]],
        packed_rows: Sequence[bytes | None],
        fetched: Sequence[int],
    ) -> None:
        """Cache the rows that ``get`` fetched, after they were checked."""
        start, place = 0, 0
        for lookup in lookups:
            view_entities = entities[lookup.group]
            cached = self._views.get(lookup.view.name, (None, 0.0))[0]
            while place < len(fetched) and fetched[place] < start + len(view_entities):
                if cached is not None:
                    cached[view_entities[fetched[place] - start]] = packed_rows[fetched[place]]
                place += 1
            start += len(view_entities)

    def _cached_view(self, view: str, now: float) -> Rows | None:
        """Return the cached rows of a view, emptied when they expire; None if the view is not cached."""
        max_age_s = self._seconds.get(view)
        if max_age_s is None:
            return None
        cached, filled_at = self._views.get(view, ({}, -math.inf))
        if now - filled_at > max_age_s or len(cached) > MAX_ROWS:
            cached = {}
            self._views[view] = (cached, now)
        return cached
