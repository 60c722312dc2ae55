"""Requests to the service."""

from feature_repo.windows import EventSource

requests = EventSource(
    "requests",
    columns={
        "endpoint": "String",
        "request_id": "String",
        "host_id": "String",
        "client_ip": "String",
        "user_id": "String",
        "status": "Int64",
        "latency_us": "Int64",
        "bytes": "Int64",
    },
    key=("endpoint", "request_id"),
    ranges={"status": (100, 999), "latency_us": (0, 1 << 50), "bytes": (0, 1 << 50)},
)
"""One request to the service, at the time of the response."""
