"""Importers: real formats into raw tables, and errors for bad input."""

import gzip
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from feature_repo.errors import InputError
from feature_repo.home import Home
from tests.music import FORMATS
from transforms.raw.ingest import ingest
from transforms.raw.read import scan
from transforms.raw.report import Report

ITEM = "{0}|Film {0} (1995)|01-Jan-1995||http://x|" + "|".join(["0"] * 5 + ["1"] + ["0"] * 13)


def load(home: Home, name: str, path: Path) -> Report:
    return ingest(home, name, FORMATS[name].read(path))


def tiny_movielens(folder: Path, ratings: bytes = b"1\t2\t5\t881250949\n2\t2\t1\t881250950\n") -> Path:
    folder.mkdir()
    (folder / "u.genre").write_text("\n".join(f"g{n}|{n}" for n in range(19)))
    (folder / "u.item").write_text("\n".join(ITEM.format(n) for n in (1, 2)))
    (folder / "u.user").write_text("1|24|M|writer|00000\n2|30|F|other|00000\n")
    (folder / "u.data").write_bytes(ratings)
    return folder


def listen_record(number: int, **more: Any) -> dict[str, Any]:
    return {
        "user_name": "rob",
        "listened_at": 1_700_000_000 + number,
        "track_metadata": {"artist_name": "Björk", "track_name": f"Song {number}", "additional_info": {}},
        **more,
    }


class TestMovieLens:
    def test_real_ratings_become_plays(self, home: Home, movielens: Path) -> None:
        report = load(home, "movielens", movielens)
        assert {name: counts.added for name, counts in report.tables.items()} == {
            "artists": 216,
            "tracks": 1_682,
            "users": 943,
            "plays": 100_000,
        }
        assert sum(counts.quarantined for counts in report.tables.values()) == 0
        plays = scan(home, "plays").collect()
        first = plays.filter((pl.col("user_id") == "ml:196") & (pl.col("track_id") == "ml:242")).row(0, named=True)
        assert first["event_timestamp"] == datetime.fromtimestamp(881_250_949, UTC)
        assert (first["skipped"], first["context"], first["artist_id"]) == (False, "rating", "ml:Comedy")
        second_report = load(home, "movielens", movielens)
        assert sum(counts.added for counts in second_report.tables.values()) == 0

    def test_a_missing_file_is_named(self, home: Home, tmp_path: Path) -> None:
        folder = tiny_movielens(tmp_path / "ml")
        (folder / "u.item").unlink()
        with pytest.raises(InputError, match=r"no file u\.item.*next: refrain import movielens"):
            load(home, "movielens", folder)

    def test_lines_that_are_no_ratings_are_quarantined(self, home: Home, tmp_path: Path) -> None:
        bad = b"1\t2\t5\nx\ty\tz\tw\n1\t2\t5\t-5\n\xff\xfe\t1\t1\t1\n\t2\t5\t881250951\n3\t99\t4\t881250952\n"
        report = load(home, "movielens", tiny_movielens(tmp_path / "ml", b"1\t2\t5\t881250949\n" + bad))
        assert report.tables["plays"].added == 2  # the valid rating, and one of a film that is not in the catalogue
        assert report.tables["plays"].reasons == {
            "not user, item, rating and time between tabs": 2,
            "not UTF-8": 1,
            "event_timestamp before 1970": 1,
            "user_id is missing": 1,
        }

    def test_another_format_is_told(self, home: Home, tmp_path: Path) -> None:
        folder = tiny_movielens(tmp_path / "ml", b"user,item,rating\n1,2,3\n")
        with pytest.raises(InputError, match="no line of .* is a rating"):
            load(home, "movielens", folder)


class TestLastfm:
    def test_the_real_release_is_read(self, home: Home, real_data: Path) -> None:
        folder = real_data / "hetrec2011-lastfm-2k"
        if not folder.is_dir():
            pytest.skip(f"no {folder}")
        report = load(home, "lastfm", folder)
        read = {name: counts.read for name, counts in report.tables.items()}
        assert read["play_counts"] == 92_834
        assert read["tags"] == read["plays"] == 186_479
        assert read["friendships"] == 25_434
        assert read["artists"] == read["tracks"] == 17_632
        assert read["users"] == 1_892
        assert report.tables["tags"].reasons == {"event_timestamp before 1970": 4}

    def test_headers_are_no_rows_and_odd_days_are_quarantined(self, home: Home, tmp_path: Path) -> None:
        (tmp_path / "artists.dat").write_text("id\tname\turl\tpictureURL\n1\tBjörk\tu\tp\n", encoding="utf-8")
        (tmp_path / "user_artists.dat").write_text("//userID\tartistID\tweight\n2\t1\t13\n")
        (tmp_path / "tags.dat").write_bytes("tagID\ttagValue\n1\trün\n".encode("latin-1"))
        (tmp_path / "user_friends.dat").write_text("userID\tfriendID\n2\t3\n")
        (tmp_path / "user_taggedartists.dat").write_text(
            "userID\tartistID\ttagID\tday\tmonth\tyear\n2\t1\t1\t1\t4\t2009\n2\t1\t1\t31\t2\t2009\n2\t1\n"
        )
        report = load(home, "lastfm", tmp_path)
        assert scan(home, "tags").collect()["tag"].to_list() == ["rün"]
        assert report.tables["tags"].reasons == {
            "no such day": 1,
            "not 6 fields between tabs, the first 6 numbers": 1,
        }
        assert report.tables["plays"].added == 1


class TestListenBrainz:
    def write(self, path: Path, listens: list[Any], opener: Any = open) -> Path:
        with opener(path, "wt", encoding="utf-8") as handle:
            handle.writelines((item if isinstance(item, str) else json.dumps(item)) + "\n" for item in listens)
        return path

    def test_an_export_is_read(self, home: Home, tmp_path: Path) -> None:
        listens = [
            listen_record(0, inserted_at=1_700_000_060.5),
            listen_record(1, recording_msid="abc"),
            listen_record(1, recording_msid="abc"),
        ]
        listens.append(
            listen_record(2)
            | {
                "track_metadata": {
                    "artist_name": "Björk",
                    "track_name": "x",
                    "additional_info": {
                        "recording_mbid": "r1",
                        "artist_mbids": ["a1", "a2"],
                        "duration_ms": 1234,
                    },
                }
            }
        )
        report = load(home, "listenbrainz", self.write(tmp_path / "a.jsonl", listens))
        plays = scan(home, "plays").collect().sort("event_timestamp")
        assert plays["track_id"].to_list() == ["mb:Björk/Song 0", "mb:abc", "mb:r1"]
        assert plays["artist_id"].to_list() == ["mb:Björk", "mb:Björk", "mb:a1"]
        assert plays["created_timestamp"][0] == datetime.fromtimestamp(1_700_000_060, UTC)
        assert report.tables["plays"].duplicates == 1
        assert scan(home, "tracks").collect()["duration_ms"].to_list().count(1234) == 1

    def test_dumps_and_gzip_folders_are_read(self, home: Home, tmp_path: Path) -> None:
        dump = {
            "user_id": 7,
            "timestamp": 1_700_000_000,
            "track_metadata": {"artist_name": "A", "track_name": "B"},
        }
        folder = tmp_path / "dumps"
        folder.mkdir()
        self.write(folder / "1.listens.gz", [dump], gzip.open)
        self.write(folder / "2.jsonl", [listen_record(3)])
        load(home, "listenbrainz", folder)
        assert set(scan(home, "plays").collect()["user_id"]) == {"lb:7", "lb:rob"}

    def test_bad_lines_are_quarantined_and_the_rest_goes_on(self, home: Home, tmp_path: Path) -> None:
        path = self.write(
            tmp_path / "a.jsonl",
            [
                listen_record(0),
                "{cut short",
                {"no": "listen"},
                listen_record(1, listened_at="soon"),
                listen_record(2, user_name=None),
                listen_record(3, listened_at=-5),
                listen_record(4, listened_at=99_999_999_999),
                listen_record(5),
                "[]",
                "5",
            ],
        )
        path.write_bytes(path.read_bytes() + b"\xff\xfe{}\n")
        report = load(home, "listenbrainz", path).tables["plays"]
        assert report.added == 2
        assert report.reasons == {
            "not JSON, or cut short": 1,
            "not a listen with listened_at, track_name and artist_name": 4,
            "user_id is missing": 1,
            "event_timestamp before 1970": 1,
            "event_timestamp in the future": 1,
            "not UTF-8": 1,
        }

    def test_a_truncated_gzip_keeps_what_came_before(self, home: Home, tmp_path: Path) -> None:
        path = self.write(
            tmp_path / "a.jsonl.gz", [listen_record(n, noise=str(hash(str(n)))) for n in range(9_000)], gzip.open
        )
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(InputError, match=r"whole file.*rows that could be read are stored.*get .* again"):
            load(home, "listenbrainz", path)
        stored_count = scan(home, "plays").collect().height
        assert 0 < stored_count < 9_000

    def test_another_format_is_told(self, home: Home, tmp_path: Path) -> None:
        path = tmp_path / "a.jsonl"
        path.write_text("user,track\n1,2\n")
        with pytest.raises(InputError, match="no line of .* is a listen"):
            load(home, "listenbrainz", path)


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_there_is_one_clear_error(home: Home, tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=f"nothing at .*next: refrain import {name}"):
        load(home, name, tmp_path / "absent")


def test_memory_is_bounded_by_the_batch(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transforms.raw.importers import movielens

    monkeypatch.setattr(movielens, "BATCH_ROWS", 10)
    ratings = b"".join(b"%d\t2\t5\t%d\n" % (n, 881_250_949 + n) for n in range(95))
    folder = tiny_movielens(tmp_path / "ml", ratings)
    sizes = [batch.rows.height for batch in FORMATS["movielens"].read(folder) if batch.table == "plays"]
    assert max(sizes) == 10
    assert sum(sizes) == 95
    shutil.rmtree(folder)


def billboard(folder: Path) -> Path:
    folder.mkdir()
    (folder / "hot100.csv").write_text(
        "chart_week,current_week,title,performer,last_week,peak_pos,wks_on_chart\n"
        "2019-01-05,1,Don't Stop,Anna Featuring Bob,2,1,9\n"
        "2019-01-12,3,DON'T STOP,Anna,1,1,10\n"
        "2019-01-12,no,Bad,Row,1,1,1\n"
    )
    pl.DataFrame(
        {
            "chart_date": [datetime(2019, 1, 5).date()],
            "rank": [7],
            "title": ["÷ (Divide)"],
            "performer": ["Ed"],
            "last_week": [0],
            "peak": [7],
            "weeks_on_chart": [1],
        }
    ).write_parquet(folder / "b200.parquet")
    (folder / "notes.txt").write_text("x")
    return folder


def test_billboard(home: Home, tmp_path: Path) -> None:
    report = load(home, "billboard", billboard(tmp_path / "charts"))
    assert (report.tables["chart_entries"].added, report.tables["chart_entries"].quarantined) == (3, 1)
    rows = scan(home, "chart_entries").sort("event_timestamp", "chart").collect()
    assert rows["track_id"].to_list() == ["bb:b200:divide:ed", *["bb:hot100:dont-stop:anna"] * 2]
    assert rows["rank"].to_list() == [7, 1, 3]
    assert rows["event_timestamp"].to_list()[-1] == datetime(2019, 1, 12, tzinfo=UTC)
    tracks = scan(home, "tracks").sort("track_id").collect()
    assert tracks["artist_name"].to_list() == ["Ed", "Row", "Anna"]
    second_report = load(home, "billboard", tmp_path / "charts")
    assert sum(table.added for table in second_report.tables.values()) == 0


def test_what_is_no_chart_is_refused(home: Home, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no b200 or hot100"):
        load(home, "billboard", tiny_movielens(tmp_path / "ml"))
    (tmp_path / "hot100.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"no column \['chart_date'"):
        load(home, "billboard", tmp_path / "hot100.csv")
    (tmp_path / "hot100.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match="hot100.parquet"):
        load(home, "billboard", tmp_path / "hot100.parquet")


def test_the_real_charts(home: Home, real_data: Path) -> None:
    report = load(home, "billboard", real_data / "billboard-weekly" / "hot100.parquet")
    counts = report.tables["chart_entries"]
    assert counts.added > 0.999 * counts.read
