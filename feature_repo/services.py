"""Feature services: one per model version, with the features that the model takes."""

from feast import FeatureService

from feature_repo.on_demand_views import ON_DEMAND_VIEWS
from feature_repo.views import FEATURE_TABLES
from feature_repo.views.forecast import FORECAST_VIEWS
from feature_repo.windowed import WINDOWED

recommendation_v1 = FeatureService(
    name="recommendation_v1",
    description="The ranker of recommendations: one row for each listener, track and moment",
    tags={"predicts": "played"},
    features=[
        ON_DEMAND_VIEWS["taste_match"],
        ON_DEMAND_VIEWS["content_match"],
        ON_DEMAND_VIEWS["candidate_match"],
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

real_time_recommendation_v1 = FeatureService(
    name="real_time_recommendation_v1",
    description="The ranker within a session: what recommendation_v1 says, and what is going on now",
    tags={"predicts": "played"},
    features=[
        ON_DEMAND_VIEWS["taste_match"],
        ON_DEMAND_VIEWS["content_match"],
        ON_DEMAND_VIEWS["candidate_match"],
        ON_DEMAND_VIEWS["popularity_share"],
        ON_DEMAND_VIEWS["affinity_share"],
        ON_DEMAND_VIEWS["track_age"],
        ON_DEMAND_VIEWS["request_context"],
        ON_DEMAND_VIEWS["user_session_now"],
        FEATURE_TABLES["user_session"][
            [f"{name}_{window}" for name in ("plays", "listening_ms", "skip_rate") for window in ("1h", "1d", "7d")]
        ],
        FEATURE_TABLES["user_listening"],
        FEATURE_TABLES["user_history"][["distinct_tracks"]],
        FEATURE_TABLES["track_popularity"],
        FEATURE_TABLES["artist_popularity"],
        FEATURE_TABLES["user_artist_affinity"],
        FEATURE_TABLES["track_catalogue"][["duration_ms", "explicit"]],
        FEATURE_TABLES["user_profile"][["birth_year"]],
    ],
)

track_content_v1 = FeatureService(
    name="track_content_v1",
    description="What describes a track: for its content vector, and for tracks that nobody has played",
    features=[
        FEATURE_TABLES["track_catalogue"][["artist_id", "genres", "explicit", "released", "duration_ms"]],
        FEATURE_TABLES["track_text"][["vector", "fit"]],
        FEATURE_TABLES["track_audio"][["timbre", "chroma"]],
    ],
)

user_segment_v1 = FeatureService(
    name="user_segment_v1",
    description="Which groups a listener belongs to, for what is popular among people like them",
    features=[FEATURE_TABLES["user_profile"][["country", "birth_year"]]],
)

track_rights_v1 = FeatureService(
    name="track_rights_v1",
    description="Whether a track may be played: to whom, and where",
    features=[FEATURE_TABLES["track_catalogue"][["available", "regions", "explicit"]]],
)

taste_vectors_v1 = FeatureService(
    name="taste_vectors_v1",
    description="Vectors of collaborative filtering by listener, track and artist, for whoever wants neighbours",
    features=[FEATURE_TABLES["user_taste"], FEATURE_TABLES["track_taste"], FEATURE_TABLES["artist_taste"]],
)

listener_v1 = FeatureService(
    name="listener_v1",
    description="Who asks: taste, history, session, profile and situation, for retrieval, filters and reasons",
    features=[
        FEATURE_TABLES["user_taste"],
        FEATURE_TABLES["user_content"],
        FEATURE_TABLES["user_session"][["last_tracks_1d", "last_tracks_times_1d"]],
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

track_plays_v1 = FeatureService(
    name="track_plays_v1",
    description="Plays of a track on the day before: asked for at every midnight, its history",
    features=[FEATURE_TABLES["track_popularity"][["plays_1d"]]],
)
artist_plays_v1 = FeatureService(
    name="artist_plays_v1",
    description="Plays of an artist on the day before",
    features=[FEATURE_TABLES["artist_popularity"][["plays_1d"]]],
)
user_plays_v1 = FeatureService(
    name="user_plays_v1",
    description="Plays of a listener on the day before",
    features=[FEATURE_TABLES["user_listening"][["plays_1d"]]],
)
platform_load_v1 = FeatureService(
    name="platform_load_v1",
    description="Plays of everybody in the hour before: asked for at every hour, the load",
    features=[FEATURE_TABLES["platform_load"]],
)

track_trend_v1 = FeatureService(
    name="track_trend_v1",
    description="A track at the origin of a forecast: how it is heard, how old it is, how its artist and all do",
    tags={"predicts": "plays"},
    features=[
        FEATURE_TABLES["track_popularity"][["plays_28d", "listeners_7d", "listeners_28d", "skip_rate_28d"]],
        FEATURE_TABLES["artist_popularity"][["plays_7d", "plays_28d", "listeners_28d"]],
        FEATURE_TABLES["platform_activity"][["plays_7d", "plays_28d"]],
        FEATURE_TABLES["track_catalogue"][["artist_id", "genres", "explicit", "released"]],
    ],
)

user_behavior_v1 = FeatureService(
    name="user_behavior_v1",
    description="A listener at the origin of a forecast of their activity",
    tags={"predicts": "plays"},
    features=[
        FEATURE_TABLES["user_listening"],
        FEATURE_TABLES["user_history"][["distinct_tracks"]],
        FEATURE_TABLES["user_profile"],
    ],
)

skip_v1 = FeatureService(
    name="skip_v1",
    description="A play that begins: who listens, to what, and what goes on; for whether it is broken off",
    tags={"predicts": "skipped"},
    features=[
        ON_DEMAND_VIEWS["request_context"],
        FEATURE_TABLES["user_session"][
            [f"{name}_{window}" for name in ("plays", "skip_rate") for window in ("1h", "1d")]
        ],
        FEATURE_TABLES["user_listening"],
        FEATURE_TABLES["user_history"][["distinct_tracks"]],
        FEATURE_TABLES["track_popularity"],
        FEATURE_TABLES["artist_popularity"],
        FEATURE_TABLES["user_artist_affinity"],
        FEATURE_TABLES["track_catalogue"][["duration_ms", "explicit"]],
        FEATURE_TABLES["user_profile"],
    ],
)

experiment_metrics_v1 = FeatureService(
    name="experiment_metrics_v1",
    description="What a listener did, by the day: the metrics of experiments, before and after",
    features=[FEATURE_TABLES["user_listening"], FEATURE_TABLES["user_feedback"]],
)

FORECASTS: dict[str, FeatureService] = {
    name: FeatureService(name=f"{name}_v1", description=view.description, features=[view])
    for name, view in FORECAST_VIEWS.items()
}
"""One service per view of forecasts."""

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

system_anomaly_v1 = FeatureService(
    name="system_anomaly_v1",
    description="How a host is doing, and how far that is from what is usual at this hour of the week",
    features=[
        FEATURE_TABLES["host_health"][[name for name, _ in WINDOWED["host_health"].fields if not name.endswith("_1d")]],
        ON_DEMAND_VIEWS["host_deviation"],
    ],
)
performance_anomaly_v1 = FeatureService(
    name="performance_anomaly_v1",
    description="How an endpoint answers, and how far that is from what is usual at this hour of the week",
    features=[
        FEATURE_TABLES["endpoint_performance"][
            [name for name, _ in WINDOWED["endpoint_performance"].fields if not name.endswith("_1d")]
        ],
        ON_DEMAND_VIEWS["endpoint_deviation"],
    ],
)
user_anomaly_v1 = FeatureService(
    name="user_anomaly_v1",
    description="How an account listens and from where, beside its own last four weeks",
    features=[
        FEATURE_TABLES["user_behavior"],
        ON_DEMAND_VIEWS["user_deviation"],
        FEATURE_TABLES["user_listening"][["plays_28d", "listening_ms_28d", "skip_rate_28d", "distinct_tracks_28d"]],
        FEATURE_TABLES["account_security"][
            [
                f"{name}_{window}"
                for name in ("attempts", "failure_rate", "addresses", "countries", "devices")
                for window in ("1h", "1d")
            ]
        ],
    ],
)
security_anomaly_v1 = FeatureService(
    name="security_anomaly_v1",
    description="What comes from one client address: attempts to log in, and requests",
    features=[FEATURE_TABLES["access_security"], FEATURE_TABLES["client_activity"]],
)
track_identity_v1 = FeatureService(
    name="track_identity_v1",
    description="Which recording and song a track is, under whatever spelling",
    features=[FEATURE_TABLES["track_identity"]],
)
track_text_v1 = FeatureService(
    name="track_text_v1",
    description="What is written about a track",
    features=[FEATURE_TABLES["track_text"]],
)
artist_text_v1 = FeatureService(
    name="artist_text_v1",
    description="What is written about an artist and all their tracks",
    features=[FEATURE_TABLES["artist_text"]],
)
metadata_tags_v1 = FeatureService(
    name="metadata_tags_v1",
    description="What the tagger reads: where the writing about an artist lies",
    tags={"predicts": "tags"},
    features=[FEATURE_TABLES["artist_text"][["vector", "topics", "fit"]]],
)
track_audio_v1 = FeatureService(
    name="track_audio_v1",
    description="How a track sounds: rhythm, harmony, dynamics, timbre",
    features=[FEATURE_TABLES["track_audio"]],
)

audio_classifier_v1 = FeatureService(
    name="audio_classifier_v1",
    description="What genre, mood and instruments are told from: how a track sounds",
    tags={"predicts": "genre, mood, valence, arousal, instruments"},
    features=[
        FEATURE_TABLES["track_audio"][
            [
                "tempo",
                "tempo_confidence",
                "meter_confidence",
                "pulse_clarity",
                "onset_rate",
                "key",
                "mode",
                "key_confidence",
                "dynamic_range",
                "level",
                "crossings",
                "centroid",
                "bandwidth",
                "roll_off",
                "flatness",
                "timbre",
                "chroma",
                "tonnetz",
                "tonal_balance",
            ]
        ]
    ],
)

audio_anomaly_v1 = FeatureService(
    name="audio_anomaly_v1",
    description="How a master sounds to a meter",
    features=[FEATURE_TABLES["audio_quality"]],
)
