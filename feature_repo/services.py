"""One FeatureService per model version: the list of features that this model eats."""

from feast import FeatureService

from feature_repo.views import FEATURE_TABLES
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
        FEATURE_TABLES["user_listening"][["plays_28d", "skip_rate_28d", "distinct_artists_28d"]],
        FEATURE_TABLES["user_history"][["distinct_tracks"]],
        FEATURE_TABLES["track_popularity"][["skip_rate_28d"]],
        FEATURE_TABLES["artist_popularity"][["skip_rate_28d"]],
        FEATURE_TABLES["user_artist_affinity"][["plays_28d", "skip_rate_28d"]],
    ],
)

listener_v1 = FeatureService(
    name="listener_v1",
    description="Who asks: taste, history, profile and situation, for retrieval, filters and reasons",
    features=[
        FEATURE_TABLES["user_taste"],
        FEATURE_TABLES["user_history"],
        FEATURE_TABLES["user_profile"],
        ON_DEMAND_VIEWS["request_context"],
    ],
)

track_display_v1 = FeatureService(
    name="track_display_v1",
    description="What a person is shown of a track",
    features=[FEATURE_TABLES["track_catalogue"][["title", "artist_id", "artist_name", "genres"]]],
)

chart_run_v1 = FeatureService(
    name="chart_run_v1",
    description="A title on a weekly chart: its places so far, and its artist's; for how its run goes on",
    tags={"predicts": "rank"},
    features=[FEATURE_TABLES["track_chart"], FEATURE_TABLES["artist_chart"]],
)

session_v1 = FeatureService(
    name="session_v1",
    description="What a listener is doing now, up to the last play",
    features=[
        FEATURE_TABLES["user_session"][
            [
                *(
                    f"{name}_{window}"
                    for name in ("plays", "listening_ms", "skip_rate")
                    for window in ("1h", "1d", "7d")
                ),
                "last_tracks_1d",
                "last_tracks_times_1d",
                "top_artists_7d",
                "top_artists_counts_7d",
            ]
        ],
        ON_DEMAND_VIEWS["user_session_now"],
    ],
)
