"""One FeatureService per model version: the list of features that this model eats."""

from feast import FeatureService

from feature_repo.views import (
    artist_popularity,
    track_catalogue,
    track_popularity,
    user_artist_affinity,
    user_history,
    user_listening,
    user_profile,
    user_taste,
)
from feature_repo.views.on_demand import ON_DEMAND_VIEWS

recommendation_v1 = FeatureService(
    name="recommendation_v1",
    description="The ranker of recommendations: one row for each listener, track and moment",
    tags={"predicts": "played"},
    features=[
        ON_DEMAND_VIEWS["taste_match"],
        ON_DEMAND_VIEWS["popularity_share"],
        ON_DEMAND_VIEWS["affinity_share"],
        ON_DEMAND_VIEWS["track_age"],
        user_listening[["plays_28d", "skip_rate_28d", "distinct_artists_28d"]],
        user_history[["distinct_tracks"]],
        track_popularity[["skip_rate_28d"]],
        artist_popularity[["skip_rate_28d"]],
        user_artist_affinity[["plays_28d", "skip_rate_28d"]],
    ],
)

listener_v1 = FeatureService(
    name="listener_v1",
    description="Who asks: taste, history, profile and situation, for retrieval, filters and reasons",
    features=[user_taste, user_history, user_profile, ON_DEMAND_VIEWS["request_context"]],
)

track_display_v1 = FeatureService(
    name="track_display_v1",
    description="What a person is shown of a track",
    features=[track_catalogue[["title", "artist_id", "artist_name", "genres"]]],
)
