"""Findings on one observation, of its metrics and of its feature row, combined into one detection."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any

import numpy as np

from inference.anomaly.observation import MAX_CAUSES, Detection, Observation
from transforms.pure.anomaly.alarms import AlarmPolicy
from transforms.pure.anomaly.calibration import Calibration, either, fisher
from transforms.pure.anomaly.counts import CountDetector
from transforms.pure.anomaly.many import ManySeries, SeriesScores
from transforms.pure.anomaly.series import CHANNELS, SeriesDetector

METRIC_DETECTORS: dict[str, type[ManySeries[Any]]] = {"series": SeriesDetector, "counts": CountDetector}
"""Name in a bundle's manifest → class that scores metrics against their own past."""


@dataclass
class MetricDetector:
    """A detector of metrics and the calibration of its scores.

    Attributes:
        detector: the detector with its memory.
        scales: metric → calibration of its scores.
    """

    detector: ManySeries[Any]
    scales: dict[str, Calibration]

    @classmethod
    def of(cls, kind: type[ManySeries[Any]], extra: Mapping[str, Any]) -> "MetricDetector":
        """Create one from the settings in a bundle's manifest."""
        detector = kind(kind.SETTINGS(**extra["settings"]), AlarmPolicy(**extra["policy"]), extra["thresholds"])
        return cls(detector, {name: Calibration.from_json(scale) for name, scale in extra["calibration"].items()})

    def covers(self, metric: str) -> bool:
        """Whether the detector scores a metric. Any number is a series; counts are only the calibrated metrics."""
        return isinstance(self.detector, SeriesDetector) or metric in self.scales


@dataclass
class Finding:
    """The score of one observation by its metrics, or by its feature row.

    Attributes:
        p_value: lowest p-value of the tests; NaN without a test.
        alarm: whether a test raised an alarm.
        causes: feature or metric → its weight in the alarm.
        verdict: irregularity of a metric, see ``Detection``.
        tests: number of tests that were made.
    """

    p_value: float = float("nan")
    alarm: bool = False
    causes: dict[str, float] = field(default_factory=dict)
    verdict: str = ""
    tests: int = 0


def add_metric(finding: Finding, metric: str, scores: SeriesScores, row: int, scale: Calibration | None) -> None:
    """Add the score of one metric. Each metric is one more test, for which the p-value is corrected later."""
    finding.verdict = finding.verdict or str(scores.verdict[row])
    score = scores.score[row]
    if np.isnan(score):
        return
    p_value = float(scale.p_value(np.array([score]))[0]) if scale else float(fisher(score, len(CHANNELS)))
    finding.causes[metric] = max(finding.causes.get(metric, 0.0), -float(np.log10(p_value)))
    finding.p_value = float(np.fmin(finding.p_value, p_value))
    finding.tests += 1
    finding.alarm |= bool(scores.alarm[row])


def combine(observation: Observation, metric_finding: Finding, row_finding: Finding) -> Detection:
    """Combine both findings of an observation; an alarm of either is an alarm."""
    metric_p_value = min(metric_finding.p_value * max(metric_finding.tests, 1), 1.0)  # NaN stays NaN
    p_value = float(either(np.array([metric_p_value]), np.array([row_finding.p_value]))[0])
    alarm = metric_finding.alarm or row_finding.alarm
    causes: dict[str, float] = {}
    if alarm:
        total = sum(metric_finding.causes.values())
        if metric_finding.alarm and total > 0:
            causes |= {name: score / total for name, score in metric_finding.causes.items()}
        if row_finding.alarm or not causes:
            causes |= row_finding.causes
        causes = dict(sorted(causes.items(), key=lambda item: -item[1])[:MAX_CAUSES])
    is_scored = not np.isnan(p_value)
    at = observation.at if observation.at.tzinfo else observation.at.replace(tzinfo=UTC)
    return Detection(
        observation.entity,
        at,
        p_value if is_scored else None,
        float(-np.log10(p_value)) if is_scored else None,
        alarm,
        causes,
        metric_finding.verdict,
    )
