"""Users, tracks and artists are dated by their first play, whatever the order of records, batches and imports."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from feature_repo.home import Home
from tests.music import FORMATS
from transforms.raw.importers import listenbrainz
from transforms.raw.ingest import ingest
from transforms.raw.read import scan

START = datetime(2023, 5, 1, 10, tzinfo=UTC)
Plays = list[tuple[int, int]]
"""Number of the track, and hours since the start."""


def write_spotify(path: Path, plays: Plays) -> None:
    records = [
        {
            "ts": f"{START + timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}",
            "ms_played": 0,
            "username": "rob",
            "platform": "android",
            "conn_country": "SE",
            "reason_start": "trackdone",
            "reason_end": "trackdone",
            "master_metadata_track_name": f"Song {track}",
            "master_metadata_album_artist_name": f"Artist {track // 2}",
            "spotify_track_uri": f"spotify:track:{track}",
        }
        for track, hours in plays
    ]
    path.write_text(json.dumps(records))


def write_listenbrainz(path: Path, plays: Plays) -> None:
    lines = [
        {
            "user_name": "rob",
            "listened_at": int(START.timestamp()) + 3_600 * hours,
            "track_metadata": {"artist_name": f"Artist {track // 2}", "track_name": f"Song {track}"},
        }
        for track, hours in plays
    ]
    path.write_text("\n".join(json.dumps(line) for line in lines))


WRITERS = {"spotify": write_spotify, "listenbrainz": write_listenbrainz}


def first_hours(plays: Plays, group: int) -> list[int]:
    """Returns the hour of the first play of each group of tracks, by a loop."""
    firsts: dict[int, int] = {}
    for track, hours in plays:
        firsts[track // group] = min(hours, firsts.get(track // group, hours))
    return sorted(firsts.values())


def stored_hours(home: Home, table: str) -> list[int]:
    times = scan(home, table).select("event_timestamp").collect()["event_timestamp"]
    return sorted(int((time - START).total_seconds()) // 3_600 for time in times)


def random_plays(seed: int, size: int = 120) -> Plays:
    rng = np.random.default_rng(seed)
    return list(zip(rng.integers(0, 12, size).tolist(), rng.permutation(size * 9)[:size].tolist(), strict=True))


def in_order(plays: Plays) -> Plays:
    return sorted(plays, key=lambda play: play[1])


def reversed_order(plays: Plays) -> Plays:
    return in_order(plays)[::-1]


@pytest.mark.parametrize("order", [in_order, reversed_order, list])
@pytest.mark.parametrize("name", WRITERS)
def test_everything_is_known_at_its_first_play(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, order: Callable[[Plays], Plays]
) -> None:
    monkeypatch.setattr(listenbrainz, "BATCH_ROWS", 13)
    plays = random_plays(seed=1)
    path = tmp_path / ("endsong_0.json" if name == "spotify" else "0.jsonl")
    WRITERS[name](path, order(plays))
    ingest(home, name, FORMATS[name].read(path))
    for table, group in (("tracks", 1), ("artists", 2), ("users", 1_000)):
        assert stored_hours(home, table) == first_hours(plays, group)
    first = {table: scan(home, table).collect().min()["event_timestamp"][0] for table in ("plays", "users")}
    assert first["users"] == first["plays"]


@pytest.mark.parametrize("name", WRITERS)
def test_earlier_plays_that_come_later_move_the_date(home: Home, tmp_path: Path, name: str) -> None:
    plays = in_order(random_plays(seed=2))
    parts = [plays[80:], plays[40:80], plays[:40], plays]
    for number, part in enumerate(parts):
        path = tmp_path / (f"endsong_{number}.json" if name == "spotify" else f"{number}.jsonl")
        WRITERS[name](path, part)
        ingest(home, name, FORMATS[name].read(path))
        known = [play for earlier in parts[: number + 1] for play in earlier]
        for table, group in (("tracks", 1), ("artists", 2), ("users", 1_000)):
            assert stored_hours(home, table) == first_hours(known, group)
    whole = Home(tmp_path / "whole")
    ingest(whole, name, FORMATS[name].read(path))
    for table in ("tracks", "artists", "users", "plays"):
        assert scan(home, table).collect().equals(scan(whole, table).collect())
