"""Resource usage of a host; a row after every report of its agent."""

from feature_repo.definitions.events.host_metrics import host_metrics
from feature_repo.windows import Max, Mean, Std, WindowedTable

host_health = WindowedTable(
    name="host_health",
    about="Processor, memory and disk (permille), network and disk traffic (bytes a second), connections of one host",
    source=host_metrics,
    keys=("host_id",),
    windows=("5m", "1h", "1d"),
    features={
        "cpu": Mean("cpu_permille"),
        "cpu_most": Max("cpu_permille", over=("5m", "1h")),
        "cpu_spread": Std("cpu_permille", over=("1h",)),
        "memory": Mean("memory_permille"),
        "disk": Mean("disk_permille", over=("1h", "1d")),
        "network_in": Mean("network_in"),
        "network_out": Mean("network_out"),
        "disk_io": Mean("disk_io"),
        "connections": Mean("connections"),
    },
    every="event",
)
