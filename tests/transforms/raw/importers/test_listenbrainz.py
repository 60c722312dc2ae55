"""ListenBrainz: account exports of every form, answers of the API, dumps."""

import gzip
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

NAME = "listenbrainz"
BEFORE_CLOCKS = "before scrobbling began, such as 1970: a player without a clock"


def listen(number: int, info: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    metadata = {"artist_name": "Björk", "track_name": f"Song {number}", "additional_info": info or {}}
    return {"listened_at": START_S + 300 * number, "track_metadata": metadata, **more}


def named(number: int, **more: Any) -> dict[str, Any]:
    return listen(number, **{"user_name": "rob", **more})


def export(listens: list[Any], user: str = "mira") -> dict[str, str]:
    return {
        "user.json": json.dumps({"user_id": 5, "username": user}),
        "listens/2023/11.jsonl": lines(listens[::2]),
        "listens/2024/1.jsonl": lines(listens[1::2]),
        "feedback.jsonl": lines([]),
    }


def test_the_examples_are_read_as_expected(exports: Path, tmp_path: Path) -> None:
    assert_as_expected(exports, NAME, tmp_path)


def test_an_account_is_named_beside_its_listens(home: Home, tmp_path: Path) -> None:
    load(home, NAME, archive(tmp_path / "any.zip", export([listen(n) for n in range(4)])))
    assert set(plays(home)["user_id"]) == {"lb:mira"}
    for name, content in export([listen(n) for n in range(4, 8)]).items():
        write(tmp_path / "unpacked" / name, content)
    for part in ("listens/2024", "listens/2023/11.jsonl"):  # a part of it names its listener too
        load(home, NAME, tmp_path / "unpacked" / part)
    assert plays(home)["user_id"].to_list() == ["lb:mira"] * 8


def test_two_accounts_in_a_folder_are_two_people(home: Home, tmp_path: Path) -> None:
    archive(tmp_path / "a" / "export.zip", export([listen(0)], "mira"))
    archive(tmp_path / "b" / "export.zip", export([listen(0)], "tomas"))
    load(home, NAME, tmp_path)
    assert sorted(plays(home)["user_id"]) == ["lb:mira", "lb:tomas"]
    with pytest.raises(InputError, match="those of mira, tomas"):
        load(home, NAME, tmp_path, user="mira")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("listenbrainz_mira_h_1717200000.zip", "lb:mira_h"),
        ("listenbrainz_mira_1717200000 (1).zip", "lb:mira"),
        ("mira/download.zip", "lb:mira"),
    ],
)
def test_without_an_account_the_archive_names_the_listener(
    home: Home, tmp_path: Path, name: str, expected: str
) -> None:
    load(home, NAME, archive(tmp_path / name, {"listens/2024/1.jsonl": lines([listen(0)])}))
    assert plays(home)["user_id"].to_list() == [expected]


def test_the_option_names_the_listener(home: Home, tmp_path: Path) -> None:
    load(home, NAME, write(tmp_path / "a.json", json.dumps([named(0), named(1)])), user="me")
    assert plays(home)["user_id"].to_list() == ["me", "me"]
    with pytest.raises(InputError, match="those of ann, rob"):
        load(home, NAME, write(tmp_path / "b.json", json.dumps([named(0), named(1, user_name="ann")])), user="me")


def test_ids_are_of_recordings_then_of_messages_then_of_names(home: Home, tmp_path: Path) -> None:
    mapped = named(3)
    mapped["track_metadata"]["mbid_mapping"] = {"recording_mbid": "r2", "artist_mbids": ["a3"]}
    beside = named(4)
    beside["track_metadata"] |= {"recording_msid": "m2", "mbid_mapping": None}
    listens = [
        named(0),
        named(1, recording_msid="m1"),
        named(2, info={"recording_mbid": "r1", "artist_mbids": ["a1", "a2"], "duration_ms": 1234}),
        mapped,
        beside,
        named(5, info={"recording_mbid": 5, "artist_mbids": "a", "duration": "200", "duration_played": 30}),
    ]
    load(home, NAME, write(tmp_path / "a.jsonl", lines(listens)))
    rows = plays(home)
    assert rows["track_id"].to_list() == ["mb:Björk/Song 0", "mb:m1", "mb:r1", "mb:r2", "mb:m2", "mb:5"]
    assert rows["artist_id"].to_list() == ["mb:Björk", "mb:Björk", "mb:a1", "mb:a3", "mb:Björk", "mb:Björk"]
    assert rows["ms_played"].to_list() == [None] * 5 + [30_000]
    assert set(scan(home, "tracks").collect()["duration_ms"]) == {None, 1234, 200_000}


def test_a_listen_is_known_at_its_start_whenever_it_was_sent(home: Home, tmp_path: Path) -> None:
    listens = [named(0, inserted_at="Wed, 20 Dec 2023 18:14:37 GMT"), named(0, inserted_at=START_S + 9e6)]
    report = load(home, NAME, write(tmp_path / "a.jsonl", lines(listens)))
    assert plays(home)["created_timestamp"].to_list() == [datetime.fromtimestamp(START_S, UTC)]
    assert (report.tables["plays"].duplicates, report.tables["plays"].conflicts) == (1, 0)


@pytest.mark.parametrize("value", [START_S, START_S + 0.0, str(START_S), f"{START_S}.0"])
def test_times_are_numbers_or_texts(home: Home, tmp_path: Path, value: Any) -> None:
    listens = [named(0, listened_at=value), named(1), named(2, listened_at=None, timestamp=START_S + 600)]
    load(home, NAME, write(tmp_path / "a.jsonl", lines(listens)))
    assert [moment.timestamp() for moment in plays(home)["event_timestamp"]] == [START_S, START_S + 300, START_S + 600]


def test_loved_and_hated_recordings_are_feedback(home: Home, tmp_path: Path) -> None:
    rows = [
        {"score": 1, "created": START_S, "recording_mbid": "r1", "recording_msid": None},
        {"score": -1, "created": START_S + 1.5, "recording_mbid": None, "recording_msid": "m1"},
        {"score": 0, "created": START_S, "recording_mbid": "r2", "recording_msid": None},
        {"score": 1, "created": START_S, "recording_mbid": None, "recording_msid": None},
    ]
    members = export([listen(0)]) | {"feedback.jsonl": lines(rows)}
    report = load(home, NAME, archive(tmp_path / "a.zip", members))
    stored = scan(home, "feedback").collect().sort("event_timestamp")
    assert stored.select("user_id", "track_id", "action").rows() == [
        ("lb:mira", "mb:r1", "like"),
        ("lb:mira", "mb:m1", "dislike"),
    ]
    assert report.tables["feedback"].quarantined == 2


def test_dumps_and_packed_folders_are_read(home: Home, tmp_path: Path) -> None:
    dump = listen(0, user_id=7) | {"timestamp": START_S}
    write(tmp_path / "dumps" / "1.listens.gz", gzip.compress(lines([dump]).encode()))
    write(tmp_path / "dumps" / "2.jsonl", lines([named(3)]))
    write(tmp_path / "dumps" / "COPYING", "CC0")
    report = load(home, NAME, tmp_path / "dumps")
    assert set(plays(home)["user_id"]) == {"lb:7", "lb:rob"}
    assert [(item.name, item.why) for item in report.passed_over] == [("COPYING", "text")]


@pytest.mark.parametrize("form", ["answer", "submission", "array"])
def test_answers_and_arrays_are_read(home: Home, tmp_path: Path, form: str) -> None:
    documents = {
        "answer": {"payload": {"count": 1, "user_id": "mira", "oldest_listen_ts": 1, "listens": [listen(0)]}},
        "submission": {"listen_type": "import", "payload": [listen(0)]},
        "array": [named(0, user_name="mira")],
    }
    load(home, NAME, write(tmp_path / "mira" / "x.json", json.dumps(documents[form], indent=1)))
    assert plays(home)["user_id"].to_list() == ["lb:mira"]


def test_bad_lines_are_quarantined_and_the_rest_goes_on(home: Home, tmp_path: Path) -> None:
    good = [named(0), named(5)]
    bad = [
        "{cut short",
        {"no": "listen"},
        named(1, listened_at="soon"),
        named(2, user_name=None),
        named(3, listened_at=-5),
        named(4, listened_at=4_099_999_999),
        named(6, listened_at=99_999_999_999_999_999_999),
        [],
        5,
        named(7) | {"track_metadata": {"artist_name": "", "track_name": "x"}},
    ]
    content = "".join((item if isinstance(item, str) else json.dumps(item)) + "\n" for item in [good[0], *bad, good[1]])
    report = load(home, NAME, write(tmp_path / "a.jsonl", content.encode() + b"\xff\xfe{}\n")).tables["plays"]
    assert report.added == len(good)
    assert report.quarantined == len(bad) + 1
    assert {"no listener", "in the future", "no artist", "no time of a known form", BEFORE_CLOCKS} <= set(
        report.reasons
    )


def test_a_truncated_gzip_keeps_what_came_before(home: Home, tmp_path: Path) -> None:
    content = gzip.compress(lines([named(n, noise=str(hash(str(n)))) for n in range(9_000)]).encode())
    path = write(tmp_path / "a.jsonl.gz", content[: len(content) // 2])
    with pytest.raises(InputError, match=r"whole file.*rows that could be read are stored.*get .* again"):
        load(home, NAME, path)
    assert 0 < plays(home).height < 9_000


def test_a_file_of_something_else_is_named(home: Home, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the name of an account, not a history"):
        load(home, NAME, write(tmp_path / "user.json", '{"user_id": 1, "username": "mira"}'))
    with pytest.raises(InputError, match="a table of 'user', 'track'"):
        load(home, NAME, write(tmp_path / "a.csv", "user,track\n1,2\n"))


def test_a_beginning_and_then_all_is_as_all(home: Home, tmp_path: Path) -> None:
    listens = [listen(n) for n in range(20)]
    load(home, NAME, archive(tmp_path / "a.zip", export(listens[9:])))
    load(home, NAME, archive(tmp_path / "b.zip", export(listens)))
    whole = Home(tmp_path / "whole")
    load(whole, NAME, tmp_path / "b.zip")
    assert stored_bytes(home) == stored_bytes(whole)


@settings(max_examples=25, deadline=None)
@given(changes=mutations())
def test_mutated_files_are_refused_by_name(tmp_path_factory: pytest.TempPathFactory, changes: list[Mutation]) -> None:
    folder = tmp_path_factory.mktemp("mutated")
    path = write(folder / "x.jsonl", mutated(lines([named(n) for n in range(4)]).encode(), changes))
    with suppress(InputError):
        load(Home(folder / "home"), NAME, path)
