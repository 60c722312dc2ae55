"""What a listener told us (view ``user_profile``)."""

import polars as pl


def user_profile(users: pl.DataFrame) -> pl.DataFrame:
    """One row per sign-up and per change, at the moment it happened."""
    return users.select("user_id", "event_timestamp", "created_timestamp", "country", "birth_year", "gender", "plan")
