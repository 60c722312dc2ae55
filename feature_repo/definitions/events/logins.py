"""Attempts to log in."""

from feature_repo.windows import EventSource

logins = EventSource(
    "logins",
    columns={
        "user_id": "String",
        "client_ip": "String",
        "session": "String",
        "country": "String",
        "device": "String",
        "success": "Bool",
    },
    key=("user_id", "client_ip", "session"),
)
"""One login attempt; ``session`` distinguishes attempts with equal times."""
