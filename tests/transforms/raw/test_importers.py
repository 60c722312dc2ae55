"""Importers: real formats into raw tables, and errors for bad input."""

from datetime import UTC, datetime
from pathlib import Path

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
