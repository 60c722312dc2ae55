"""A detector as a registered model: trained by ``run``, monitored on the rows after its cutoff."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from feature_repo.bundle import open_bundle
from feature_repo.command_line import Progress, silent
from feature_repo.home import Home
from training.datasets import training_set
from training.datasets.history import of_kept_history
from training.models.anomaly.detector import Detector
from training.models.anomaly.evaluate import RANDOM_ALARMS
from training.models.anomaly.result import AnomalyResult
from training.models.anomaly.run import columns, run
from training.models.base import Fresh, Gates, Model

RECENT = 20_000
"""Maximum number of rows after a cutoff that are monitored; the newest count."""


@dataclass(frozen=True, kw_only=True)
class DetectorModel(Model):
    """The model of one detector.

    Attributes:
        detector: declaration of the detector.
    """

    detector: Detector

    @classmethod
    def of(cls, detector: Detector, raw: tuple[str, ...]) -> "DetectorModel":
        """Make the model of a detector.

        Its gates accept a detector as good as the largest deviation alone, as both may find every incident; alarms at
        random moments must surely be beaten.

        Args:
            detector: declaration of the detector.
            raw: raw tables that training reads.
        """
        return cls(
            name=detector.name,
            family="anomaly",
            about=detector.about,
            services=(detector.service,),
            raw=raw,
            gates=Gates(
                plain={"largest_deviation": 0.05},
                required=(RANDOM_ALARMS,),
                fewest=6,  # fewer cannot tell by a sign test: 2 ** -5 is more than 2.5 %
                near_perfect="an incident is found by one alarm, and the alarms are limited by a budget",
            ),
            detector=detector,
        )

    def run(
        self, home: Home, *, parameters: Mapping[str, Any] | None = None, progress: Progress = silent
    ) -> AnomalyResult:
        """Train, measure and register; see ``training.models.anomaly.run``.

        Raises:
            InputError: parameters were passed, there are no rows, or there are too few normal rows.
        """
        self.refuse(parameters)
        return run(home, self.detector, progress=progress)

    def fresh(self, home: Home, version: int) -> Fresh:
        """Return features of the newest rows after the cutoff of a version."""
        cutoff = datetime.fromisoformat(open_bundle(f"{self.name}:{version}", home).manifest["cutoff"])
        moments = of_kept_history(home, self.detector.service, self.detector.moments(home))
        spine = moments.filter(pl.col("event_timestamp") > cutoff).sort("event_timestamp")
        if spine.is_empty():
            return Fresh({})
        data = training_set(self.detector.service, spine.tail(RECENT), home=home).data
        return Fresh({self.detector.service: columns(data, [self.detector.key, "event_timestamp"])})
