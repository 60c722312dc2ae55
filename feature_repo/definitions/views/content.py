"""Content vectors of tracks (from artist, genres and texts) and of listeners (mean of their tracks), from one fit."""

from feature_repo.definitions.entities import track, user
from feature_repo.definitions.views.taste import VECTOR
from feature_repo.sources import feature_table

user_content = feature_table(
    "user_content", entities=[user], schema=VECTOR, description="Mean content vector of what a listener plays"
)
track_content = feature_table(
    "track_content", entities=[track], schema=VECTOR, description="Content vector of a track, of length one"
)
