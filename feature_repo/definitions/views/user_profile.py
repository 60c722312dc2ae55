"""Profile of a listener, as given by the listener."""

from feast import Field
from feast.types import Int64, String

from feature_repo.definitions.entities import user
from feature_repo.sources import feature_table

user_profile = feature_table(
    "user_profile",
    entities=[user],
    schema=[
        Field(name="country", dtype=String),
        Field(name="birth_year", dtype=Int64),
        Field(name="gender", dtype=String),
        Field(name="plan", dtype=String),
    ],
    description="Country, birth year, gender and plan of one listener, from sign-up and every change on",
    columns={"*": "users.{feature}"},
)
