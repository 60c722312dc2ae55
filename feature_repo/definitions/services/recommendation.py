"""Services of recommendations: rankers, retrieval, rights, what is shown."""

from feature_repo.service import service

_CANDIDATE = (
    "taste_match",
    "content_match",
    "candidate_match",
    "popularity_share",
    "affinity_share",
    "track_age",
)
"""On-demand features of a track as a candidate for a listener, which every ranker takes."""

SERVICES = (
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
        purpose="personalisation",
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
        purpose="personalisation",
    ),
    service(
        "track_content_v1",
        "What describes a track: for its content vector, and for tracks that nobody has played",
        "track_catalogue: artist_id genres explicit released duration_ms",
        "track_text: vector fit",
        "track_audio: timbre chroma",
        purpose="service",
    ),
    service(
        "user_segment_v1",
        "Which groups a listener belongs to, for what is popular among people like them",
        "user_profile: country birth_year",
        purpose="personalisation",
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
        purpose="personalisation",
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
        purpose="personalisation",
    ),
    service(
        "heard_v1",
        "Whether a listener has ever heard a track, how often, and when last: for the filter of known tracks",
        "user_track_history",
        purpose="personalisation",
    ),
    service(
        "own_listening_v1",
        "What a listener played so far, for what they may want to hear again",
        "user_own_listening",
        purpose="personalisation",
    ),
    service(
        "track_display_v1",
        "What a person is shown of a track",
        "track_catalogue: title artist_id artist_name genres",
    ),
    service(
        "session_v1",
        "What a listener is doing now, up to the last play",
        "user_session: plays_{1h,1d,7d} listening_ms_{1h,1d,7d} skip_rate_{1h,1d,7d} last_tracks_1d "
        "last_tracks_times_1d top_artists_7d top_artists_counts_7d",
        "user_session_now",
        purpose="personalisation",
    ),
)
