"""How much is played in all: the measure for every share, and for capacity."""

from feast.types import Int64

from feature_repo.entities import platform
from feature_repo.sources import feature_table, per_window

platform_activity = feature_table(
    "platform_activity",
    entities=[platform],
    schema=[*per_window("plays", Int64), *per_window("listeners", Int64)],
    description="Plays and distinct listeners of everything together, trailing windows",
)
