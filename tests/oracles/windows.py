"""What a windowed feature is at a midnight: a loop over all plays."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

Play = Mapping[str, Any]


def inside(plays: Sequence[Play], key: Mapping[str, Any], midnight: datetime, days: int) -> list[Play]:
    """Plays of a key in the ``days`` days before a midnight."""
    first = midnight - timedelta(days=days)
    return [
        play
        for play in plays
        if first <= play["event_timestamp"] < midnight
        and all(value is not None and play[name] == value for name, value in key.items())
    ]


def counts(plays: Sequence[Play]) -> dict[str, Any]:
    """Plays, time listened, and share skipped."""
    played = len(plays)
    return {
        "plays": played,
        "listening_ms": sum(play["ms_played"] or 0 for play in plays),
        "skip_rate": sum(bool(play["skipped"]) for play in plays) / played if played else None,
        "distinct_tracks": len({play["track_id"] for play in plays}),
        "distinct_artists": len({play["artist_id"] for play in plays if play["artist_id"] is not None}),
        "listeners": len({play["user_id"] for play in plays}),
    }


def history(plays: Sequence[Play], user: str, midnight: datetime, most: int) -> tuple[list[str], int]:
    """Distinct tracks of a user before a midnight, newest first (ties by track), and how many there are."""
    last: dict[str, datetime] = {}
    for play in plays:
        if play["user_id"] == user and play["event_timestamp"] < midnight:
            last[play["track_id"]] = max(last.get(play["track_id"], play["event_timestamp"]), play["event_timestamp"])
    ordered = sorted(last, key=lambda track: (-last[track].timestamp(), track))
    return ordered[:most], len(ordered)
