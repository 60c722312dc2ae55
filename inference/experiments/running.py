"""Follows the file of declared experiments and applies running ones to requests."""

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

CHECK_SECONDS = 1.0
"""Seconds between two checks of the file: every process follows a kill switch within this time."""
_log = logging.getLogger("refrain.experiments")


@dataclass(frozen=True)
class Assigned:
    """The assignment of a request to an arm of an experiment.

    Attributes:
        experiment: name of the experiment.
        variant: name of the arm.
        settings: settings that the arm changes.
        chance: probability with which the arm was drawn.
        is_bandit: whether rewards adjust the weights.
    """

    experiment: str
    variant: str
    settings: Mapping[str, Any]
    chance: float
    is_bandit: bool


class Running:
    """Assigns listeners to arms. Safe to share between threads; call ``close`` after the last request.

    Args:
        home: the data folder.

    >>> Running(home).assign("u000042")                                   # doctest: +SKIP
    [Assigned(experiment='more_new', variant='explore', settings={'explore': 0.2}, …)]
    """

    def __init__(self, home: Home) -> None:
        self._home, self._lock = home, threading.Lock()
        self._declared = Experiments()
        self._file_stamp: tuple[int, int, int] | None = None
        self._checked_at = -CHECK_SECONDS
        self.bandit, self.log = Bandit(home), ExposureLog(home)

    def start(self) -> None:
        """Start counting rewards."""
        self.bandit.start()

    def close(self) -> None:
        """Stop, and write all pending exposures and counts."""
        self.bandit.close()
        self.log.flush()

    @property
    def declared(self) -> Experiments:
        """The declared experiments; if the file is damaged, those that were read before."""
        if time.monotonic() - self._checked_at >= CHECK_SECONDS:
            with self._lock:
                if time.monotonic() - self._checked_at >= CHECK_SECONDS:
                    self._read_if_changed()
        return self._declared

    def assign(self, user_id: str) -> list[Assigned]:
        """Return the arms that a listener is in, at most one per layer."""
        declared = self.declared
        running = [experiment for experiment in declared.experiments.values() if experiment.state == "running"]
        if not running or not user_id or assignment.is_held_out(declared, user_id):
            return []
        return [self._arm(experiment, user_id) for experiment in running if assignment.is_in(experiment, user_id)]

    def exposed(self, user_id: str, assigned: list[Assigned], answer_id: str, at: float) -> None:
        """Log the arms that a listener was shown; does not block.

        Args:
            user_id: the listener.
            assigned: arms of the listener.
            answer_id: id of the answer that was shown.
            at: time of the answer, in seconds since 1970 UTC.
        """
        for arm in assigned:
            self.log.add(
                {
                    "at": round(at * 1e6),
                    "user_id": user_id,
                    "experiment": arm.experiment,
                    "variant": arm.variant,
                    "chance": round(arm.chance, 6),
                    "answer_id": answer_id,
                }
            )
            if arm.is_bandit:
                self.bandit.shown(answer_id, arm.experiment, arm.variant)

    def feedback(self, action: str, answer_id: str | None) -> None:
        """Count a reward if feedback about an answer is one of ``REWARDING``."""
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
            chance = experiment.variants[place].weight / sum(variant.weight for variant in experiment.variants)
        variant = experiment.variants[place]
        return Assigned(experiment.name, variant.name, variant.settings, chance, experiment.mode == "bandit")

    def _read_if_changed(self) -> None:
        self._checked_at = time.monotonic()
        try:
            status = self._home.experiments.stat()
            file_stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            if file_stamp != self._file_stamp:
                self._declared, self._file_stamp = experiments.read(self._home), file_stamp
        except FileNotFoundError:
            self._declared, self._file_stamp = Experiments(), None
        except (InputError, OSError) as error:
            _log.error("the file of experiments is not read again: %s", error)
