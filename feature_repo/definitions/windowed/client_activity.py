"""Requests from one client address; a row after every request."""

from feature_repo.definitions.events.requests import requests
from feature_repo.windows import Count, Distinct, Rate, Sum, WindowedTable, column

client_activity = WindowedTable(
    name="client_activity",
    about="Requests, endpoints, accounts, bytes and share refused of one client address",
    source=requests,
    keys=("client_ip",),
    windows=("5m", "1h"),
    features={
        "requests": Count(),
        "endpoints": Distinct("endpoint", over=("1h",)),
        "users": Distinct("user_id", over=("1h",)),
        "bytes": Sum("bytes"),
        "refused_rate": Rate(where=(column("status") >= 400) & (column("status") < 500)),
    },
    every="event",
)
