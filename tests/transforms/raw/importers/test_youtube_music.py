"""YouTube Music's history: languages, what is no play of music, and whose it is."""

import json
import time
from datetime import timedelta
from html import escape
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


def cell(entry: dict[str, Any], written: str) -> str:
    """An entry as Takeout writes it on a page."""
    words, _, title = entry["title"].partition(" ")
    link = f'<a href="{escape(entry["titleUrl"])}">{escape(title)}</a>' if "titleUrl" in entry else escape(title)
    channels = [f'<a href="{c["url"]}">{escape(c["name"])}</a><br>' for c in entry.get("subtitles") or []]
    details = [f"<b>Details:</b><br>&emsp;{detail['name']}<br>" for detail in entry.get("details", [])]
    return (
        '<div class="outer-cell mdl-cell mdl-cell--12-col mdl-shadow--2dp"><div class="mdl-grid">'
        '<div class="header-cell mdl-cell mdl-cell--12-col"><p class="mdl-typography--title">'
        f"{entry['header']}<br></p></div>"
        '<div class="content-cell mdl-cell mdl-cell--6-col mdl-typography--body-1">'
        f"{words}&nbsp;{link}<br>{''.join(channels)}{written}<br></div>"
        '<div class="content-cell mdl-cell mdl-cell--6-col mdl-typography--body-1 mdl-typography--text-right"></div>'
        '<div class="content-cell mdl-cell mdl-cell--12-col mdl-typography--caption"><b>Products:</b><br>&emsp;YouTube'
        f"<br>{''.join(details)}<b>Why is this here?</b><br>&emsp;This activity was saved to your Google Account"
        ' because of your settings.&nbsp;<a href="https://myaccount.google.com/activitycontrols">here</a>.</div></div></div>'
    )


def page(
    path: Path, entries: list[dict[str, Any]], form: str = "%b %d, %Y, %I:%M:%S\u202f%p UTC", hours: float = 0
) -> Path:
    """A history as a page, with times ``hours`` from UTC; entries are numbered by the end of their address."""
    cells = []
    for entry in entries[::-1]:
        number = int(entry["titleUrl"].rpartition("video")[2])
        cells.append(cell(entry, f"{moment(number) + timedelta(hours=hours):{form}}"))
    style = f"<style>.outer-cell {{ margin: 0 }} /* {'x' * 200_000} */</style>"
    head = f"<!DOCTYPE html><html><head><title>Watch history</title>{style}</head>"
    return write(path, f'{head}<body><div class="mdl-grid">{"".join(cells)}</div></body></html>')


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


def test_a_page_gives_the_plays_of_the_json(tmp_path: Path) -> None:
    entries = [watched(n) for n in range(20)]
    of_json, of_page = Home(tmp_path / "json"), Home(tmp_path / "page")
    load(of_json, "youtube-music", history(tmp_path / "watch-history.json", entries))
    form = "%d %b %Y, %H:%M:%S IST"
    path = page(tmp_path / "watch-history.html", entries, form, 5.5)
    with pytest.raises(InputError, match="20 malformed rows .*IST may mean several zones, or none: say the zone with"):
        load(of_page, "youtube-music", path)
    load(of_page, "youtube-music", path, zone="Asia/Kolkata")
    names = ["user_id", "track_id"]
    assert plays(of_page).select(names).equals(plays(of_json).select(names))
    difference = plays(of_json)["event_timestamp"] - plays(of_page)["event_timestamp"]
    assert difference.unique().to_list() == [timedelta(milliseconds=117)]
    assert titles(of_page) == titles(of_json)
    assert scan(of_page, "artists").collect()["name"].sort().equals(scan(of_json, "artists").collect()["name"].sort())


@pytest.mark.parametrize("order", ["json first", "page first", "both at once"])
def test_a_page_and_the_json_of_one_history_are_one(home: Home, tmp_path: Path, order: str) -> None:
    entries = [watched(n) for n in range(20)]
    (tmp_path / "a").mkdir()
    paths = [history(tmp_path / "a" / "x.json", entries), page(tmp_path / "a" / "watch-history.html", entries)]
    for path in [tmp_path] if order == "both at once" else paths[:: -1 if order == "page first" else 1]:
        load(home, "youtube-music", path)
    assert plays(home).height == 20
    assert set(plays(home)["reported_by"]) == {"youtube music"}
    assert plays(home)["user_id"].n_unique() == 1


def test_what_is_no_play_of_music_on_a_page_is_said(home: Home, tmp_path: Path) -> None:
    bare = "https://www.youtube.com/watch?v=video4"
    entries = [
        watched(0),
        watched(1, header="YouTube"),
        watched(2, details=[{"name": "Aus Google Anzeigen"}]),
        watched(4, title=f"Watched {bare}", titleUrl=bare, subtitles=None),
        watched(5, title="Searched for x", titleUrl="https://music.youtube.com/search?q=video5", subtitles=None),
    ]
    removed = {"header": "YouTube Music", "title": "Watched a video that has been removed"}
    path = page(tmp_path / "x.html", entries)
    end = "</div></body></html>"
    more = cell(removed, "Jan 5, 2024, 2:45:23 PM UTC") + cell(watched(6), "soon") + cell(watched(7), "")
    write(path, path.read_text().removesuffix(end) + more + end)
    counts = load(home, "youtube-music", path).tables["plays"]
    assert plays(home)["track_id"].to_list() == ["youtube-music:video0"]
    assert counts.left_out == {"other videos": 1, "searches and other visits": 1}
    assert counts.reasons == {"advertisement": 1, "removed": 2, "no time of a known form": 1, "no time": 1}


def test_a_page_that_is_cut_short_gives_what_is_whole(home: Home, tmp_path: Path) -> None:
    path = page(tmp_path / "x.html", [watched(n) for n in range(9)])
    path.write_bytes(path.read_bytes()[:-700])
    counts = load(home, "youtube-music", path).tables["plays"]
    assert plays(home).height == 8
    assert counts.reasons == {"cut short: the page has no end": 1}


def test_an_entry_with_bytes_that_are_no_text_is_quarantined(home: Home, tmp_path: Path) -> None:
    path = page(tmp_path / "x.html", [watched(n) for n in range(3)])
    title = watched(1)["title"].removeprefix("Watched ").encode()
    path.write_bytes(path.read_bytes().replace(title, title[:-1] + b"\x80"))
    counts = load(home, "youtube-music", path).tables["plays"]
    assert (plays(home).height, counts.reasons) == (2, {"bytes that are not UTF-8": 1})


def test_other_videos_show_the_zone_of_a_page_too(home: Home, tmp_path: Path) -> None:
    path = page(tmp_path / "x.html", [watched(1)], "%d %b %Y, %H:%M:%S IST", 5.5)
    other = cell(watched(2, header="YouTube"), "5 Jan 2024, 14:45:23 IST")
    path.write_text(path.read_text().replace("</div></body>", f"{other}</div></body>"))
    load(home, "youtube-music", path)
    assert plays(home)["event_timestamp"].to_list() == [moment(1)]


def test_a_history_is_known_by_its_content(home: Home, tmp_path: Path) -> None:
    load(home, "youtube-music", page(tmp_path / "a" / "saved page", [watched(n) for n in range(3)]))
    load(home, "youtube-music", history(tmp_path / "b" / "history.txt", [watched(n) for n in range(5)]))
    assert plays(home).height == 5


def test_a_page_of_another_kind_is_named(home: Home, tmp_path: Path) -> None:
    write(tmp_path / "archive_browser.html", "<!DOCTYPE html><html><body>Takeout</body></html>")
    with pytest.raises(InputError, match=r"a web page \(HTML\)"):
        load(home, "youtube-music", tmp_path)


START_OF_PAGE = '<html><div class="outer-cell"><div class="mdl-typography--body-1">'
HOSTILE = {
    "tags that open": "<" * 3_000_000,
    "comments that open": "<!--" * 500_000,
    "a tag without an end": "<a " + "x='" * 500_000,
    "attributes": "<a " + "x=1 " * 500_000 + ">",
    "declarations": "<![" * 500_000,
    "references": "&#" * 1_000_000,
    "text": "x" * 4_000_000,
    "entries": '<div class="outer-cell">' * 20_000,
    "lines": "<br>" * 500_000,
    "digits": "<br>" + "1:" * 500_000,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_pages_end_in_seconds(kind: str, tmp_path: Path) -> None:
    path = write(tmp_path / "x.html", START_OF_PAGE + HOSTILE[kind])
    started = time.process_time()
    with pytest.raises(InputError):
        load(Home(tmp_path / "home"), "youtube-music", path)
    assert time.process_time() - started < 15
