"""Latency and errors of an endpoint; a row after every request."""

from feature_repo.definitions.events.requests import requests
from feature_repo.windows import Count, Distinct, Mean, Rate, Std, WindowedTable, column

SLOW_US = 1_000_000

endpoint_performance = WindowedTable(
    name="endpoint_performance",
    about="Requests, latency (microseconds), share of failed, refused and slow ones of one endpoint",
    source=requests,
    keys=("endpoint",),
    windows=("5m", "1h", "1d"),
    features={
        "requests": Count(),
        "latency": Mean("latency_us"),
        "latency_spread": Std("latency_us", over=("5m", "1h")),
        "error_rate": Rate(where=column("status") >= 500),
        "refused_rate": Rate(where=(column("status") >= 400) & (column("status") < 500)),
        "slow_rate": Rate(where=column("latency_us") >= SLOW_US, over=("5m", "1h")),
        "bytes": Mean("bytes", over=("5m", "1h")),
        "clients": Distinct("client_ip", over=("1h",)),
    },
    every="event",
)
