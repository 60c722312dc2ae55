"""Baselines of hosts and endpoints by hour of the week. One row per hour, valid for the hour that begins."""

from collections.abc import Iterable

from feast import Field
from feast.types import Float64

from feature_repo.definitions.entities import endpoint, host
from feature_repo.sources import feature_table

HOST_METRICS = {
    "cpu": "host_metrics.cpu_permille",
    "memory": "host_metrics.memory_permille",
    "network_in": "host_metrics.network_in",
    "network_out": "host_metrics.network_out",
    "disk_io": "host_metrics.disk_io",
    "connections": "host_metrics.connections",
}
ENDPOINT_METRICS = {"requests": "", "latency": "requests.latency_us", "error_rate": "requests.status"}
"""Metric → the raw column that it is made of; requests are counted."""


def _schema(metrics: Iterable[str]) -> list[Field]:
    return [
        Field(name=f"{metric}_{statistic}", dtype=Float64, description=description)
        for metric in metrics
        for statistic, description in (
            (
                "usual",
                "its median in this hour of the week, of four weeks before; of seven days until two are known",
            ),
            ("spread", "how far such hours lie from it, as a standard deviation"),
        )
    ]


host_baseline = feature_table(
    "host_baseline",
    entities=[host],
    schema=_schema(HOST_METRICS),
    description="What is usual for one host at this hour of the week, in the units of host_health",
    columns={f"{metric}_*": column for metric, column in HOST_METRICS.items()},
    rows=" ".join(HOST_METRICS.values()),  # an hour without any baseline has no row
)
endpoint_baseline = feature_table(
    "endpoint_baseline",
    entities=[endpoint],
    schema=_schema(ENDPOINT_METRICS),
    description="What is usual for one endpoint at this hour of the week; requests by the minute",
    columns={f"{metric}_*": column for metric, column in ENDPOINT_METRICS.items()},
)
