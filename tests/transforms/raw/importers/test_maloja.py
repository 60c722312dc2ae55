"""Maloja's exports."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from feature_repo.errors import InputError
from feature_repo.home import Home
from tests.transforms.raw.files.mutations import Mutation, mutated, mutations
from tests.transforms.raw.importers.scrobble_exports import (
    START_S,
    assert_as_expected,
    load,
    plays,
    stored_bytes,
    write,
)
from transforms.raw.read import scan


def scrobble(number: int, **more: Any) -> dict[str, Any]:
    track = {"artists": ["Björk", "Arca"], "title": f"Song {number}", "album": None, "length": 200}
    return {"time": START_S + 300 * number, "track": track, "duration": None, "origin": "client:x", **more}


def export(scrobbles: list[Any]) -> str:
    return json.dumps({"maloja": {"export_time": START_S}, "scrobbles": scrobbles}, indent=3)


def test_the_examples_are_read_as_expected(exports: Path, tmp_path: Path) -> None:
    assert_as_expected(exports, "maloja", tmp_path)


def test_the_first_of_several_artists_is_the_performer(home: Home, tmp_path: Path) -> None:
    load(home, "maloja", write(tmp_path / "mira" / "maloja_export.json", export([scrobble(0, duration=30)])))
    row = plays(home).row(0, named=True)
    assert (row["user_id"], row["artist_id"]) == ("maloja:mira", "maloja:artist:Björk")
    assert (row["recording"], row["ms_played"], row["reported_by"]) == ("bjork/song0", 30_000, "maloja")
    assert scan(home, "tracks").collect()["duration_ms"].to_list() == [200_000]


def test_the_listener_is_the_option_as_it_is(home: Home, tmp_path: Path) -> None:
    load(home, "maloja", write(tmp_path / "maloja_export.json", export([scrobble(0)])), user="mira")
    assert plays(home)["user_id"].to_list() == ["mira"]


def test_damaged_scrobbles_are_refused_and_the_rest_is_stored(home: Home, tmp_path: Path) -> None:
    others = [None, scrobble(1, time=0), scrobble(2, time=None), scrobble(3, time="x"), {"time": START_S}, "x"]
    report = load(home, "maloja", write(tmp_path / "maloja_export.json", export([scrobble(0), *others])))
    assert plays(home).height == 1
    assert report.tables["plays"].quarantined == len(others)


def test_another_file_is_named(home: Home, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="playlists, not a history"):
        load(home, "maloja", write(tmp_path / "Playlist1.json", '{"playlists": []}'))


def test_a_beginning_and_then_all_is_as_all(home: Home, tmp_path: Path) -> None:
    rows = [scrobble(n % 5, time=START_S + 300 * n) for n in range(20)]
    load(home, "maloja", write(tmp_path / "a" / "x.json", export(rows[12:])), user="mira")
    load(home, "maloja", write(tmp_path / "b" / "x.json", export(rows)), user="mira")
    whole = Home(tmp_path / "whole")
    load(whole, "maloja", tmp_path / "b", user="mira")
    assert stored_bytes(home) == stored_bytes(whole)


@settings(max_examples=25, deadline=None)
@given(changes=mutations())
def test_mutated_files_are_refused_by_name(tmp_path_factory: pytest.TempPathFactory, changes: list[Mutation]) -> None:
    folder = tmp_path_factory.mktemp("mutated")
    path = write(folder / "x.json", mutated(export([scrobble(n) for n in range(4)]).encode(), changes))
    with suppress(InputError):
        load(Home(folder / "home"), "maloja", path)
