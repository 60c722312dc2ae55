"""Load shedding: keeps the 99th percentile of response times under a goal by skipping the least valuable steps.

Once a second the controller looks at the newest response times (of the last second; with little traffic, of the last
ten seconds). If p99 is above the goal, it moves one level up. If p99 was below six tenths of the goal for three
seconds, it moves one level down. Levels first skip diversity and exploration, then halve and quarter the candidates,
and finally rank from the bundle alone, without features. Under steady load the level settles. If it would swing between
two levels, the wait before the next try of the better level doubles each time.

The controller also chooses how many answers are computed at once. An answer is CPU work, so more of them than there are
cores only slow each other down (in Python, by a third). If answers wait for a slow online store instead, more of them
run at once.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

GOAL = 0.1
"""Goal for p99 in seconds."""
CALM_SHARE = 0.6
"""Share of the goal below which a better level is tried."""
MIN_ANSWERS, LOOKBACK_S = 20, 10.0
"""Minimum number of answers for a decision, and the longest time in seconds to look back for them."""
PATIENCE, MAX_PATIENCE = 3, 96
"""Seconds below ``CALM_SHARE`` before a better level is tried, and the most that this grows to."""
MAX_TIMES = 2_000
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
MIN_TURNS, MAX_TURNS = max(CORES, 2), 32
"""Limits on the number of answers computed at once."""


@dataclass(frozen=True)
class Budget:
    """Limits on the cost of one answer.

    Attributes:
        diversify: whether options for diversity and exploration are honoured.
        candidates: share of the usual number of candidates.
        features: whether features are looked up for ranking.
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
    """Chooses the level of load shedding. Safe to share between threads; it never blocks a request.

    Args:
        goal: goal for p99 in seconds.
        clock: monotonic clock in seconds.
    """

    def __init__(self, goal: float = GOAL, clock: Callable[[], float] = time.monotonic) -> None:
        self.goal, self._clock = goal, clock
        self._times: deque[tuple[float, float]] = deque(maxlen=MAX_TIMES)
        self._work_times: deque[tuple[float, float]] = deque(maxlen=100)
        self._lock = threading.Lock()
        self._next = clock() + 1.0
        self._calm_s, self._patience = 0, PATIENCE
        self._last_try = self._changed_at = -1e9
        self.level = 0
        self.turns = MIN_TURNS
        """Number of answers to compute at once."""
        self.p99 = 0.0
        """p99 of the response times in seconds, at the last decision."""

    @property
    def budget(self) -> Budget:
        """Budget of the current level."""
        return LEVELS[self.level]

    def observe_work(self, seconds: float, cpu_seconds: float) -> None:
        """Record the wall time and the CPU time of one computed answer, both in seconds."""
        self._work_times.append((seconds, cpu_seconds))

    def observe(self, seconds: float) -> None:
        """Record the total response time of one answer in seconds; decide once a second."""
        now = self._clock()
        self._times.append((now, seconds))
        if now >= self._next and self._lock.acquire(blocking=False):
            try:
                if now >= self._next:
                    self._next = now + 1.0
                    self._choose_level(now)
            finally:
                self._lock.release()

    def _choose_level(self, now: float) -> None:
        self._choose_turns()
        times_s = self._recent_times(now)
        if len(times_s) < MIN_ANSWERS:
            return
        self.p99 = float(np.percentile(times_s, 99))
        if self.p99 > self.goal:
            if self.level < len(LEVELS) - 1:
                if now - self._last_try < 2 * PATIENCE:  # the better level was too much, again
                    self._patience = min(2 * self._patience, MAX_PATIENCE)
                self.level += 1
                self._changed_at = now
            self._calm_s = 0
        elif self.p99 < CALM_SHARE * self.goal and self.level:
            self._calm_s += 1
            if self._calm_s >= self._patience:
                self.level -= 1
                self._calm_s, self._last_try, self._changed_at = 0, now, now
        else:
            self._calm_s = 0
            if not self.level:
                self._patience = PATIENCE

    def _recent_times(self, now: float) -> list[float]:
        """List the times of the last second; if too few, of the last ten seconds since the level changed."""
        times = list(self._times)
        recent = [seconds for at, seconds in times if at > now - 1.0]
        if len(recent) >= MIN_ANSWERS:
            return recent
        since = max(self._changed_at, now - LOOKBACK_S)
        return [seconds for at, seconds in times if at > since]

    def _choose_turns(self) -> None:
        """Allow more turns if answers mostly wait for I/O, fewer if they only compete for the processor."""
        work_times = list(self._work_times)
        self._work_times.clear()
        if len(work_times) < MIN_ANSWERS // 2:
            return
        seconds, cpu_seconds = np.median(work_times, axis=0)
        if seconds > 3 * self.turns * cpu_seconds:
            self.turns = min(2 * self.turns, MAX_TURNS)
        elif seconds < 1.5 * self.turns * cpu_seconds:
            self.turns = max(self.turns // 2, MIN_TURNS)
