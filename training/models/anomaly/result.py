"""What training a detector found, to be shown."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from training.evaluate.incidents import IncidentMetrics
from training.models.anomaly.detector import Detector


@dataclass(frozen=True)
class AnomalyResult:
    """Of one run.

    Attributes:
        name: of the registered model.
        version: of it.
        rows: that were looked at.
        metrics: kind of incident → figures on test.
        baseline: likewise, of the largest deviation of any feature, with a threshold for as many false incidents.
        seconds: by stage.
    """

    name: str
    version: int
    rows: int
    metrics: dict[str, IncidentMetrics]
    baseline: dict[str, IncidentMetrics]
    seconds: dict[str, float]

    def lines(self) -> Iterator[str]:
        """For a terminal."""
        yield f"{self.rows:,} rows"
        for stage, seconds in self.seconds.items():
            yield f"{stage:14}{seconds:7.1f} s"
        yield from table(self.metrics, self.baseline)
        yield f"registered: {self.name} {self.version} (challenger). Next: python -m training promote {self.name}"


def table(metrics: Mapping[str, IncidentMetrics], baseline: Mapping[str, IncidentMetrics]) -> Iterator[str]:
    """Figures as lines of text."""
    yield f"{'':24}{'incidents':>10}{'found':>8}{'in 5 min':>10}{'minutes':>9}{'false/week':>12}"
    for kind, one in metrics.items():
        yield f"{kind:24}{_figures(one)}"
        if kind in baseline:
            yield f"  {'largest deviation':22}{_figures(baseline[kind])}"


def _figures(one: IncidentMetrics) -> str:
    return f"{one.incidents:10}{one.found:8.2f}{one.soon:10.2f}{one.delay:9.1f}{one.false_a_week:12.2f}"


def card(
    detector: Detector,
    version: int,
    metrics: Mapping[str, IncidentMetrics],
    baseline: Mapping[str, IncidentMetrics],
    cutoff: str,
) -> str:
    """The bundle's README."""
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
