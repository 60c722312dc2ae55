"""Metrics that agents report of their hosts."""

import dataframely as dy

from feature_repo.definitions.events.host_metrics import host_metrics
from transforms.raw.table import RawTable, Timed, key_column


class HostMetrics(Timed):
    """One row per host and scrape; shares in permille, rates in bytes a second."""

    host_id = key_column()
    cpu_permille = dy.Int64(
        nullable=True, min=host_metrics.ranges["cpu_permille"][0], max=host_metrics.ranges["cpu_permille"][1]
    )
    memory_permille = dy.Int64(
        nullable=True, min=host_metrics.ranges["memory_permille"][0], max=host_metrics.ranges["memory_permille"][1]
    )
    disk_permille = dy.Int64(
        nullable=True, min=host_metrics.ranges["disk_permille"][0], max=host_metrics.ranges["disk_permille"][1]
    )
    network_in = dy.Int64(
        nullable=True, min=host_metrics.ranges["network_in"][0], max=host_metrics.ranges["network_in"][1]
    )
    network_out = dy.Int64(
        nullable=True, min=host_metrics.ranges["network_out"][0], max=host_metrics.ranges["network_out"][1]
    )
    disk_io = dy.Int64(nullable=True, min=host_metrics.ranges["disk_io"][0], max=host_metrics.ranges["disk_io"][1])
    connections = dy.Int64(
        nullable=True, min=host_metrics.ranges["connections"][0], max=host_metrics.ranges["connections"][1]
    )


HOST_METRICS = RawTable("host_metrics", HostMetrics, key=("host_id", "event_timestamp"))
