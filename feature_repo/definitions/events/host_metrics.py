"""Metrics of hosts."""

from feature_repo.windows import EventSource

host_metrics = EventSource(
    "host_metrics",
    columns={
        "host_id": "String",
        "cpu_permille": "Int64",
        "memory_permille": "Int64",
        "disk_permille": "Int64",
        "network_in": "Int64",
        "network_out": "Int64",
        "disk_io": "Int64",
        "connections": "Int64",
    },
    key=("host_id",),
    ranges=dict.fromkeys(("cpu_permille", "memory_permille", "disk_permille"), (0, 1000))
    | dict.fromkeys(("network_in", "network_out", "disk_io", "connections"), (0, 1 << 50)),
)
"""Metrics reported by a host's agent, usually once a minute: shares in permille, rates in bytes per second."""
