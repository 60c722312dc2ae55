"""Login attempts."""

import dataframely as dy

from transforms.raw.table import RawTable, Timed, key_column


class Logins(Timed):
    """One row per login attempt."""

    user_id = key_column()
    client_ip = key_column()
    session = key_column()
    country = dy.String(nullable=True)
    device = dy.String(nullable=True)
    success = dy.Bool(nullable=True)


LOGINS = RawTable(
    "logins",
    Logins,
    key=("user_id", "client_ip", "session", "event_timestamp"),
    personal=("client_ip", "session", "country", "device"),
    retention="365d",
)
