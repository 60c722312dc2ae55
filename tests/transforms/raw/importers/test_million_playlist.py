"""Million Playlist Dataset: playlists and their tracks, and no plays."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from feature_repo.errors import InputError
from feature_repo.home import Home
from tests.transforms.raw.importers.service_examples import expected_of, load, stored_bytes, write
from transforms.raw.read import scan

DAY = 1_700_006_400
TABLES = ("artists", "tracks", "playlists", "playlist_entries")


def playlist(pid: int, tracks: int = 3, **changes: Any) -> dict[str, Any]:
    entries = [
        {
            "pos": n,
            "artist_name": "Velm Orrin",
            "track_uri": f"spotify:track:{pid + n}",
            "artist_uri": "spotify:artist:0",
            "track_name": f"Song {pid + n}",
            "duration_ms": 200_000,
        }
        for n in range(tracks)
    ]
    facts = {"name": "rain &amp; tar", "collaborative": "false", "num_followers": 2, "num_edits": 4, "pid": pid}
    return {**facts, "modified_at": DAY + 86_400 * pid, "tracks": entries, **changes}


def piece(path: Path, playlists: list[Any]) -> Path:
    return write(path, json.dumps({"info": {"slice": "0-999"}, "playlists": playlists}))


def test_the_example_is_read_as_expected(exports: Path, home: Home) -> None:
    [(path, expected)] = expected_of(exports, "million-playlist")
    report = load(home, "million-playlist", path)
    assert report.tables["playlists"].added == expected["records"]
    assert report.tables["playlist_entries"].added == expected["playlist_entries"]
    assert "plays" not in report.tables
    times = scan(home, "playlist_entries").collect()["event_timestamp"]
    assert [times.min(), times.max()] == [datetime.fromisoformat(expected[name]) for name in ("first", "last")]
    assert sum(table.added for table in load(home, "million-playlist", path).tables.values()) == 0


def test_tracks_are_dated_by_their_first_playlist(home: Home, tmp_path: Path) -> None:
    load(home, "million-playlist", piece(tmp_path / "mpd.slice.0-999.json", [playlist(1), playlist(0)]))
    dates = scan(home, "tracks").collect().select("track_id", "event_timestamp").sort("track_id").rows()
    days = [datetime.fromtimestamp(DAY + 86_400 * n, UTC) for n in (0, 0, 0, 1)]
    assert dates == [(f"spotify:track:{n}", day) for n, day in enumerate(days)]
    row = scan(home, "playlists").collect().sort("playlist_id").row(0, named=True)
    assert (row["playlist_id"], row["name"], row["collaborative"], row["tracks"]) == ("mpd:0", "rain & tar", False, 3)
    entries = scan(home, "playlist_entries").filter(playlist_id="mpd:1").collect().sort("position")
    assert entries["track_id"].to_list() == [f"spotify:track:{n}" for n in (1, 2, 3)]


def test_damaged_playlists_are_refused(home: Home, tmp_path: Path) -> None:
    bad = [None, playlist(1, modified_at=None), {**playlist(2), "tracks": [{"pos": 0}]}, playlist(3, num_edits=10**20)]
    report = load(home, "million-playlist", piece(tmp_path / "mpd.slice.0-999.json", [playlist(0), *bad]))
    assert report.tables["playlists"].added == 1
    assert report.tables["playlists"].quarantined == 4
    assert report.tables["playlists"].reasons["no day of the last change"] == 1


def test_slices_one_after_another_are_the_folder(tmp_path: Path) -> None:
    for n in range(3):
        piece(tmp_path / "data" / f"mpd.slice.{n}000-{n}999.json", [playlist(n), playlist(n + 3)])
    once, twice = Home(tmp_path / "once"), Home(tmp_path / "twice")
    load(twice, "million-playlist", tmp_path / "data" / "mpd.slice.0000-0999.json")
    for home in (once, twice):
        load(home, "million-playlist", tmp_path / "data")
    assert stored_bytes(once, *TABLES) == stored_bytes(twice, *TABLES)


def test_playlists_of_an_account_are_none_of_the_data_set(home: Home, tmp_path: Path) -> None:
    path = write(tmp_path / "Playlist1.json", json.dumps({"playlists": [{"name": "x", "items": []}]}))
    with pytest.raises(InputError, match="playlists, not a history"):
        load(home, "million-playlist", path)
