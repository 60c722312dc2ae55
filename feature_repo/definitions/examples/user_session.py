"""Examples of the current session of a listener."""

from feature_repo.definitions.windowed.user_session import user_session
from feature_repo.example import example

_FIRST = {
    "event_timestamp": "2026-01-01T20:00:00Z",
    "user_id": "ann",
    "track_id": "t1",
    "artist_id": "a1",
    "ms_played": 180_000,
    "skipped": False,
}
_SECOND = {**_FIRST, "event_timestamp": "2026-01-01T20:10:00Z", "track_id": "t2", "ms_played": 5_000, "skipped": True}

an_evening = example(
    user_session,
    name="an evening",
    events=[_FIRST, _SECOND],
    at="2026-01-01T20:30:00Z",
    expect={
        "plays_1h": 2,
        "listening_ms_1h": 185_000,
        "skip_rate_1h": 0.5,
        "last_tracks_1d": ["t2", "t1"],
        "idle_seconds": 1_200.0,
    },
)

the_next_morning = example(
    user_session,
    name="the next morning",
    events=[_FIRST, _SECOND],
    at="2026-01-02T08:00:00Z",
    expect={"plays_1h": 0, "skip_rate_1h": None, "plays_1d": 2},
)
