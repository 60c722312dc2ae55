"""Keeps the 99th percentile of answers under a goal by leaving out what is worth least.

Once a second the newest answers are looked at (of the last second; where few are asked for, of the last ten). Above the
goal, the next level is taken; when there was room for three seconds (p99 below six tenths of the goal), the level
before. Levels leave out diversity and exploring first, then halve and quarter the candidates, and only at last rank by
the bundle alone, without features. A system whose load is steady settles; one that would swing between two levels waits
twice as long each time before it tries the better one again.

It also chooses how many answers are computed at once. An answer is work for the processor, so that more of them than
there are cores only disturb each other (in Python, by a third); where answers wait for a slow online store instead,
more are let in.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

GOAL = 0.1
"""Seconds that one answer in a hundred may take longer than."""
ROOM = 0.6
"""Share of the goal below which there is room for more."""
LEAST, LONGEST_LOOK = 20, 10.0
"""Answers without which nothing is decided, and seconds that are looked back for them."""
PATIENCE, LONGEST_PATIENCE = 3, 96
"""Seconds of room before a better level is tried."""
NEWEST = 2_000
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
FEWEST_TURNS, MOST_TURNS = max(CORES, 2), 32
"""Answers that are computed at once."""


@dataclass(frozen=True)
class Budget:
    """What an answer may cost.

    Attributes:
        diversify: whether wishes for diversity and exploring are heard.
        candidates: share of the usual number of candidates.
        features: whether features are looked up to rank by.
    """

    diversify: bool = True
    candidates: float = 1.0
    features: bool = True


LEVELS = (
    Budget(),
    Budget(diversify=False),
    Budget(diversify=False, candidates=0.5),
    Budget(diversify=False, candidates=0.25),
    Budget(diversify=False, candidates=0.25, features=False),
)


class Controller:
    """Chooses the level. Safe to share between threads; nobody waits for it.

    Args:
        goal: seconds.
        clock: seconds that never go back.
    """

    def __init__(self, goal: float = GOAL, clock: Callable[[], float] = time.monotonic) -> None:
        self.goal, self._clock = goal, clock
        self._times: deque[tuple[float, float]] = deque(maxlen=NEWEST)
        self._works: deque[tuple[float, float]] = deque(maxlen=100)
        self._lock = threading.Lock()
        self._next = clock() + 1.0
        self._room, self._patience = 0, PATIENCE
        self._tried = self._changed = -1e9
        self.level = 0
        self.turns = FEWEST_TURNS
        """Answers to be computed at once."""
        self.p99 = 0.0
        """Seconds, when it was last looked at."""

    @property
    def budget(self) -> Budget:
        """Of the level."""
        return LEVELS[self.level]

    def worked(self, seconds: float, busy: float) -> None:
        """One answer was computed within so many seconds, in which its thread was busy for so many."""
        self._works.append((seconds, busy))

    def observe(self, seconds: float) -> None:
        """One answer took so long, with all that it waited for."""
        now = self._clock()
        self._times.append((now, seconds))
        if now >= self._next and self._lock.acquire(blocking=False):
            try:
                if now >= self._next:
                    self._next = now + 1.0
                    self._decide(now)
            finally:
                self._lock.release()

    def _decide(self, now: float) -> None:
        self._decide_turns()
        newest = self._newest(now)
        if len(newest) < LEAST:
            return
        self.p99 = float(np.percentile(newest, 99))
        if self.p99 > self.goal:
            if self.level < len(LEVELS) - 1:
                if now - self._tried < 2 * PATIENCE:  # the better level was too much, again
                    self._patience = min(2 * self._patience, LONGEST_PATIENCE)
                self.level += 1
                self._changed = now
            self._room = 0
        elif self.p99 < ROOM * self.goal and self.level:
            self._room += 1
            if self._room >= self._patience:
                self.level -= 1
                self._room, self._tried, self._changed = 0, now, now
        else:
            self._room = 0
            if not self.level:
                self._patience = PATIENCE

    def _newest(self, now: float) -> list[float]:
        """Of the last second; where those are too few, of the last ten, but none from before the level changed."""
        times = list(self._times)
        newest = [seconds for at, seconds in times if at > now - 1.0]
        if len(newest) >= LEAST:
            return newest
        since = max(self._changed, now - LONGEST_LOOK)
        return [seconds for at, seconds in times if at > since]

    def _decide_turns(self) -> None:
        """More where answers take longer than disturbing each other explains, fewer where that explains it all."""
        works = list(self._works)
        self._works.clear()
        if len(works) < LEAST // 2:
            return
        seconds, busy = np.median(works, axis=0)
        if seconds > 3 * self.turns * busy:
            self.turns = min(2 * self.turns, MOST_TURNS)
        elif seconds < 1.5 * self.turns * busy:
            self.turns = max(self.turns // 2, FEWEST_TURNS)
