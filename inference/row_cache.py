"""Rows of some views that a process may answer from memory for seconds, so that Redis is asked for the rest alone."""

import math
import time
from collections.abc import Mapping, Sequence
from typing import Protocol

from feature_repo.manifest import View
from feature_repo.packed.server import Server, get

MOST_HELD = 500_000
"""Rows of a view that are held, about 300 bytes each."""
Rows = dict[bytes, bytes | None]


class Wanted(Protocol):
    """What is looked up of one view: its entities are those of a group of join keys."""

    @property
    def view(self) -> View:
        """Which."""
        ...

    @property
    def group(self) -> int:
        """Number of its join keys among those asked about."""
        ...

    @property
    def prefix(self) -> bytes:
        """Of its keys in Redis."""
        ...


class HeldRows:
    """Safe to share between threads: at worst two of them look the same row up.

    Args:
        seconds: view → for how long its rows hold; those of views that are not named never do.
    """

    def __init__(self, seconds: Mapping[str, float]) -> None:
        self._seconds = dict(seconds)
        self._views: dict[str, tuple[Rows, float]] = {}

    def __bool__(self) -> bool:
        return bool(self._seconds)

    def clear(self) -> None:
        """Forget everything."""
        self._views = {}

    def get(
        self, server: Server, lookups: Sequence[Wanted], entities: Sequence[Sequence[bytes]]
    ) -> tuple[list[bytes | None], list[int]]:
        """Rows of all views, one view after the other, and the places of those that are not from memory, in order.

        Raises:
            OnlineUnavailable: the server does not answer.
        """
        now, start = time.monotonic(), 0
        found: list[bytes | None] = []
        asked: list[int] = []
        names: list[bytes] = []
        for lookup in lookups:
            mine = entities[lookup.group]
            held = self._of(lookup.view.name, now)
            rows = [None] * len(mine) if held is None else list(map(held.get, mine))
            if None in rows:
                gone = [place for place, row in enumerate(rows) if row is None]
                asked += [start + place for place in gone]
                names += [lookup.prefix + mine[place] for place in gone]
            found += rows
            start += len(mine)
        for place, value in zip(asked, get(server, names), strict=True):
            found[place] = value
        return found, asked

    def keep(
        self,
        lookups: Sequence[Wanted],
        entities: Sequence[Sequence[bytes]],
        found: Sequence[bytes | None],
        asked: Sequence[int],
    ) -> None:
        """Hold what ``get`` looked up, once it was found to be sound."""
        start, place = 0, 0
        for lookup in lookups:
            mine = entities[lookup.group]
            held = self._views.get(lookup.view.name, (None, 0.0))[0]
            while place < len(asked) and asked[place] < start + len(mine):
                if held is not None:
                    held[mine[asked[place] - start]] = found[asked[place]]
                place += 1
            start += len(mine)

    def _of(self, view: str, now: float) -> Rows | None:
        """What is held of a view, emptied when its time is over; None if nothing of it may be."""
        seconds = self._seconds.get(view)
        if seconds is None:
            return None
        held, since = self._views.get(view, ({}, -math.inf))
        if now - since > seconds or len(held) > MOST_HELD:
            held = {}
            self._views[view] = (held, now)
        return held
