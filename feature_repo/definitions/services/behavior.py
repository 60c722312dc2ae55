"""Services about what listeners do."""

from feature_repo.service import service

SERVICES = (
    service(
        "user_behavior_v1",
        "A listener at the origin of a forecast of their activity",
        "user_listening",
        "user_history: distinct_tracks",
        "user_profile",
        predicts="plays",
        purpose="analytics",
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
        purpose="analytics",
    ),
    service(
        "experiment_metrics_v1",
        "What a listener did, by the day: the metrics of experiments, before and after",
        "user_listening",
        "user_feedback",
        purpose="analytics",
    ),
)
