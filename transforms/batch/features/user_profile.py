"""Profile of a listener, as the listener reports it (view ``user_profile``)."""

import polars as pl

from transforms.batch.features.feature_table import FeatureTable


def user_profile(users: pl.DataFrame) -> pl.DataFrame:
    """Returns one row for each sign-up and each change of a profile, stamped when it happened."""
    return users.select("user_id", "event_timestamp", "created_timestamp", "country", "birth_year", "gender", "plan")


TABLE = FeatureTable("user_profile", source="users", compute=user_profile)
