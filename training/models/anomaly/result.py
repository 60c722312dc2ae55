"""The result of training a detector, and its presentation."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from training.evaluate.incidents import IncidentMetrics
from training.models.anomaly.detector import Detector
from training.models.anomaly.drift import RowDrift


@dataclass(frozen=True)
class AnomalyResult:
    """The result of training one detector.

    Attributes:
        name: name of the registered model.
        version: registered version.
        rows: number of rows of the training set, including the test.
        metrics: kind of incident → figures on the test.
        baseline: kind of incident → figures of the largest deviation of any feature, at the same false incident budget.
        seconds: stage → wall time in seconds.
        drift: how the normal rows of the test differ from those of the calibration.
    """

    name: str
    version: int
    rows: int
    metrics: dict[str, IncidentMetrics]
    baseline: dict[str, IncidentMetrics]
    seconds: dict[str, float]
    drift: RowDrift

    def lines(self) -> Iterator[str]:
        """Yield the lines of the report for a terminal."""
        yield f"{self.rows:,} rows"
        for stage, seconds in self.seconds.items():
            yield f"{stage:14}{seconds:7.1f} s"
        yield from table(self.metrics, self.baseline)
        if self.drift.line:
            yield self.drift.line
        yield f"registered: {self.name} {self.version} (challenger). Next: refrain model promote {self.name}"


def table(metrics: Mapping[str, IncidentMetrics], baseline: Mapping[str, IncidentMetrics]) -> Iterator[str]:
    """Yield the figures as lines of a text table."""
    yield f"{'':24}{'incidents':>10}{'found':>8}{'in 5 min':>10}{'minutes':>9}{'false/week':>12}"
    for kind, kind_metrics in metrics.items():
        yield f"{kind:24}{_figures(kind_metrics)}"
        if kind in baseline:
            yield f"  {'largest deviation':22}{_figures(baseline[kind])}"


def _figures(metrics: IncidentMetrics) -> str:
    return (
        f"{metrics.incidents:10}{metrics.found:8.2f}{metrics.soon:10.2f}{metrics.delay:9.1f}"
        f"{metrics.false_a_week:12.2f}"
    )


def card(
    detector: Detector,
    version: int,
    metrics: Mapping[str, IncidentMetrics],
    baseline: Mapping[str, IncidentMetrics],
    cutoff: str,
) -> str:
    """Return the text of the bundle's README."""
    by = "entity and week" if detector.every_entity else "week of the whole service"
    return "\n".join(
        [
            f"# {detector.name} {version}",
            "",
            detector.about,
            "",
            f"What is normal was fitted on what was known before {cutoff}; the figures are of the newest part, "
            f"measured once. False incidents are counted by {by}.",
            "",
            "```",
            *table(metrics, baseline),
            "```",
            "",
        ]
    )
