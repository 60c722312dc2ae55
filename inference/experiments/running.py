"""The experiments that run, followed as their file changes, and applied to requests."""

import logging
import random
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from feature_repo import experiments
from feature_repo.errors import InputError
from feature_repo.experiments import Experiment, Experiments
from feature_repo.home import Home
from inference.experiments import assignment
from inference.experiments.bandit import REWARDING, Bandit
from inference.experiments.exposures import ExposureLog

LOOKED_AT = 1.0
"""Seconds between two looks at the file: a kill switch works so soon everywhere."""
_log = logging.getLogger("refrain.experiments")


@dataclass(frozen=True)
class Assigned:
    """One arm that a request is in.

    Attributes:
        experiment: its name.
        variant: the arm's name.
        settings: what it changes.
        chance: with which the arm was drawn.
        is_bandit: whether rewards move the weights.
    """

    experiment: str
    variant: str
    settings: Mapping[str, Any]
    chance: float
    is_bandit: bool


class Running:
    """Assigns listeners. Safe to share between threads; ``close`` when no more requests come.

    Args:
        home: the data folder.

    >>> Running(home).assign("u000042")                                   # doctest: +SKIP
    [Assigned(experiment='more_new', variant='explore', settings={'explore': 0.2}, …)]
    """

    def __init__(self, home: Home) -> None:
        self._home, self._lock = home, threading.Lock()
        self._found = Experiments()
        self._seen: tuple[int, int, int] | None = None
        self._looked = -LOOKED_AT
        self.bandit, self.log = Bandit(home), ExposureLog(home)

    def start(self) -> None:
        """Begin to count rewards."""
        self.bandit.start()

    def close(self) -> None:
        """End, with everything written."""
        self.bandit.close()
        self.log.flush()

    @property
    def declared(self) -> Experiments:
        """What stands in the file; of a damaged one, what stood there before."""
        if time.monotonic() - self._looked >= LOOKED_AT:
            with self._lock:
                if time.monotonic() - self._looked >= LOOKED_AT:
                    self._look()
        return self._found

    def assign(self, user_id: str) -> list[Assigned]:
        """The arms that a listener is in, one a layer at the most."""
        found = self.declared
        running = [one for one in found.experiments.values() if one.state == "running"]
        if not running or not user_id or assignment.is_held_out(found, user_id):
            return []
        return [self._arm(one, user_id) for one in running if assignment.is_in(one, user_id)]

    def exposed(self, user_id: str, assigned: list[Assigned], answer_id: str, at: float) -> None:
        """Write down what a listener was shown; never waits.

        Args:
            user_id: who.
            assigned: in which arms they were.
            answer_id: of what they were shown.
            at: seconds since 1970 UTC.
        """
        for one in assigned:
            self.log.tell(
                {
                    "at": round(at * 1e6),
                    "user_id": user_id,
                    "experiment": one.experiment,
                    "variant": one.variant,
                    "chance": round(one.chance, 6),
                    "answer_id": answer_id,
                }
            )
            if one.is_bandit:
                self.bandit.shown(answer_id, one.experiment, one.variant)

    def feedback(self, action: str, answer_id: str | None) -> None:
        """Somebody did something about an answer."""
        if answer_id and action in REWARDING:
            self.bandit.rewarded(answer_id)

    def _arm(self, experiment: Experiment, user_id: str) -> Assigned:
        names = tuple(variant.name for variant in experiment.variants)
        if experiment.mode == "bandit":
            chances = self.bandit.chances(experiment.name, names)
            place = assignment.place(random.random(), chances.tolist())
            chance = float(chances[place])
        else:
            place = assignment.arm_of(experiment, user_id)
            chance = experiment.variants[place].weight / sum(one.weight for one in experiment.variants)
        variant = experiment.variants[place]
        return Assigned(experiment.name, variant.name, variant.settings, chance, experiment.mode == "bandit")

    def _look(self) -> None:
        self._looked = time.monotonic()
        try:
            told = self._home.experiments.stat()
            seen = (told.st_mtime_ns, told.st_size, told.st_ino)
            if seen != self._seen:
                self._found, self._seen = experiments.read(self._home), seen
        except FileNotFoundError:
            self._found, self._seen = Experiments(), None
        except (InputError, OSError) as error:
            _log.error("experiments are not read again: %s", error)
