"""Small exports of Spotify for tests."""

import io
import json
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

START = datetime(2024, 5, 1, tzinfo=UTC)
EXTENDED = "Streaming_History_Audio_2024_0.json"


def end_of(number: int) -> datetime:
    return START + timedelta(seconds=997 * number)


def extended(number: int, **changes: Any) -> dict[str, Any]:
    """A stream of the extended history; the lengths of different numbers differ."""
    return {
        "ts": f"{end_of(number):%Y-%m-%dT%H:%M:%SZ}",
        "platform": "Android OS 12 API 31 (samsung)",
        "ms_played": 60_000 + number,
        "conn_country": "DE",
        "ip_addr": "192.0.2.77",
        "master_metadata_track_name": f"Song {number}",
        "master_metadata_album_artist_name": "Björk",
        "spotify_track_uri": f"spotify:track:{number}",
        "episode_name": None,
        "reason_start": "trackdone",
        "reason_end": "trackdone",
        "skipped": False,
        "incognito_mode": False,
        **changes,
    }


def short(number: int, **changes: Any) -> dict[str, Any]:
    """The same stream in the account data."""
    return {
        "endTime": f"{end_of(number):%Y-%m-%d %H:%M}",
        "artistName": "Björk",
        "trackName": f"Song {number}",
        "msPlayed": 60_000 + number,
        **changes,
    }


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, ensure_ascii=False))
    return path


def archive(path: Path, files: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for name, content in files.items():
            target.writestr(name, json.dumps(content))
    path.write_bytes(buffer.getvalue())
    return path
