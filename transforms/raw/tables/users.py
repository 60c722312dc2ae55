"""Profiles of listeners, as they reported them."""

import dataframely as dy

from transforms.raw.table import RawTable, Timed, key_column


class Users(Timed):
    """One row per sign-up and per change of a listener's profile."""

    user_id = key_column()
    country = dy.String(nullable=True)
    birth_year = dy.Int64(nullable=True, min=1900, max=2100)
    gender = dy.String(nullable=True)
    plan = dy.String(nullable=True)


USERS = RawTable(
    "users",
    Users,
    key=("user_id",),
    changes_slowly=True,
    personal=("country", "birth_year", "gender", "plan"),
    sensitive=("birth_year", "gender"),
    retention="1825d",
)
