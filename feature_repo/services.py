"""Feature services: one per model version, with the features that the model takes."""

from typing import Any

from feast import FeatureService

from feature_repo.on_demand_views import ON_DEMAND_VIEWS
from feature_repo.views import FEATURE_TABLES
from feature_repo.views.forecast import FORECAST_VIEWS


def service(name: str, description: str, *features: str, predicts: str = "") -> FeatureService:
    """Declare a feature service.

    Args:
        name: name of the service, with its version.
        description: one line.
        features: the views, each alone for all its features, or followed by a colon and the features taken. Braces
            stand for several endings: ``user_session: plays_{1h,1d}`` takes ``plays_1h`` and ``plays_1d``.
        predicts: the label that a model of this service learns, if there is one.

    Raises:
        KeyError: there is no view of such a name.
    """
    views = {**FEATURE_TABLES, **ON_DEMAND_VIEWS}
    projections: list[Any] = []
    for feature in features:
        view, _, columns = feature.partition(":")
        names = [name for word in columns.split() for name in _expand(word)]
        projections.append(views[view][names] if names else views[view])
    tags = {"predicts": predicts} if predicts else {}
    return FeatureService(name=name, description=description, tags=tags, features=projections)


def _expand(word: str) -> list[str]:
    stem, braces, endings = word.partition("{")
    return [stem + ending for ending in endings.rstrip("}").split(",")] if braces else [word]


_CANDIDATE = (
    "taste_match",
    "content_match",
    "candidate_match",
    "popularity_share",
    "affinity_share",
    "track_age",
)
"""On-demand features of a track as a candidate for a listener, which every ranker takes."""

_DECLARED = (
    service(
        "recommendation_v1",
        "The ranker of recommendations: one row for each listener, track and moment",
        *_CANDIDATE,
        "user_listening: plays_28d skip_rate_28d distinct_artists_28d",
        "user_history: distinct_tracks",
        "track_popularity: skip_rate_28d",
        "artist_popularity: skip_rate_28d",
        "user_artist_affinity: plays_28d skip_rate_28d",
        predicts="played",
    ),
    service(
        "real_time_recommendation_v1",
        "The ranker within a session: what recommendation_v1 says, and what is going on now",
        *_CANDIDATE,
        "request_context",
        "user_session_now",
        "user_session: plays_{1h,1d,7d} listening_ms_{1h,1d,7d} skip_rate_{1h,1d,7d}",
        "user_listening",
        "user_history: distinct_tracks",
        "track_popularity",
        "artist_popularity",
        "user_artist_affinity",
        "track_catalogue: duration_ms explicit",
        "user_profile: birth_year",
        predicts="played",
    ),
    service(
        "track_content_v1",
        "What describes a track: for its content vector, and for tracks that nobody has played",
        "track_catalogue: artist_id genres explicit released duration_ms",
        "track_text: vector fit",
        "track_audio: timbre chroma",
    ),
    service(
        "user_segment_v1",
        "Which groups a listener belongs to, for what is popular among people like them",
        "user_profile: country birth_year",
    ),
    service(
        "track_rights_v1",
        "Whether a track may be played: to whom, and where",
        "track_catalogue: available regions explicit",
    ),
    service(
        "taste_vectors_v1",
        "Vectors of collaborative filtering by listener, track and artist, for whoever wants neighbours",
        "user_taste",
        "track_taste",
        "artist_taste",
    ),
    service(
        "listener_v1",
        "Who asks: taste, history, session, profile and situation, for retrieval, filters and reasons",
        "user_taste",
        "user_content",
        "user_session: last_tracks_1d last_tracks_times_1d",
        "user_history",
        "user_profile",
        "request_context",
    ),
    service(
        "track_display_v1",
        "What a person is shown of a track",
        "track_catalogue: title artist_id artist_name genres",
    ),
    service(
        "chart_run_v1",
        "A title on a weekly chart: its places so far, and its artist's; for how its run goes on",
        "track_chart",
        "artist_chart",
        predicts="rank",
    ),
    service(
        "track_plays_v1",
        "Plays of a track on the day before: asked for at every midnight, its history",
        "track_popularity: plays_1d",
    ),
    service(
        "artist_plays_v1",
        "Plays of an artist on the day before",
        "artist_popularity: plays_1d",
    ),
    service(
        "user_plays_v1",
        "Plays of a listener on the day before",
        "user_listening: plays_1d",
    ),
    service(
        "platform_load_v1",
        "Plays of everybody in the hour before: asked for at every hour, the load",
        "platform_load",
    ),
    service(
        "track_trend_v1",
        "A track at the origin of a forecast: how it is heard, how old it is, how its artist and all do",
        "track_popularity: plays_28d listeners_{7d,28d} skip_rate_28d",
        "artist_popularity: plays_{7d,28d} listeners_28d",
        "platform_activity: plays_{7d,28d}",
        "track_catalogue: artist_id genres explicit released",
        predicts="plays",
    ),
    service(
        "user_behavior_v1",
        "A listener at the origin of a forecast of their activity",
        "user_listening",
        "user_history: distinct_tracks",
        "user_profile",
        predicts="plays",
    ),
    service(
        "skip_v1",
        "A play that begins: who listens, to what, and what goes on; for whether it is broken off",
        "request_context",
        "user_session: plays_{1h,1d} skip_rate_{1h,1d}",
        "user_listening",
        "user_history: distinct_tracks",
        "track_popularity",
        "artist_popularity",
        "user_artist_affinity",
        "track_catalogue: duration_ms explicit",
        "user_profile",
        predicts="skipped",
    ),
    service(
        "experiment_metrics_v1",
        "What a listener did, by the day: the metrics of experiments, before and after",
        "user_listening",
        "user_feedback",
    ),
    service(
        "session_v1",
        "What a listener is doing now, up to the last play",
        "user_session: plays_{1h,1d,7d} listening_ms_{1h,1d,7d} skip_rate_{1h,1d,7d} last_tracks_1d "
        "last_tracks_times_1d top_artists_7d top_artists_counts_7d",
        "user_session_now",
    ),
    service(
        "system_anomaly_v1",
        "How a host is doing, and how far that is from what is usual at this hour of the week",
        "host_health: cpu_{5m,1h} cpu_most_{5m,1h} cpu_spread_1h memory_{5m,1h} disk_1h network_in_{5m,1h} "
        "network_out_{5m,1h} disk_io_{5m,1h} connections_{5m,1h}",
        "host_deviation",
    ),
    service(
        "performance_anomaly_v1",
        "How an endpoint answers, and how far that is from what is usual at this hour of the week",
        "endpoint_performance: requests_{5m,1h} latency_{5m,1h} latency_spread_{5m,1h} error_rate_{5m,1h} "
        "refused_rate_{5m,1h} slow_rate_{5m,1h} bytes_{5m,1h} clients_1h",
        "endpoint_deviation",
    ),
    service(
        "user_anomaly_v1",
        "How an account listens and from where, beside its own last four weeks",
        "user_behavior",
        "user_deviation",
        "user_listening: plays_28d listening_ms_28d skip_rate_28d distinct_tracks_28d",
        "account_security: attempts_{1h,1d} failure_rate_{1h,1d} addresses_{1h,1d} countries_{1h,1d} devices_{1h,1d}",
    ),
    service(
        "security_anomaly_v1",
        "What comes from one client address: attempts to log in, and requests",
        "access_security",
        "client_activity",
    ),
    service(
        "track_identity_v1",
        "Which recording and song a track is, under whatever spelling",
        "track_identity",
    ),
    service(
        "track_text_v1",
        "What is written about a track",
        "track_text",
    ),
    service(
        "artist_text_v1",
        "What is written about an artist and all their tracks",
        "artist_text",
    ),
    service(
        "metadata_tags_v1",
        "What the tagger reads: where the writing about an artist lies",
        "artist_text: vector topics fit",
        predicts="tags",
    ),
    service(
        "track_audio_v1",
        "How a track sounds: rhythm, harmony, dynamics, timbre",
        "track_audio",
    ),
    service(
        "audio_classifier_v1",
        "What genre, mood and instruments are told from: how a track sounds",
        "track_audio: tempo tempo_confidence meter_confidence pulse_clarity onset_rate key mode "
        "key_confidence dynamic_range level crossings centroid bandwidth roll_off flatness timbre chroma "
        "tonnetz tonal_balance",
        predicts="genre, mood, valence, arousal, instruments",
    ),
    service(
        "audio_anomaly_v1",
        "How a master sounds to a meter",
        "audio_quality",
    ),
)
_FORECASTS = [service(f"{name}_v1", view.description, name) for name, view in FORECAST_VIEWS.items()]
SERVICES: dict[str, FeatureService] = {declared.name: declared for declared in (*_DECLARED, *_FORECASTS)}
"""Every feature service, by name."""
