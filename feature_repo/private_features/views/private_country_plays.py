"""The countries with most listeners on a day, with noise."""

from feast import Entity, ValueType

from feature_repo.private_counts import PrivateCounts

country = Entity(name="country", join_keys=["country"], value_type=ValueType.STRING, description="A country")
private_country_plays = PrivateCounts(
    "private_country_plays",
    about="Plays and listeners of one country on a day",
    events="plays",
    key="country",
    profile="users",
    items=1,
    value=20,
    epsilon=1.0,
    delta=1e-6,
    top=20,
)
view = private_country_plays.view(country)
