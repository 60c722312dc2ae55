"""YouTube Music's history: languages, what is no play of music, and whose it is."""

import json
from pathlib import Path
from typing import Any

import pytest

from feature_repo.errors import InputError
from feature_repo.home import Home
from tests.transforms.raw.importers.service_examples import (
    ARTISTS,
    TITLES,
    check_example,
    expected_of,
    load,
    moment,
    plays,
    stored_bytes,
    write,
)
from transforms.raw.importers.youtube_titles import plain_titles
from transforms.raw.read import scan

TABLES = ("artists", "tracks", "users", "plays")


def watched(number: int, words: str = "Watched {}", **changes: Any) -> dict[str, Any]:
    return {
        "header": "YouTube Music",
        "title": words.format(f"{TITLES[number % 6]} {number}"),
        "titleUrl": f"https://music.youtube.com/watch?v=video{number}",
        "subtitles": [{"name": f"{ARTISTS[number % 6]} - Topic", "url": "https://www.youtube.com/channel/UC"}],
        "time": f"{moment(number):%Y-%m-%dT%H:%M:%S}.117Z",
        "products": ["YouTube"],
        **changes,
    }


def history(path: Path, entries: list[Any]) -> Path:
    return write(path, json.dumps(entries[::-1], ensure_ascii=False))


def titles(home: Home) -> list[str]:
    return sorted(scan(home, "tracks").collect()["title"])


def test_the_examples_are_read_as_expected(exports: Path, tmp_path: Path) -> None:
    for number, (path, expected) in enumerate(expected_of(exports, "youtube-music")):
        report = check_example(Home(tmp_path / str(number)), "youtube-music", path, expected)
        assert sum(report.tables["plays"].left_out.values()) == expected.get("other_videos", 0)


@pytest.mark.parametrize(
    "words",
    [
        "Watched {}",
        "{} angesehen",
        "Vous avez regardé {}",
        "{} を視聴しました",
        "Katsottu: {}",
        "{} vaadatud",
        "“{}” gledano",
    ],
)
def test_titles_are_without_the_words_of_any_language(home: Home, tmp_path: Path, words: str) -> None:
    load(home, "youtube-music", history(tmp_path / "x.json", [watched(n, words) for n in range(12)]))
    assert titles(home) == sorted(f"{TITLES[n % 6]} {n}" for n in range(12))


def test_words_of_titles_stay() -> None:
    assert plain_titles(["Watched Watched You Go"]) == ["Watched You Go"]
    assert plain_titles(["Halo", "Holy"]) == ["Halo", "Holy"]
    live = [f"Watched Song {n} (Live)" for n in range(20)]
    assert plain_titles(live)[0] == "Song 0 (Live)"


def test_what_is_no_play_of_music_is_said(home: Home, tmp_path: Path) -> None:
    search = "https://music.youtube.com/search?q=x"
    bare = "https://www.youtube.com/watch?v=gone"
    entries = [
        watched(0),
        watched(1, header="YouTube"),
        watched(2, details=[{"name": "From Google Ads"}]),
        {key: value for key, value in watched(3).items() if key not in ("titleUrl", "subtitles")},
        watched(4, title=f"Watched {bare}", titleUrl=bare, subtitles=None),
        watched(5, title="Searched for x", titleUrl=search, subtitles=None),
        watched(6, time="soon"),
        watched(7, time=None),
        watched(8, title=8),
        None,
    ]
    counts = load(home, "youtube-music", history(tmp_path / "x.json", entries)).tables["plays"]
    assert plays(home)["track_id"].to_list() == ["youtube-music:video0"]
    assert counts.left_out == {"other videos": 1, "searches and other visits": 1}
    known = {"advertisement": 1, "removed": 2, "no such time, or one in the future": 1, "no time": 1}
    assert {why: counts.reasons.get(why) for why in known} == known
    assert counts.quarantined == 7


def test_videos_alone_are_no_plays_of_music(home: Home, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="2 other videos"):
        load(home, "youtube-music", history(tmp_path / "x.json", [watched(n, header="YouTube") for n in range(2)]))


def test_a_prefix_then_the_whole_ends_as_the_whole(tmp_path: Path) -> None:
    entries = [watched(n) for n in range(20)]
    once, twice = Home(tmp_path / "once"), Home(tmp_path / "twice")
    load(twice, "youtube-music", history(tmp_path / "a" / "watch-history.json", entries[:9]))
    for home in (once, twice):
        load(home, "youtube-music", history(tmp_path / "b" / "watch-history.json", entries))
    assert stored_bytes(once, *TABLES) == stored_bytes(twice, *TABLES)


def test_two_people_in_a_folder_stay_two(home: Home, tmp_path: Path) -> None:
    for name, first in (("mira", 0), ("tomas", 1)):
        path = tmp_path / name / "Takeout" / "YouTube und YouTube Music" / "Verlauf" / "Wiedergabeverlauf.json"
        history(path, [watched(n) for n in range(first, 40, 2)])
    load(home, "youtube-music", tmp_path)
    assert dict(plays(home).group_by("user_id").len().rows()) == {"youtube-music:mira": 20, "youtube-music:tomas": 20}
