"""A cache of packed values: rows of chosen views are answered from memory for some seconds instead of from Redis."""

import math
import time
from collections.abc import Mapping, Sequence
from typing import Protocol

from feature_repo.manifest import View
from feature_repo.packed.server import Server, get

MOST_CACHED = 500_000
"""Maximum number of cached rows of one view, about 300 bytes each."""
Rows = dict[bytes, bytes | None]


class ViewLookup(Protocol):
    """A lookup of one view, by one of the groups of join keys in a request."""

    @property
    def view(self) -> View:
        """The view to look up."""
        ...

    @property
    def group(self) -> int:
        """Index of the view's join keys among the groups of the request."""
        ...

    @property
    def prefix(self) -> bytes:
        """Prefix of the view's keys in Redis."""
        ...


class HeldRows:
    """A cache of rows by view. Safe to share between threads: at worst two of them look up the same row.

    Args:
        seconds: view → lifetime of its cached rows; views that are not named are not cached.
    """

    def __init__(self, seconds: Mapping[str, float]) -> None:
        self._seconds = dict(seconds)
        self._views: dict[str, tuple[Rows, float]] = {}

    def __bool__(self) -> bool:
        return bool(self._seconds)

    def clear(self) -> None:
        """Drop all cached rows."""
        self._views = {}

    def get(
        self, server: Server, lookups: Sequence[ViewLookup], entities: Sequence[Sequence[bytes]]
    ) -> tuple[list[bytes | None], list[int]]:
        """Return the rows of all views, one view after the other, and the places of rows fetched from Redis, in order.

        Raises:
            OnlineUnavailable: the server does not answer.
        """
        now, start = time.monotonic(), 0
        packed_rows: list[bytes | None] = []
        fetched: list[int] = []
        redis_keys: list[bytes] = []
        for lookup in lookups:
            view_entities = entities[lookup.group]
            cache = self._cache_of(lookup.view.name, now)
            rows = [None] * len(view_entities) if cache is None else list(map(cache.get, view_entities))
            if None in rows:
                missing = [place for place, row in enumerate(rows) if row is None]
                fetched += [start + place for place in missing]
                redis_keys += [lookup.prefix + view_entities[place] for place in missing]
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
        """Cache the rows that ``get`` fetched from Redis, after they were validated."""
        start, place = 0, 0
        for lookup in lookups:
            view_entities = entities[lookup.group]
            cache = self._views.get(lookup.view.name, (None, 0.0))[0]
            while place < len(fetched) and fetched[place] < start + len(view_entities):
                if cache is not None:
                    cache[view_entities[fetched[place] - start]] = packed_rows[fetched[place]]
                place += 1
            start += len(view_entities)

    def _cache_of(self, view: str, now: float) -> Rows | None:
        """Return the cache of a view, emptied when its lifetime is over; None if the view is not cached."""
        seconds = self._seconds.get(view)
        if seconds is None:
            return None
        cache, filled_at = self._views.get(view, ({}, -math.inf))
        if now - filled_at > seconds or len(cache) > MOST_CACHED:
            cache = {}
            self._views[view] = (cache, now)
        return cache
