"""Spotify's exports: both forms, of one person or several, whole or damaged."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feature_repo.errors import InputError
from feature_repo.home import Home
from tests.music import FORMATS
from tests.transforms.raw.files.mutations import Mutation, mutated, mutations
from tests.transforms.raw.importers.spotify_exports import EXTENDED, START, archive, end_of, extended, short, write
from transforms.raw.ingest import Batch, Report, ingest
from transforms.raw.read import files, scan


def load(home: Home, path: Path, **options: Any) -> Report:
    return ingest(home, "spotify", FORMATS["spotify"].batches(path, home, **options))


def plays(home: Home) -> pl.DataFrame:
    return scan(home, "plays").collect().sort("event_timestamp")


def stored_bytes(home: Home) -> dict[str, bytes]:
    tables = ("artists", "tracks", "users", "plays", "episode_plays")
    return {str(path.relative_to(home.root)): path.read_bytes() for table in tables for path in files(home, table)}


def stored_text(home: Home) -> str:
    parts = [*home.root.glob("raw/**/*.parquet"), *home.root.glob("quarantine/**/*.parquet")]
    return "\n".join(json.dumps(pl.read_parquet(path).to_dicts(), default=str) for path in parts)


@pytest.mark.parametrize("folder", ["spotify-short", "spotify-extended"])
def test_the_examples_are_read_as_expected(exports: Path, folder: str, tmp_path: Path) -> None:
    for number, (name, expected) in enumerate(json.loads((exports / folder / "expected.json").read_text()).items()):
        home = Home(tmp_path / str(number))
        if "records" not in expected:
            with pytest.raises(InputError, match=r"not a history|an empty list or object"):
                load(home, exports / folder / name)
            continue
        report = load(home, exports / folder / name, incognito=True)
        episodes = scan(home, "episode_plays").collect()
        assert plays(home).height == expected["plays"], name
        assert episodes.filter(kind="episode").height == expected.get("episodes", 0), name
        assert episodes.filter(kind="chapter").height == expected.get("chapters", 0), name
        assert len(report.passed_over) == expected.get("files_passed_over", 0)
        ends = pl.concat([plays(home)["created_timestamp"], episodes["created_timestamp"]])
        assert [f"{end:%Y-%m-%dT%H:%M:%SZ}" for end in (ends.min(), ends.max())] == [
            expected["first"],
            expected["last"],
        ]
        reasons = report.tables["plays"].reasons
        words = dict.fromkeys(expected["refused"], 0)
        for reason, count in reasons.items():
            words["no object" if "in the place of an object" in reason else reason] += count
        assert words == expected["refused"]


@pytest.mark.parametrize("name", ["two_people", "exported_twice", "spotify_short_and_extended"])
def test_examples_of_several_exports_find_their_listeners(exports: Path, name: str, home: Home) -> None:
    expected = json.loads((exports / "overlaps" / "expected.json").read_text())[name]
    load(home, exports / "overlaps" / name)
    assert plays(home)["user_id"].n_unique() == expected["listeners"]


def test_a_play_starts_before_it_is_known(home: Home, tmp_path: Path) -> None:
    load(home, write(tmp_path / EXTENDED, [extended(0)]))
    row = plays(home).row(0, named=True)
    assert row["created_timestamp"] == START
    assert row["event_timestamp"] == START - timedelta(minutes=1)
    assert (row["device"], row["context"], row["skipped"]) == ("phone", "autoplay", False)
    assert (row["reported_by"], row["precision_s"]) == ("spotify extended history", None)
    assert row["recording"] == "bjork/song0"


def test_the_short_form_has_minutes_and_ids_of_names(home: Home, tmp_path: Path) -> None:
    load(home, write(tmp_path / "StreamingHistory_music_0.json", [short(3), short(3), short(4, msPlayed=0)]))
    rows = plays(home)
    minute = end_of(3).replace(second=0)
    assert rows["created_timestamp"].to_list()[:2] == [minute, minute]
    assert rows["event_timestamp"][1] == minute - timedelta(milliseconds=60_003)
    assert rows["event_timestamp"][1] - rows["event_timestamp"][0] == timedelta(microseconds=1)  # two equal plays
    assert rows["track_id"].to_list() == ["spotify:name:Björk/Song 3"] * 2 + ["spotify:name:Björk/Song 4"]
    assert set(rows.select("reported_by", "precision_s").rows()) == {("spotify account data", 60)}


@pytest.mark.parametrize(
    ("skipped", "reason_end", "expected"),
    [
        (None, "trackdone", False),
        (None, "fwdbtn", True),
        (False, "fwdbtn", True),  # from 2015 to 2022 the flag is always false
        (True, "", True),
        ("", "trackdone", False),
        (1, "", True),
        (0, None, False),
        ("true", "unknown", True),
        (None, "unknown", None),
        ("", "", None),
    ],
)
def test_what_counts_as_skipped(
    home: Home, tmp_path: Path, skipped: Any, reason_end: str | None, expected: bool | None
) -> None:
    load(home, write(tmp_path / EXTENDED, [extended(0, skipped=skipped, reason_end=reason_end)]))
    assert plays(home)["skipped"].to_list() == [expected]


@pytest.mark.parametrize("value", ["2024-05-01T00:00:00Z", "2024-05-01T02:00:00+02:00", "2024-05-01 00:00:00"])
def test_times_have_a_zone_or_not(home: Home, tmp_path: Path, value: str) -> None:
    load(home, write(tmp_path / EXTENDED, [extended(1), extended(0, ts=value)]))
    assert plays(home)["created_timestamp"][0] == START


def test_numbers_may_be_texts_or_decimal(home: Home, tmp_path: Path) -> None:
    rows = [extended(0, ms_played="1200"), extended(1, ms_played=1500.0), extended(2, ms_played="long")]
    report = load(home, write(tmp_path / EXTENDED, rows))
    assert plays(home)["ms_played"].to_list() == [1200, 1500]
    assert report.tables["plays"].reasons == {"no length": 1}


def test_what_is_played_is_a_track_an_episode_or_a_chapter(home: Home, tmp_path: Path) -> None:
    nothing = {"master_metadata_track_name": None, "master_metadata_album_artist_name": None, "spotify_track_uri": None}
    rows = [
        extended(0, master_metadata_track_name=None, master_metadata_album_artist_name=None),
        extended(1, spotify_track_uri=None),
        extended(2, **nothing, episode_name="17", episode_show_name="Kettles", spotify_episode_uri="spotify:episode:1"),
        extended(3, **nothing | {"spotify_track_uri": "spotify:episode:2"}),
        extended(4, **nothing, audiobook_title="Ledger", audiobook_chapter_title="3"),
        extended(5, **nothing | {"spotify_track_uri": "spotify:local:Some+One::Demo+Tape:95"}),
        extended(6, **nothing),
    ]
    report = load(home, write(tmp_path / "Streaming_History_Video_2024.json", rows))
    assert plays(home)["track_id"].to_list() == [
        "spotify:track:0",
        "spotify:name:Björk/Song 1",
        rows[5]["spotify_track_uri"],
    ]
    assert plays(home)["recording"].to_list() == [None, "bjork/song1", "someone/demotape"]
    others = scan(home, "episode_plays").collect().sort("event_timestamp")
    assert others.select("episode_id", "kind", "title", "show").rows() == [
        ("spotify:episode:1", "episode", "17", "Kettles"),
        ("spotify:episode:2", "episode", None, None),
        ("spotify:name:Ledger/3", "chapter", "3", "Ledger"),
    ]
    assert report.tables["plays"].reasons == {"names nothing played": 1}


def test_account_data_has_podcasts_and_books(home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "Spotify Account Data"
    time = {"endTime": "2024-05-01 00:00", "msPlayed": 5}
    write(folder / "StreamingHistory_podcast_0.json", [time | {"podcastName": "Kettles", "episodeName": "17"}])
    write(folder / "StreamingHistory_audiobook_0.json", [time | {"audiobookName": "Ledger", "chapterName": "3"}])
    write(folder / "StreamingHistory0.json", [short(0), short(1, artistName="Toasters", trackName="1")])
    write(folder / "YourLibrary.json", {"tracks": [], "albums": [], "shows": [{"name": "Toasters"}]})
    load(home, tmp_path)
    kinds = scan(home, "episode_plays").select("kind", "show", "title").sort("show").collect().rows()
    assert kinds == [("episode", "Kettles", "17"), ("chapter", "Ledger", "3"), ("episode", "Toasters", "1")]
    assert plays(home).height == 1


def test_private_sessions_are_left_out_unless_wanted(home: Home, tmp_path: Path) -> None:
    path = write(tmp_path / EXTENDED, [extended(n, incognito_mode=n == 1) for n in range(3)])
    report = load(home, path)
    assert plays(home)["track_id"].to_list() == ["spotify:track:0", "spotify:track:2"]
    assert sum(report.tables["plays"].left_out.values()) == 1
    load(home, path, incognito=True)
    assert plays(home).height == 3


def test_nothing_private_is_stored(home: Home, tmp_path: Path) -> None:
    private = {
        "username": "mira",
        "ip_addr": "192.0.2.77",
        "ip_addr_decrypted": "192.0.2.78",
        "user_agent_decrypted": "Secret/1",
    }
    rows: list[Any] = [
        extended(0, **private),
        extended(1, **private, ms_played=None),
        extended(2, **private, episode_name=7),
        extended(3, **private, ts="never"),
        "mira@example.org 192.0.2.79",
    ]
    folder = tmp_path / "MyData"
    write(folder / EXTENDED, rows)
    write(folder / "Userdata.json", {"username": "mira", "email": "mira@example.org"})
    (folder / "endsong_1.json").write_text(json.dumps([extended(4, **private)])[:-40] + '}, {"ip_addr": "192.0.2.80')
    report = load(home, tmp_path)
    assert report.tables["plays"].quarantined >= 4
    text = stored_text(home)
    assert "Song 1" in text  # the refused row is there
    assert "username" not in text
    for secret in ("192.0.2", "Secret", "example.org"):
        assert secret not in text


def test_countries_are_those_of_the_first_play(home: Home, tmp_path: Path) -> None:
    write(tmp_path / "Streaming_History_Audio_0.json", [extended(1), extended(0, conn_country="ZZ")])
    for number, country in enumerate(["SE", "IT"]):
        rows = [extended(9 * number + n, conn_country=country, username=f"u{n % 2}") for n in range(4)]
        write(tmp_path / "two" / f"endsong_{number}.json", rows)
    load(home, tmp_path / "two")
    users = scan(home, "users").select("user_id", "country").sort("user_id").collect()
    assert users.rows() == [("spotify:u0", "SE"), ("spotify:u1", "SE")]
    other = Home(tmp_path / "other")
    load(other, tmp_path / "Streaming_History_Audio_0.json")
    users = scan(other, "users").select("user_id", "country", "event_timestamp").collect()
    assert users.rows() == [("spotify:me", "DE", START - timedelta(minutes=1))]


def test_a_file_that_is_no_history_says_what_it_is(home: Home, tmp_path: Path) -> None:
    path = archive(tmp_path / "my_spotify_data.zip", {"MyData/Playlist1.json": {"playlists": []}, "a/Empty.json": []})
    with pytest.raises(InputError, match=r"2 files passed over: MyData/Playlist1.json \(playlists, not a history\)"):
        load(home, path)


@pytest.mark.parametrize("name", ["history.txt", "my_spotify_data.zip", "endsong_0", "endsong_0.json.bak"])
def test_a_file_of_any_name_is_read(home: Home, tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, [extended(number) for number in range(3)])
    assert load(home, path, user="mira").tables["plays"].added == 3


def test_joined_exports_are_read_whole(home: Home, tmp_path: Path) -> None:
    path = tmp_path / EXTENDED
    path.write_text(json.dumps([extended(0), extended(1)]) + "\n" + json.dumps([extended(2), None]))
    report = load(home, path, user="mira").tables["plays"]
    assert (report.added, report.reasons) == (3, {"null in the place of an object": 1})


def test_a_file_cut_short_keeps_what_came_before(home: Home, tmp_path: Path) -> None:
    path = tmp_path / EXTENDED
    path.write_text(json.dumps([extended(n) for n in range(9)])[:-200])
    report = load(home, path)
    assert plays(home).height == 8
    assert report.tables["plays"].quarantined == 1


def test_again_and_a_prefix_first_end_as_the_whole(tmp_path: Path) -> None:
    rows = [extended(n % 7 * 5 + n, conn_country="DE" if n % 2 else "SE") for n in range(40)]
    whole, first = write(tmp_path / "whole" / EXTENDED, rows), write(tmp_path / "first" / EXTENDED, rows[:25])
    once, in_steps = Home(tmp_path / "once"), Home(tmp_path / "steps")
    load(once, whole)
    before = stored_bytes(once)
    load(once, whole)
    assert stored_bytes(once) == before
    load(in_steps, first)
    load(in_steps, whole)
    assert stored_bytes(in_steps) == before


_LONG, _SHORT = (json.dumps([form(n) for n in range(4)] + [None]) for form in (extended, short))
VALID = [_LONG.encode(), _SHORT.encode(), _LONG.encode("utf-16")]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.sampled_from(VALID), changes=mutations(longest=40))
def test_mutated_files_are_refused_or_quarantined(tmp_path: Path, content: bytes, changes: list[Mutation]) -> None:
    path = tmp_path / EXTENDED
    path.write_bytes(mutated(content, changes))
    try:
        batches = [item for item in FORMATS["spotify"].read(path) if isinstance(item, Batch)]
    except InputError:
        return
    assert sum(batch.rows.height for batch in batches if batch.table == "plays") <= 8
    latest = datetime.now(UTC) + timedelta(days=1)
    assert all((batch.rows["event_timestamp"] <= latest).all() for batch in batches)
