"""How far a host is from what is usual at this hour of the week."""

import numpy as np

from feature_repo.on_demand import OnDemand

METRICS = ("cpu", "memory", "network_in", "network_out", "disk_io", "connections")
LEAST_SHARE = 0.02
"""Of what is usual: a spread is not taken to be smaller, or the slightest move would be far out."""


def host_deviation(**columns: np.ndarray) -> dict[str, np.ndarray]:
    """Standard deviations between the last minutes and what is usual, for each of ``METRICS``; NaN if unknown.

    Args:
        columns: ``<metric>_now``, ``<metric>_usual`` and ``<metric>_spread``, each (n,).
    """
    return {name: away(*(columns[f"{name}_{what}"] for what in ("now", "usual", "spread"))) for name in METRICS}


def away(now: np.ndarray, usual: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """(n,) distance in standard deviations."""
    with np.errstate(invalid="ignore"):
        width = np.maximum(np.maximum(np.nan_to_num(spread), LEAST_SHARE * np.abs(usual)), 1e-9)
        return (now - usual) / width


HOST_DEVIATION = OnDemand(
    "host_deviation",
    host_deviation,
    inputs={
        f"{metric}_{what}": column
        for metric in METRICS
        for what, column in (
            ("now", f"host_health__{metric}_5m"),
            ("usual", f"host_baseline__{metric}_usual"),
            ("spread", f"host_baseline__{metric}_spread"),
        )
    },
    outputs=dict.fromkeys(METRICS, "Float64"),
)
