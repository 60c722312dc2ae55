"""Login attempts from one client address; a row after every attempt."""

from feature_repo.definitions.events.logins import logins
from feature_repo.windows import Count, Distinct, Rate, WindowedTable, column

access_security = WindowedTable(
    name="access_security",
    about="Attempts to log in, share that failed, accounts, countries and devices of one client address",
    source=logins,
    keys=("client_ip",),
    windows=("5m", "1h", "1d"),
    features={
        "attempts": Count(),
        "failure_rate": Rate(where=column("success") == False),  # noqa: E712
        "users": Distinct("user_id"),
        "devices": Distinct("device", over=("1d",)),
    },
    every="event",
)
