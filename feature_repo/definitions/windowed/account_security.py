"""Login attempts on one account; a row after every attempt."""

from feature_repo.definitions.events.logins import logins
from feature_repo.windows import Count, Distinct, Rate, WindowedTable, column

account_security = WindowedTable(
    name="account_security",
    about="Attempts to log in, share that failed, addresses, countries and devices of one account",
    source=logins,
    keys=("user_id",),
    windows=("1h", "1d", "7d"),
    features={
        "attempts": Count(),
        "failure_rate": Rate(where=column("success") == False),  # noqa: E712
        "addresses": Distinct("client_ip"),
        "countries": Distinct("country"),
        "devices": Distinct("device"),
    },
    every="event",
)
