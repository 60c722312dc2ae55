"""Load shedding: keeps the 99th percentile of response times under a goal by skipping the least valuable steps.

Once a second the controller looks at the newest response times (of the last second; with little traffic, of the last
ten seconds). If p99 is above the goal, it moves one level up. Levels first skip diversity and exploration, then halve
and quarter the candidates, and finally rank from the bundle alone, without features.

A level ends in one of three ways:

- By a probe. Every ``PROBE_S`` seconds one answer is complete, and its work is timed alone (a circuit breaker that is
  half open: M. Nygard, Release It!, 2007). Where probes were slow, the online store is the cause; when two in a row are
  in time again, the level ends.
- By time. A level ends that nothing confirmed for ``HOLD_S`` seconds: neither p99 above six tenths of the goal nor a
  slow probe. So on a quiet server, where too few answers come to judge, a level does not stay.
- Step by step. Where the end of a level was too much, or probes are slow, six tenths of the goal must be kept for
  ``PATIENCE`` seconds before the next better level is tried. Each try that fails doubles the wait, so that the level
  settles under steady load.

The controller also chooses how many answers are computed at once. An answer is CPU work, so more of them than there are
cores only slow each other down (in Python, by a third). If answers wait for a slow online store instead, more of them
run at once. All of this is of one process: each sees the load that it has itself.
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
NEWEST_S = 1.5
"""Seconds within which an answer must have been too slow, so that what is over does not raise the level."""
PATIENCE, MAX_PATIENCE = 3, 96
"""Seconds below ``CALM_SHARE`` before a better level is tried, and the most that this grows to."""
PROBE_S, FAST_PROBES = 1.5, 2
"""Seconds between two probes, and the number of probes in time after which a level ends that slow probes confirmed."""
HOLD_S = 3.0
"""Seconds after which a level ends that neither a decision nor a slow probe confirmed."""
MAX_TIMES = 2_000
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
WAITING = 1.5
"""Times by which an answer takes longer than its share of the processor before it counts as one that waits."""
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


@dataclass(frozen=True)
class Decision:
    """What is left out of one answer.

    Attributes:
        level: level of load shedding of this answer.
        is_probe: whether the answer is complete although the level of the process is above 0.
    """

    level: int = 0
    is_probe: bool = False

    @property
    def budget(self) -> Budget:
        """Limits on the cost of the answer."""
        return LEVELS[self.level]


class Controller:
    """Chooses the level of load shedding of one process. Safe to share between threads.

    Args:
        goal: goal for p99 in seconds.
        clock: monotonic clock in seconds.

    >>> controller = Controller(goal=0.1)
    >>> decision = controller.decide()
    >>> controller.observe_work(0.02, 0.01, decision)
    >>> controller.observe(0.03)
    >>> controller.level
    0
    """

    def __init__(self, goal: float = GOAL, clock: Callable[[], float] = time.monotonic) -> None:
        self.goal, self._clock = goal, clock
        self._times: deque[tuple[float, float]] = deque(maxlen=MAX_TIMES)
        self._slow_probes: deque[float] = deque(maxlen=int(LOOKBACK_S / PROBE_S) + 1)
        self._work_times: deque[tuple[float, float]] = deque(maxlen=100)
        self._lock = threading.Lock()
        self._next = clock() + 1.0
        self._calm_s, self._patience = 0, PATIENCE
        self._last_try = self._changed_at = -1e9
        self._level, self._held_until = 0, -1e9
        self._next_probe, self._probes_were_slow, self._fast_probes = -1e9, False, 0
        self.turns = MIN_TURNS
        """Number of answers to compute at once."""
        self.p99 = 0.0
        """p99 of the response times in seconds, at the last decision."""

    @property
    def level(self) -> int:
        """The level now: 0 as soon as nothing has confirmed a higher one for ``HOLD_S`` seconds."""
        if self._level and self._clock() >= self._held_until:
            with self._lock:
                now = self._clock()
                if now >= self._held_until:
                    self._end_level(now)
        return self._level

    def decide(self) -> Decision:
        """Decide what is left out of the next answer; pass the decision on to ``observe_work``."""
        level = self.level
        if not level:
            return Decision()
        with self._lock:
            now = self._clock()
            if now < self._next_probe:
                return Decision(level)
            self._next_probe = now + PROBE_S
            return Decision(0, is_probe=True)

    def observe_work(self, seconds: float, cpu_seconds: float, decision: Decision) -> None:
        """Record the wall time and the CPU time of one computed answer, both in seconds."""
        self._work_times.append((seconds, cpu_seconds))
        if decision.is_probe:
            with self._lock:
                self._judge_probe(self._clock(), seconds, cpu_seconds)

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

    def _judge_probe(self, now: float, seconds: float, cpu_seconds: float) -> None:
        """End the level if probes are in time again; confirm it if this one waited for something."""
        if not self._level:
            return
        if seconds > max(self.goal, WAITING * self.turns * cpu_seconds):
            self._probes_were_slow, self._fast_probes = True, 0
            self._slow_probes.append(now)
            self._held_until = now + HOLD_S
            return
        self._fast_probes += 1
        if self._probes_were_slow and self._fast_probes >= FAST_PROBES:
            self._end_level(now)
            self._patience, self._last_try = PATIENCE, -1e9  # not a try: the cause is over

    def _end_level(self, now: float) -> None:
        self._level, self._calm_s, self._changed_at, self._last_try = 0, 0, now, now

    def _choose_level(self, now: float) -> None:
        self._choose_turns()
        times_s = self._recent_times(now)
        if len(times_s) < MIN_ANSWERS:
            return
        self.p99 = float(np.percentile(times_s, 99))
        is_slow, is_calm = self.p99 > self.goal, self.p99 < CALM_SHARE * self.goal
        if is_slow and not self._was_slow(now):
            return
        by_steps = self._patience > PATIENCE or self._probes_were_slow
        if not is_calm or by_steps:
            self._held_until = now + HOLD_S
        if is_slow:
            self._raise_level(now)
        elif is_calm and by_steps and self._level:
            self._calm_s += 1
            if self._calm_s >= self._patience:
                self._level, self._calm_s, self._last_try, self._changed_at = self._level - 1, 0, now, now
        else:
            self._calm_s = 0
            if not self._level:
                self._patience = PATIENCE

    def _raise_level(self, now: float) -> None:
        if now - self._last_try < 2 * PATIENCE:  # the better level was too much, again
            self._patience, self._last_try = min(2 * self._patience, MAX_PATIENCE), -1e9
        if not self._level:
            self._next_probe, self._probes_were_slow, self._fast_probes = now + PROBE_S, False, 0
        self._level = min(self._level + 1, len(LEVELS) - 1)
        self._calm_s, self._changed_at = 0, now

    def _was_slow(self, now: float) -> bool:
        """Check that one of the newest answers was too slow."""
        return any(seconds > self.goal for at, seconds in list(self._times) if at > now - NEWEST_S)

    def _recent_times(self, now: float) -> list[float]:
        """List the times of the last second; if too few, of the last ten seconds since the level changed.

        The slowest are left out, as many as probes were slow: probes are not what the level is for.
        """
        times = list(self._times)
        since = now - 1.0
        recent = [seconds for at, seconds in times if at > since]
        if len(recent) < MIN_ANSWERS:
            since = max(self._changed_at, now - LOOKBACK_S)
            recent = [seconds for at, seconds in times if at > since]
        slow_probes = sum(at > since for at in self._slow_probes)
        return sorted(recent)[: len(recent) - slow_probes]

    def _choose_turns(self) -> None:
        """Allow more turns if answers mostly wait for I/O, fewer if they only compete for the processor."""
        work_times = list(self._work_times)
        self._work_times.clear()
        if len(work_times) < MIN_ANSWERS // 2:
            return
        seconds, cpu_seconds = np.median(work_times, axis=0)
        if seconds > 3 * self.turns * cpu_seconds:
            self.turns = min(2 * self.turns, MAX_TURNS)
        elif seconds < WAITING * self.turns * cpu_seconds:
            self.turns = max(self.turns // 2, MIN_TURNS)
