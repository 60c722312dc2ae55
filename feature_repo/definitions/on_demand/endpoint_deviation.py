"""How far an endpoint is from what is usual at this hour of the week."""

import numpy as np

from feature_repo.definitions.on_demand.host_deviation import away
from feature_repo.on_demand import OnDemand

HOP, WIDTH = 300.0, 300.0
"""Seconds: the window of five minutes begins on the clock, so that it holds five to ten."""


def endpoint_deviation(
    request_timestamp: np.ndarray,
    requests: np.ndarray,
    latency: np.ndarray,
    error_rate: np.ndarray,
    requests_usual: np.ndarray,
    requests_spread: np.ndarray,
    latency_usual: np.ndarray,
    latency_spread: np.ndarray,
    error_rate_usual: np.ndarray,
) -> dict[str, np.ndarray]:
    """Requests a minute and latency in standard deviations from what is usual, and errors beyond what is usual.

    Args:
        request_timestamp: (n,) seconds since 1970 UTC.
        requests: (n,) of the window of five minutes; likewise ``latency`` (microseconds) and ``error_rate``.
        requests_usual: (n,) a minute, in this hour; likewise the others and their spreads.

    Returns:
        ``traffic``, ``latency`` and ``errors``, each (n,), NaN where something is not known.
    """
    minutes = (WIDTH + request_timestamp % HOP) / 60
    return {
        "traffic": away(requests / minutes, requests_usual, requests_spread),
        "latency": away(latency, latency_usual, latency_spread),
        "errors": error_rate - error_rate_usual,
    }


ENDPOINT_DEVIATION = OnDemand(
    "endpoint_deviation",
    endpoint_deviation,
    inputs={
        "request_timestamp": "request_timestamp",
        **{name: f"endpoint_performance__{name}_5m" for name in ("requests", "latency", "error_rate")},
        **{
            name: f"endpoint_baseline__{name}"
            for name in (
                "requests_usual",
                "requests_spread",
                "latency_usual",
                "latency_spread",
                "error_rate_usual",
            )
        },
    },
    outputs=dict.fromkeys(("traffic", "latency", "errors"), "Float64"),
)
