"""Last.fm: exports of several tools, logs of players, and the data sets of many listeners."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from feature_repo.errors import InputError
from feature_repo.home import Home
from tests.transforms.raw.files.mutations import Mutation, mutated, mutations
from tests.transforms.raw.importers.scrobble_exports import (
    START_S,
    archive,
    assert_as_expected,
    lines,
    load,
    plays,
    stored_bytes,
    write,
)
from transforms.raw.read import scan

NAME = "lastfm"
START = datetime.fromtimestamp(START_S, UTC)  # 14 Nov 2023, 22:13:20
MINUTE = START.replace(second=0)
NO_CLOCK = "before scrobbling began, such as 1970: a player without a clock"
PLAYING = "no time: playing now"
SHA1 = "00000c289a1829a808ac09c00daf10bc3c4e223b"

LAYOUTS = {
    "mira.csv": "Björk,Post,Army of Me,14 Nov 2023 22:13\n",
    "mira (1).csv": 'Björk,Post,Army of Me,"14 Nov 2023, 22:13"\n',
    "utc.csv": 'utc_time,artist,album,track\n"14 Nov 2023, 22:13",Björk,Post,Army of Me\n',
    "recenttracks-mira-1717200000.csv": "uts,utc_time,artist,artist_mbid,album,album_mbid,track,track_mbid\r\n"
    '"1700000000","14 Nov 2023, 22:13","Björk","","Post","","Army of Me",""\r\n',
    "r.csv": '"","date","artist","track","album"\n"1",2023-11-14 22:13:20,"Björk","Army of Me","Post"\n',
    "lastfmstats-mira.csv": "\ufeffArtist;Album;AlbumId;Track;Date#mira\n"
    '"Björk";"Post";"";"Army of Me";"1700000000000"\n',
    "backup.csv": "2023-11-14,22:13:20,Björk,Army of Me\n",
    "lastexport.txt": "1700000000\tArmy of Me\tBjörk\tPost\t\t\t\n",
    "subscriber.tsv": "ISO time\tunixtime\ttrack name\ttrack mbid\tartist name\n"
    "2023-11-14T22:13:20Z\t1700000000\tArmy of Me\t\tBjörk\n",
    "flat.csv": "artist.#text,name,album.#text,date.uts,date.#text\nBjörk,Army of Me,Post,1700000000,x\n",
    "pano.csv": "timeHuman,timeMs,artist,track,album,event\nx,1700000000000,Björk,Army of Me,Post,scrobble\n",
    "divided.csv": "date;time;artist;track\n14.11.2023;22:13:20;Björk;Army of Me\n",
}
BY_MINUTE = {"mira.csv", "mira (1).csv", "utc.csv"}


def track(number: int, **more: Any) -> dict[str, Any]:
    date = {"uts": str(START_S + 300 * number), "#text": "14 Nov 2023, 22:13"}
    return {"artist": {"mbid": "", "#text": "Björk"}, "name": f"Song {number}", "mbid": "", "date": date, **more}


def page(tracks: Any, user: str = "mira") -> dict[str, Any]:
    return {"recenttracks": {"track": tracks, "@attr": {"user": user, "page": "1", "total": "30"}}}


def log_line(number: int, rating: str = "L", *more: str) -> str:
    start = START_S + 300 * number
    return "\t".join(["Björk", "Post", f"Song {number}", "7", "200", rating, str(start), *more]) + "\n"


LOG = "#AUDIOSCROBBLER/1.1\n#TZ/UTC\n#CLIENT/Rockbox x\n"


def test_the_examples_are_read_as_expected(exports: Path, tmp_path: Path) -> None:
    assert_as_expected(exports, NAME, tmp_path)


@pytest.mark.parametrize("name", LAYOUTS)
def test_tables_of_every_tool_are_read(home: Home, tmp_path: Path, name: str) -> None:
    load(home, NAME, write(tmp_path / "mira" / name, LAYOUTS[name]))
    row = plays(home).row(0, named=True)
    assert (row["user_id"], row["track_id"]) == ("lastfm:mira", "lastfm:track:Björk/Army of Me")
    assert (row["artist_id"], row["recording"]) == ("lastfm:artist:Björk", "bjork/armyofme")
    by_minute = name in BY_MINUTE
    assert row["event_timestamp"] == (MINUTE if by_minute else START)
    assert (row["precision_s"], row["reported_by"]) == ((60, "last.fm by minute") if by_minute else (None, "last.fm"))


def test_titles_are_texts_whatever_they_look_like(home: Home, tmp_path: Path) -> None:
    titles = ["NA", "null", "1979", "0:37", 'The ""Blue"" Hour', "11 Jan 2024"]
    rows = "".join(f'Björk,Post,"{title}",14 Nov 2023 22:1{n}\n' for n, title in enumerate(titles))
    load(home, NAME, write(tmp_path / "mira.csv", rows))
    stored = scan(home, "tracks").collect()["title"]
    assert sorted(stored) == sorted(title.replace('""', '"') for title in titles)


def test_what_plays_now_and_players_without_a_clock_are_refused(home: Home, tmp_path: Path) -> None:
    rows = [
        "Björk,Post,Now,",
        "Björk,Post,A,14 Nov 2023 22:13",
        "Björk,,B,14 Nov 2023 22:20",
        "Björk,,C,01 Jan 1970 00:00",
    ]
    rows += ["Björk,,D,14 Nov 2093 22:20", ",,E,14 Nov 2023 22:20", "Björk,,F,yesterday"]
    report = load(home, NAME, write(tmp_path / "mira.csv", "\n".join(rows)))
    assert plays(home).height == 2
    assert report.tables["plays"].reasons == {
        PLAYING: 1,
        NO_CLOCK: 1,
        "no artist": 1,
        "no time of a known form": 2,
    }


def test_whether_the_day_or_the_month_is_first_shows_in_all_rows(home: Home, tmp_path: Path) -> None:
    rows = "".join(f"{day:02}/11/2023 10:00,Björk,Song {day}\n" for day in range(1, 15))
    load(home, NAME, write(tmp_path / "mira.csv", f"date,artist,track\n{rows}"))
    assert {moment.month for moment in plays(home)["event_timestamp"]} == {11}


@pytest.mark.parametrize(
    "document",
    [
        page([track(0), track(1)]),
        [page([track(0)])["recenttracks"], page(track(1))["recenttracks"]],
        [page([track(0)]), page(track(1))],
        [track(0), track(1)],
        [track(n, artist={"name": "Björk", "url": "x"}, loved="1") for n in range(2)],
        [{"name": f"Song {n}", "artist": "Björk", "date": 1_000 * (START_S + 300 * n)} for n in range(2)],
        {
            "username": "mira",
            "scrobbles": [
                {"track": f"Song {n}", "artist": "Björk", "album": "Post", "date": 1_000 * (START_S + 300 * n)}
                for n in range(2)
            ],
        },
    ],
    ids=["page", "pages", "answers", "tracks", "extended", "simple", "lastfmstats"],
)
@pytest.mark.parametrize("indent", [None, 1])
def test_pages_and_what_tools_make_of_them_are_read(
    home: Home, tmp_path: Path, document: Any, indent: int | None
) -> None:
    load(home, NAME, write(tmp_path / "mira" / "x.json", json.dumps(document, indent=indent)))
    rows = plays(home)
    assert rows["track_id"].to_list() == ["lastfm:track:Björk/Song 0", "lastfm:track:Björk/Song 1"]
    assert [moment.timestamp() for moment in rows["event_timestamp"]] == [START_S, START_S + 300]
    assert set(rows["user_id"]) == {"lastfm:mira"}


def test_lines_of_pages_are_read_and_the_track_that_plays_now_is_refused(home: Home, tmp_path: Path) -> None:
    now = track(5, date=None) | {"@attr": {"nowplaying": "true"}}
    content = lines([page([now, track(0)]), page(track(1)), track(2), None, {"artist": 5}])
    report = load(home, NAME, write(tmp_path / "x.jsonl", content))
    assert plays(home).height == 3
    assert report.tables["plays"].reasons[PLAYING] == 1
    assert report.tables["plays"].quarantined == 3


def test_a_log_of_a_player_has_plays_and_skips(home: Home, tmp_path: Path) -> None:
    content = LOG + log_line(0) + log_line(1, "S", "id") + log_line(2, "", "id") + "# a comment\njunk\n"
    content += log_line(3).replace("Björk", "<Untagged>") + 'a "lone\tx\ty " quote\t1\t0\tL\t1700000900\t\n'
    report = load(home, NAME, write(tmp_path / "mira" / ".rockbox" / ".scrobbler.log", content))
    assert plays(home).select("skipped", "reported_by").rows() == [
        (False, "scrobbler log"),
        (True, "scrobbler log"),
        (None, "scrobbler log"),
        (False, "scrobbler log"),
    ]
    assert set(plays(home)["user_id"]) == {"lastfm:mira"}
    assert set(scan(home, "tracks").collect()["duration_ms"]) == {200_000, None}
    assert report.tables["plays"].reasons == {"not 7 fields between tabs": 1, "no artist": 1}


def test_names_of_a_folder_hold_for_its_unnamed_exports_only(home: Home, tmp_path: Path) -> None:
    recent = LAYOUTS["recenttracks-mira-1717200000.csv"]
    write(tmp_path / "mine" / "recenttracks-mira-1717200000.csv", recent)
    write(tmp_path / "mine" / ".scrobbler.log", LOG + log_line(1))
    write(tmp_path / "tomas" / ".scrobbler.log", LOG + log_line(1))
    load(home, NAME, tmp_path)
    assert sorted(plays(home)["user_id"]) == ["lastfm:mira", "lastfm:mira", "lastfm:tomas"]


def test_the_option_names_the_listener_of_all_but_data_sets(home: Home, tmp_path: Path) -> None:
    write(tmp_path / "a" / "mira.csv", LAYOUTS["mira.csv"])
    write(tmp_path / "a" / "b" / ".scrobbler.log", LOG + log_line(1))
    load(home, NAME, tmp_path / "a", user="me")
    assert set(plays(home)["user_id"]) == {"me"}
    write(tmp_path / "a" / "tomas.csv", LAYOUTS["mira.csv"])
    with pytest.raises(InputError, match="those of several in .*: mira, tomas"):
        load(home, NAME, tmp_path / "a", user="me")
    counts = write(tmp_path / "counts.tsv", f"{SHA1}\t\tbjörk\t5\n")
    with pytest.raises(InputError, match="those of several"):
        load(home, NAME, counts, user="me")


def test_an_archive_of_several_files_is_read_and_the_others_are_named(home: Home, tmp_path: Path) -> None:
    members = {"recenttracks-mira-1717200000.csv": LAYOUTS["recenttracks-mira-1717200000.csv"], "readme.txt": "hello"}
    report = load(home, NAME, archive(tmp_path / "x.zip", members))
    assert plays(home).height == 1
    assert [(item.name, item.why) for item in report.passed_over] == [("readme.txt", "text")]


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("a.csv", "user,item\n1,2\n", "a table of 'user', 'item'"),
        ("a.json", '{"playlists": []}', "playlists, not a history"),
        ("a.json", '{"maloja": {}, "scrobbles": []}', "an export of Maloja"),
        ("a.xml", "<lfm></lfm>", "XML"),
        ("a.csv", "", "an empty file"),
        ("reviews.csv", "id,content,author,created_at\n" + "a,b,c,2024-01-01T00:00:00Z\n" * 9, "'id', 'content'"),
        ("tags.csv", "userId,movieId,tag,timestamp\n" + "1,a,b,1704153600\n" * 9, "'userId', 'movieId'"),
    ],
)
def test_another_file_is_named(home: Home, tmp_path: Path, name: str, content: str, found: str) -> None:
    with pytest.raises(InputError, match=found):
        load(home, NAME, write(tmp_path / name, content))


def test_listeners_of_1k_have_their_profile_from_registration_on(home: Home, tmp_path: Path) -> None:
    profile = "#id\tgender\tage\tcountry\tregistered\nuser_000001\tf\t\tSweden\tAug 13, 2006\nuser_000002\t\t27\t\t\n"
    played = [f"user_00000{n}\t2023-11-1{n}T22:13:20Z\t\tBjörk\t\tSong {n}\n" for n in (1, 2)]
    played += [
        "user_000001\tsoon\t\tBjörk\t\tSong\n",
        'user_000001\t2023-11-12T22:13:20Z\t\tA "lone\t\tquote\n',
        "cut\n",
    ]
    write(tmp_path / "userid-profile.tsv", profile)
    path = write(tmp_path / "userid-timestamp-artid-artname-traid-traname.tsv", "".join(played))
    report = load(home, NAME, tmp_path)
    users = scan(home, "users").collect().sort("user_id")
    assert users.select("user_id", "country", "gender").rows() == [
        ("lastfm:user_000001", "Sweden", "f"),
        ("lastfm:user_000002", None, None),
    ]
    assert users["event_timestamp"].to_list() == [
        datetime(2006, 8, 13, tzinfo=UTC),
        datetime(2023, 11, 12, 22, 13, 20, tzinfo=UTC),
    ]
    assert plays(home).height == 3
    assert report.tables["plays"].reasons == {"no time of a known form": 1, "1 cells instead of 6": 1}
    alone = Home(tmp_path / "alone")
    load(alone, NAME, path)  # the profile is beside it
    assert scan(alone, "users").collect().sort("user_id")["country"].to_list() == ["Sweden", None]


def test_counts_of_360k_are_a_snapshot_of_its_release(home: Home, tmp_path: Path) -> None:
    mbid = "87c5dedd-371d-4a53-9f7f-80522fb7f3cb"
    rows = [f"{SHA1}\t\tbjörk\t5", f"{SHA1}\t{mbid}\tbjörk\t6", f"{SHA1}\t\tarca\t 7 "]
    rows += ["sep 20, 2008\t\tbjörk\t5", f"{SHA1}\t\t\t5", f"{SHA1}\t\tx\tmany"]
    report = load(home, NAME, write(tmp_path / "usersha1-artmbid-artname-plays.tsv", "\n".join(rows)))
    counts = scan(home, "play_counts").collect().sort("plays", descending=True)
    assert counts.select("user_id", "artist_id", "plays").rows() == [
        (f"lastfm:{SHA1}", "lastfm:artist:björk", 11),
        (f"lastfm:{SHA1}", "lastfm:artist:arca", 7),
    ]
    assert set(counts["event_timestamp"]) == {datetime(2010, 3, 31, tzinfo=UTC)}
    assert report.tables["play_counts"].reasons == {"the user is no SHA-1": 1, "no artist": 1, "no play count": 1}


@pytest.mark.parametrize("kind", ["csv", "json", "log"])
def test_a_beginning_and_then_all_is_as_all(home: Home, tmp_path: Path, kind: str) -> None:
    def content(count: int) -> str:
        match kind:
            case "csv":
                return "".join(f"Björk,Post,Song {n % 7},{14 - n // 5:02} Nov 2023 1{n % 5}:00\n" for n in range(count))
            case "json":
                return json.dumps(page([track(n) for n in range(count)]))
        return LOG + "".join(log_line(n) for n in range(count))

    path = tmp_path / f"mira.{kind}"
    load(home, NAME, write(path, content(20)))
    load(home, NAME, write(path, content(40)))
    whole = Home(tmp_path / "whole")
    load(whole, NAME, path)
    assert plays(whole).height == 40
    assert stored_bytes(home) == stored_bytes(whole)


def test_all_layouts_of_one_service_name_a_track_alike(home: Home, tmp_path: Path) -> None:
    for name in sorted(set(LAYOUTS) - BY_MINUTE):
        load(home, NAME, write(tmp_path / name, LAYOUTS[name]), user="mira")
    assert plays(home).height == 1
    assert [scan(home, table).collect().height for table in ("tracks", "artists", "users")] == [1, 1, 1]


@settings(max_examples=30, deadline=None)
@given(changes=mutations(), number=...)
def test_mutated_files_are_refused_by_name(
    tmp_path_factory: pytest.TempPathFactory, changes: list[Mutation], number: int
) -> None:
    contents = [
        *LAYOUTS.values(),
        json.dumps(page([track(n) for n in range(4)])),
        LOG + "".join(log_line(n) for n in range(4)),
        f"{SHA1}\t\tbjörk\t5\n" * 3,
        "user_000001\t2023-11-14T22:13:20Z\t\tBjörk\t\tSong\n" * 3,
    ]
    folder = tmp_path_factory.mktemp("mutated")
    path = write(folder / "mira.csv", mutated(contents[number % len(contents)].encode(), changes))
    with suppress(InputError):
        load(Home(folder / "home"), NAME, path)
