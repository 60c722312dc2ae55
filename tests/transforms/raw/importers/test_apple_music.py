"""Apple Music's activity: old and new columns, archives in archives, plays by day, and what is no play."""

import io
import zipfile
from datetime import timedelta
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
    stored_text,
    table,
    write,
)

ACTIVITY, DAILY = "Apple Music Play Activity.csv", "Apple Music - Play History Daily Tracks.csv"
TABLES = ("artists", "tracks", "users", "plays")


def activity(number: int, **changes: Any) -> dict[str, Any]:
    """A row of the newer export, which names no artist; play ``number`` ends at its moment."""
    return {
        "Album Name": "Paper Weather",
        "Apple ID Number": "10000001",
        "Client IP Address": "192.0.2.77",
        "Container Artist Name": "",
        "Device Type": "IPHONE",
        "End Reason Type": "NATURAL_END_OF_TRACK",
        "Event End Timestamp": f"{moment(number):%Y-%m-%dT%H:%M:%S}.000Z",
        "Event Start Timestamp": "",
        "Event Type": "PLAY_END",
        "Feature Name": "for-you",
        "Item Type": "ITUNES_STORE_CONTENT",
        "Media Duration In Milliseconds": "233000.0",
        "Play Duration Milliseconds": 90_000 + number,
        "Song Name": TITLES[number % 6],
        "User’s Audio Quality": "",
        **changes,
    }


def day(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "Country": "SE",
        "Track Identifier": 14_000 + number,
        "Date Played": f"{moment(0):%Y%m%d}",
        "Hours": "20",
        "Play Duration Milliseconds": 90_000,
        "Play Count": 1,
        "Skip Count": 0,
        "Track Description": f"{ARTISTS[number % 6]} - {TITLES[number % 6]}",
        **changes,
    }


def test_the_examples_are_read_as_expected(exports: Path, tmp_path: Path) -> None:
    for number, (path, expected) in enumerate(expected_of(exports, "apple-music")):
        check_example(Home(tmp_path / str(number)), "apple-music", path, expected)


def test_a_play_starts_before_it_ends(home: Home, tmp_path: Path) -> None:
    start = f"{moment(1) - timedelta(minutes=3):%Y-%m-%dT%H:%M:%SZ}"
    rows = [activity(0), activity(1, **{"Event Start Timestamp": start}), activity(2, **{"Event End Timestamp": ""})]
    report = load(home, "apple-music", write(tmp_path / ACTIVITY, table(rows)))
    times = plays(home).select("event_timestamp", "created_timestamp").rows()
    assert times == [
        (moment(0) - timedelta(milliseconds=90_000), moment(0)),
        (moment(1) - timedelta(minutes=3), moment(1)),
    ]
    assert report.tables["plays"].reasons == {"no time": 1}


def test_ends_of_plays_say_what_was_skipped(home: Home, tmp_path: Path) -> None:
    reasons = ["NATURAL_END_OF_TRACK", "TRACK_SKIPPED_FORWARDS", "PLAYBACK_MANUALLY_PAUSED"]
    rows = [activity(n, **{"End Reason Type": reason}) for n, reason in enumerate(reasons)]
    load(home, "apple-music", write(tmp_path / ACTIVITY, table(rows)))
    assert plays(home)["skipped"].to_list() == [False, True, None]


def test_other_events_and_damaged_rows_are_no_plays(home: Home, tmp_path: Path) -> None:
    rows = [
        activity(0),
        activity(1, **{"Event Type": "LYRIC_DISPLAY"}),
        activity(2, **{"Event Type": "PLAY_START"}),
        activity(3, **{"Event Type": "TIMED_METADATA"}),
        activity(4, **{"Item Type": "AD", "Media Duration In Milliseconds": 0}),
        activity(5, **{"Item Type": "STREAM"}),
        activity(6, **{"Item Type": "ORIGINAL_CONTENT_SHOWS"}),
        activity(7, **{"Song Name": ""}),
        activity(8, **{"Play Duration Milliseconds": -1}),
        activity(9, **{"Play Duration Milliseconds": 10**20}),
        activity(10, **{"Event Type": "", "Play Duration Milliseconds": ""}),
    ]
    text = table(rows) + "too,few\n"
    report = load(home, "apple-music", write(tmp_path / ACTIVITY, text)).tables["plays"]
    assert report.added == 2
    assert report.left_out == {"live radio, which names no track": 1, "shows and films of Apple, no music": 1}
    assert report.reasons == {
        "lyrics": 1,
        "the start of a play": 1,
        "another event than a play": 1,
        "advertisement": 1,
        "names nothing played": 1,
        "negative length": 1,
        "impossible length": 1,
        "2 cells instead of 15": 1,
    }
    assert not [text for text in ("192.0.2.77", "10000001") if text in stored_text(home)]


def test_artists_are_taken_from_the_plays_by_day(home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "export" / "Apple Music Activity"
    other = day(0, **{"Track Description": "Somebody - Älvdröm"})
    write(folder / DAILY, table([day(0), day(1), other, day(3)]))
    path = write(folder / ACTIVITY, table([activity(n) for n in range(4)]))
    report = load(home, "apple-music", tmp_path / "export")
    assert plays(home)["artist_id"].to_list() == [
        "apple-music:artist:Velm Orrin",
        None,
        None,
        "apple-music:artist:月見ラジオ部",
    ]
    assert [item.why for item in report.passed_over] == ["the same plays by day, of which the artists are taken"]
    alone = Home(tmp_path / "alone")
    load(alone, "apple-music", path)
    assert plays(alone).equals(plays(home))


def test_plays_of_a_day_are_spread_over_its_hours(home: Home, tmp_path: Path) -> None:
    rows = [
        day(0, **{"Hours": "20, 21", "Play Count": 3, "Play Duration Milliseconds": 300_000}),
        day(1, **{"Play Count": 0, "Skip Count": 2}),
        day(2, **{"Hours": "", "Track Description": "Finch - Harrow - Lye"}),
        day(3, **{"Play Count": "many"}),
        day(4, **{"Play Count": 10**9}),
        day(5, **{"Date Played": "20249999"}),
    ]
    report = load(home, "apple-music", write(tmp_path / DAILY, table(rows)))
    midnight = moment(0).replace(hour=0)
    by_track = {key[0]: part for key, part in plays(home).partition_by("track_id", as_dict=True).items()}
    harbour = by_track["apple-music:name:Velm Orrin/Glass Harbour"]
    assert harbour["event_timestamp"].to_list() == [
        midnight + timedelta(hours=20),
        midnight + timedelta(hours=20, microseconds=1),
        midnight + timedelta(hours=21),
    ]
    assert harbour["ms_played"].to_list() == [100_000] * 3
    assert by_track["apple-music:name:Tindra Mölk/Älvdröm"]["skipped"].to_list() == [True, True]
    last = by_track["apple-music:name:Finch/Harrow - Lye"].row(0, named=True)
    assert (last["event_timestamp"], last["precision_s"]) == (midnight, 86_400)
    assert report.tables["plays"].reasons == {
        "no count of plays": 1,
        "more plays than a day has minutes": 1,
        "no such time, or one in the future": 1,
    }


def test_archives_within_archives_of_two_people(home: Home, tmp_path: Path) -> None:
    def archive(name: str, content: bytes) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as target:
            target.writestr(name, content)
        return buffer.getvalue()

    for person in ("1", "2"):
        rows = table([activity(n, **{"Apple ID Number": person}) for n in range(3)])
        inner = archive(f"Apple Music Activity/{ACTIVITY}", rows.encode())
        outer = archive("Apple_Media_Services/Apple Music Activity.zip", inner)
        write(tmp_path / person / "Apple_Media_Services.zip", outer)
    load(home, "apple-music", tmp_path)
    assert plays(home)["user_id"].n_unique() == 2
    assert plays(home).height == 6


def test_a_prefix_then_the_whole_ends_as_the_whole(tmp_path: Path) -> None:
    rows = [activity(n) for n in range(30)]
    once, twice = Home(tmp_path / "once"), Home(tmp_path / "twice")
    load(twice, "apple-music", write(tmp_path / "a" / ACTIVITY, table(rows[:11])))
    for home in (once, twice):
        load(home, "apple-music", write(tmp_path / "b" / ACTIVITY, table(rows)))
    assert stored_bytes(once, *TABLES) == stored_bytes(twice, *TABLES)


def test_other_tables_of_the_export_are_named(home: Home, tmp_path: Path) -> None:
    path = write(tmp_path / "Apple Music - Container Details.csv", "Container Description,Artists\nPaper Weather,x\n")
    with pytest.raises(InputError, match="a table of 'Container Description', 'Artists'"):
        load(home, "apple-music", path)
