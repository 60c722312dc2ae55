"""Rounds in one process, without masks: the transport of tests, whose silos can be stopped in any phase."""

import threading
import time
from collections.abc import Mapping

import numpy as np

from feature_repo.errors import InputError, RefrainError
from training.private.federated.rounds import RoundTotal

WAIT_S = 1.0
"""Seconds that a silo waits for a round to begin."""


class Missing(RefrainError):
    """Nothing came in time, or the round is over."""

    def __init__(self, what: str) -> None:
        super().__init__(expected=what, found="nothing", next_command="wait")


class Hall:
    """Where a coordinator and its silos meet.

    Args:
        silos: names of the silos.
        drops: silo → kind of the step in which it submits nothing, and which does not wait for it.
    """

    def __init__(self, silos: list[str], drops: Mapping[str, str] | None = None) -> None:
        self.silos, self.drops = silos, drops or {}
        self.published: dict[str, bytes] = {}
        self.rounds: dict[str, dict[str, np.ndarray]] = {}
        self.about: dict[str, Mapping[str, str] | None] = {}
        self.changed = threading.Condition()
        self.failures: dict[str, int] = {}
        """Part of a round's name → rounds with it that end without a sum."""

    def is_absent(self, silo: str, round_name: str) -> bool:
        return f"-{self.drops.get(silo)}-" in round_name

    def publish(self, name: str, content: bytes) -> None:
        with self.changed:
            if self.published.setdefault(name, content) != content:
                raise InputError(expected=f"the same bytes of {name}", found="others", next_command="another name")
            self.changed.notify_all()

    def collect(
        self,
        round_name: str,
        words: int,
        *,
        threshold: int,
        timeout_s: float,
        about: Mapping[str, str] | None = None,
    ) -> RoundTotal:
        ends = time.monotonic() + timeout_s
        with self.changed:
            assert round_name not in self.rounds
            parts = self.rounds.setdefault(round_name, {})
            self.about[round_name] = about
            self.changed.notify_all()
            wanted = sum(not self.is_absent(silo, round_name) for silo in self.silos)
            self.changed.wait_for(lambda: len(parts) >= wanted, max(ends - time.monotonic(), 0))
            del self.rounds[round_name]
            for part, count in self.failures.items():
                if part in round_name and count:
                    self.failures[part] -= 1
                    raise Missing("a sum")
            fitting = {silo: part for silo, part in parts.items() if part.shape == (words,)}
            if len(fitting) < threshold:
                raise Missing(f"{threshold} silos")
            names = tuple(sorted(fitting))
            total = np.sum(np.stack([fitting[name] for name in names]), axis=0, dtype=np.uint64)
            return RoundTotal(total, names, tuple(name for name in self.silos if name not in fitting))


class Seat:
    """One silo in a hall."""

    def __init__(self, hall: Hall, silo: str) -> None:
        self.hall, self.silo = hall, silo

    def fetch(self, name: str, timeout_s: float) -> bytes:
        with self.hall.changed:
            if not self.hall.changed.wait_for(lambda: name in self.hall.published, timeout_s):
                raise Missing(name)
            return self.hall.published[name]

    def submit(self, round_name: str, words: np.ndarray, *, about: Mapping[str, str] | None = None) -> None:
        if self.hall.is_absent(self.silo, round_name):
            raise Missing("a silo that is there")
        with self.hall.changed:
            if not self.hall.changed.wait_for(lambda: round_name in self.hall.rounds, WAIT_S):
                raise Missing(round_name)
            if self.hall.about[round_name] != about:
                raise InputError(expected="the same question", found="another", next_command="none")
            self.hall.rounds[round_name][self.silo] = words
            self.hall.changed.notify_all()
