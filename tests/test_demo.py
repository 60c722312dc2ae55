"""``make demo`` on one person's export: it runs to its end, and what it prints is true of this person."""

import json
import os
import re
import time
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

import demo
from feature_repo.home import Home
from tests.processes import run_python
from transforms.raw.read import scan

pytestmark = pytest.mark.journeys


def export(path: Path, sessions: int) -> int:
    """Writes an extended export of Spotify: sessions of five plays, each of one album; returns the number of plays."""
    rng = np.random.default_rng(sessions)
    records = []
    for session in range(sessions):
        album, start = int(min(rng.exponential(2), 9)), datetime(2025, 11, 1, 8, tzinfo=UTC) + timedelta(days=session)
        for place in range(5):
            end = start + timedelta(minutes=4 * (place + 1))
            records.append(
                {
                    "ts": f"{end:%Y-%m-%dT%H:%M:%SZ}",
                    "platform": "android",
                    "ms_played": 200_000,
                    "conn_country": "SE",
                    "master_metadata_track_name": f"Title [{album}] {place}",
                    "master_metadata_album_artist_name": f"Artist {album}",
                    "master_metadata_album_album_name": f"Album {album}",
                    "spotify_track_uri": f"spotify:track:{album:011d}{place:011d}",
                    "episode_name": None,
                    "spotify_episode_uri": None,
                    "reason_start": "trackdone",
                    "reason_end": "trackdone",
                    "shuffle": False,
                    "skipped": False,
                    "offline": False,
                    "incognito_mode": False,
                }
            )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Spotify Extended Streaming History/Streaming_History_Audio_2025_0.json", json.dumps(records))
    return len(records)


def run_stage(name: str, *arguments: str) -> demo.Stage:
    """Runs a stage as the demo does, in a process that has imported Feast already."""
    started = time.perf_counter()
    done = run_python("-m", "refrain", *arguments, environment=os.environ)
    print(done.stdout, done.stderr)
    assert done.returncode == 0, done.stderr
    return demo.Stage(name, list(arguments), time.perf_counter() - started)


@pytest.mark.parametrize("sessions", [1, 110])
def test_the_demo_runs_on_one_persons_export(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], sessions: int
) -> None:
    plays = export(tmp_path / "my_spotify_data.zip", sessions)
    monkeypatch.setenv("REFRAIN_NOW", "2030-01-01T00:00:00")
    monkeypatch.delenv("REFRAIN_NOW")  # what the demo sets is taken back
    monkeypatch.setattr(demo, "run", run_stage)
    monkeypatch.setattr(demo.console, "width", 200)
    monkeypatch.setattr("sys.argv", ["demo", "--source", "spotify", "--data", str(tmp_path / "my_spotify_data.zip")])
    with pytest.raises(SystemExit) as end:
        demo.main()
    printed = re.sub(r"\s+", " ", capsys.readouterr().out)
    assert end.value.code == 0
    assert f"{plays} plays of 1 listener and" in printed
    assert "they need at least 10 listeners, found 1" in printed
    assert "the catalogue is what this one listener has played, so there is nothing to recommend" in printed
    assert "nothing is left: every track was heard" in printed
    assert "0 different" in printed
    assert "other listener" not in printed
    if sessions == 1:
        assert "Not promoted, and only shown here: measured: it has no test evidence" in printed
        assert "How good it is: not measured" in printed
        assert "you played it once, on 2025-11-01" in printed
    else:
        assert "Not promoted, and only shown here" in printed  # one listener does not decide which model is better
        assert "tracks that the one listener heard again" in printed
        assert "better than most played" in printed


HISTORIES = {
    "spotify": "spotify-short/mydata/my_spotify_data.zip",
    "listenbrainz": "listenbrainz/listenbrainz_mira_made_up_1717200000.zip",
    "lastfm": "lastfm/mira_made_up.csv",
    "maloja": "maloja/maloja_export_2024_06_01_12_00_00.json",
    "apple-music": "apple-music/zip",
    "youtube-music": "youtube-music/Takeout/YouTube and YouTube Music",
    "deezer": "deezer/10_listeningHistory.csv",
    "tidal": "tidal/streaming.csv",
}
"""Format → an export of one listener."""

SEVERAL = {"listenbrainz": "listenbrainz/dump", "lastfm": "lastfm/lastfm-dataset-1K"}
"""Format → histories of several listeners."""


@pytest.mark.parametrize(("source", "path"), [*HISTORIES.items(), *SEVERAL.items()])
def test_the_demo_runs_on_every_listening_format(
    home: Home,
    exports: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    source: str,
    path: str,
) -> None:
    monkeypatch.setenv("REFRAIN_NOW", "2030-01-01T00:00:00")
    monkeypatch.delenv("REFRAIN_NOW")
    monkeypatch.setattr(demo, "run", run_stage)
    monkeypatch.setattr(demo.console, "width", 200)
    monkeypatch.setattr("sys.argv", ["demo", "--source", source, "--data", str(exports / path)])
    with pytest.raises(SystemExit) as end:
        demo.main()
    printed = re.sub(r"\s+", " ", capsys.readouterr().out)
    assert end.value.code == 0
    assert "0 different" in printed
    listeners = scan(home, "plays").select("user_id").unique().collect().height
    assert (listeners > 1) == (SEVERAL.get(source) == path)
    assert f"they need at least 10 listeners, found {listeners}" in printed
