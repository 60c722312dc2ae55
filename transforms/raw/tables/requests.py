"""Requests to the service, with status and latency of the answers."""

import dataframely as dy

from feature_repo.definitions.events.requests import requests
from transforms.raw.table import RawTable, Timed, key_column


class Requests(Timed):
    """One row per request; ``event_timestamp`` is the time of its answer."""

    endpoint = key_column()
    request_id = key_column()
    host_id = dy.String(nullable=True)
    client_ip = dy.String(nullable=True)
    user_id = dy.String(nullable=True)
    status = dy.Int64(nullable=True, min=requests.ranges["status"][0], max=requests.ranges["status"][1])
    latency_us = dy.Int64(nullable=True, min=requests.ranges["latency_us"][0], max=requests.ranges["latency_us"][1])
    bytes = dy.Int64(nullable=True, min=requests.ranges["bytes"][0], max=requests.ranges["bytes"][1])


REQUESTS = RawTable(
    "requests",
    Requests,
    key=("endpoint", "request_id", "event_timestamp"),
    personal=("client_ip",),
    retention="365d",
)
