"""Damaged bytes of each service's and data set's files: an error of a type, or quarantine, and never more."""

import json
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from feature_repo.errors import InputError
from tests.music import FORMATS
from tests.transforms.raw.files.mutations import Mutation, mutated, mutations
from tests.transforms.raw.importers import test_apple_music as apple
from tests.transforms.raw.importers import test_deezer as deezer
from tests.transforms.raw.importers import test_million_playlist as playlists
from tests.transforms.raw.importers import test_tidal as tidal
from tests.transforms.raw.importers import test_yambda as yambda
from tests.transforms.raw.importers import test_youtube_music as youtube
from tests.transforms.raw.importers.service_examples import table


@cache
def _parquet() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return yambda.parquet(Path(folder) / "x.parquet", [yambda.event(n) for n in range(6)]).read_bytes()


FILES: dict[str, tuple[str, str, Callable[[], bytes]]] = {
    "tidal": ("tidal", "streaming.csv", lambda: table([tidal.stream(n) for n in range(4)]).encode()),
    "deezer": ("deezer", "history.csv", lambda: table([deezer.listened(n) for n in range(4)]).encode()),
    "workbook": (
        "deezer",
        "deezer-data_1.xlsx",
        lambda: deezer.workbook({deezer.SHEET: [deezer.listened(n) for n in range(4)]}),
    ),
    "activity": ("apple-music", apple.ACTIVITY, lambda: table([apple.activity(n) for n in range(4)]).encode()),
    "daily": ("apple-music", apple.DAILY, lambda: table([apple.day(n) for n in range(4)]).encode()),
    "youtube": ("youtube-music", "x.json", lambda: json.dumps([youtube.watched(n) for n in range(4)]).encode()),
    "youtube page": (
        "youtube-music",
        "x.html",
        lambda: "".join(youtube.cell(youtube.watched(n), "5 lis 2023, 20:45:23 CET") for n in range(4)).encode(),
    ),
    "mpd": (
        "million-playlist",
        "mpd.slice.0-999.json",
        lambda: json.dumps({"playlists": [playlists.playlist(n) for n in range(2)]}).encode(),
    ),
    "ratings": (
        "movielens",
        "ratings.csv",
        lambda: b"userId,movieId,rating,timestamp\n1,2,3.5,1000000000\n2,2,1,1000000100\n",
    ),
    "old ratings": ("movielens", "ratings.dat", lambda: b"1::2::3::1000000000\n2::2::1::1000000100\n"),
    "yambda": ("yambda", "multi_event.parquet", _parquet),
}


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(changes=mutations())
def test_damaged_bytes_are_an_input_error_or_quarantine(
    name: str, changes: list[Mutation], tmp_path_factory: pytest.TempPathFactory
) -> None:
    kind, file_name, content = FILES[name]
    path = tmp_path_factory.getbasetemp() / f"mutation of {name}" / file_name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(mutated(content(), changes))
    try:
        rows = sum(batch.rows.height for batch in FORMATS[kind].read(path) if hasattr(batch, "rows"))
    except InputError:
        return
    assert rows < 1_000_000
