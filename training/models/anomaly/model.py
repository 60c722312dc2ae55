"""A detector as a model of the registry: trained by ``run``, watched by the rows that came since."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from feature_repo.bundle import open_bundle
from feature_repo.command_line import Progress, silent
from feature_repo.home import Home
from training.datasets import training_set
from training.models.anomaly.detector import Detector
from training.models.anomaly.result import AnomalyResult
from training.models.anomaly.run import columns, run
from training.models.base import Fresh, Gates, Model

RECENT = 20_000
"""Rows since a cutoff that are looked at; the newest."""


@dataclass(frozen=True, kw_only=True)
class DetectorModel(Model):
    """One of the five.

    Attributes:
        detector: what it is.
    """

    detector: Detector

    @classmethod
    def of(cls, detector: Detector, raw: tuple[str, ...]) -> "DetectorModel":
        """With the gates of a detector: two that find every incident are both good.

        Args:
            detector: which.
            raw: tables that it reads.
        """
        return cls(
            name=detector.name,
            family="anomaly",
            about=detector.about,
            services=(detector.service,),
            raw=raw,
            gates=Gates(ties=True),
            detector=detector,
        )

    def run(
        self, home: Home, *, parameters: Mapping[str, Any] | None = None, progress: Progress = silent
    ) -> AnomalyResult:
        """Train, measure and register; see ``training.models.anomaly.run``.

        Raises:
            InputError: parameters are given, or there are no rows, or too few normal ones.
        """
        self.refuse(parameters)
        return run(home, self.detector, progress=progress)

    def fresh(self, home: Home, version: int) -> Fresh:
        """Features of the newest rows after what a version takes for normal was fitted."""
        cutoff = datetime.fromisoformat(open_bundle(f"{self.name}:{version}", home).manifest["cutoff"])
        spine = self.detector.moments(home).filter(pl.col("event_timestamp") > cutoff).sort("event_timestamp")
        if spine.is_empty():
            return Fresh({})
        data = training_set(self.detector.service, spine.tail(RECENT), home=home).data
        return Fresh({self.detector.service: columns(data, [self.detector.key, "event_timestamp"])})
