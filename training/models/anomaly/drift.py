"""Whether normal rows still look as those that a detector was calibrated on, and which features changed."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from transforms.pure.anomaly.rows import RowDetector

LEVEL = 0.05
"""P-value below which a row counts as rare: about this share of normal rows, where they are alike."""
MOST = 2.0
"""Ratio to ``LEVEL`` up to which rows are alike."""
NAMED = 3
ROWS = 5_000


@dataclass(frozen=True)
class RowDrift:
    """How normal rows differ from those of the calibration.

    Attributes:
        rare: share of rows with a p-value below ``LEVEL``.
        features: features that make those rows rare, most important first; empty where rows are alike.
    """

    rare: float
    features: tuple[str, ...]

    @property
    def line(self) -> str:
        """A line for a report; empty where rows are alike."""
        if not self.features:
            return ""
        return (
            f"normal rows have drifted: {self.rare:.0%} are as rare as {LEVEL:.0%} were when the thresholds were "
            f"chosen, by {', '.join(self.features)}; expect false alarms"
        )


def measure_drift(detector: RowDetector, rows: Mapping[str, np.ndarray]) -> RowDrift:
    """Measure the drift of normal rows, feature → (n,) values; of at most ``ROWS`` of them, evenly spread."""
    count = len(next(iter(rows.values()), ()))
    if not count:
        return RowDrift(0.0, ())
    places = np.unique(np.linspace(0, count - 1, min(count, ROWS)).round().astype(int))
    scores = detector.score({name: values[places] for name, values in rows.items()})
    is_rare = scores.p_value < LEVEL
    share = float(is_rare.mean())
    noise = 2 * float(np.sqrt(LEVEL / len(places)))  # two standard errors, about
    if share <= MOST * LEVEL + noise:
        return RowDrift(share, ())
    order = np.argsort(-scores.causes[is_rare].mean(axis=0), kind="stable")[:NAMED]
    return RowDrift(share, tuple(detector.columns.names[number] for number in order))
