"""Importers name the files that they pass over; one that reads no row ends with an error that says what the file is."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from feature_repo.errors import InputError
from feature_repo.home import Home
from tests.transforms.raw.files.containers import zipped
from transforms.commands.say_report import say_report
from transforms.raw.files.describe import describe
from transforms.raw.files.members import Member, PassedOver, single
from transforms.raw.files.records import records
from transforms.raw.importers.format import Format
from transforms.raw.ingest import Batch, ingest

SHORT = [{"endTime": "2024-01-01 10:00", "artistName": "A", "trackName": "T", "msPlayed": 1}]
PLAYLIST = {"playlists": [{"name": "private", "items": []}]}


def _read_member(member: Member) -> Iterator[Batch]:
    for batch in records(member):
        rows = pl.DataFrame(
            batch.rows, schema={"user_id": pl.String, "track_id": pl.String, "event_timestamp": pl.String}
        )
        times = rows.with_columns(pl.col("event_timestamp").str.to_datetime(time_zone="UTC"))
        malformed = pl.DataFrame(batch.malformed, schema={"reason": pl.String, "row": pl.String}, orient="row")
        yield Batch("plays", times, malformed, batch.done)


def _why_not(member: Member) -> str:
    return "" if member.stem.startswith("history") else describe(member)


def _read(path: Path) -> Iterator[Batch | PassedOver]:
    return HISTORY.each_member(path, _read_member, _why_not)


HISTORY = Format("history", "a folder with history*.json", _read)


def play(user: str) -> dict[str, str]:
    return {"user_id": user, "track_id": "t", "event_timestamp": "2026-01-01T00:00:00"}


def write(folder: Path) -> Path:
    folder.mkdir()
    (folder / "Playlist1.json").write_text(json.dumps(PLAYLIST))
    (folder / "read me.pdf").write_bytes(b"%PDF-1.7")
    (folder / "history_0.json").write_text(json.dumps([play("a"), None, play("b")]))
    broken = gzip.compress(
        "\n".join(json.dumps(play(f"c{number}{hash(str(number))}")) for number in range(999)).encode()
    )
    (folder / "history_1.json.gz").write_bytes(broken[: len(broken) // 2])
    (folder / "history_2.zip").write_bytes(zipped({"history_3.json": json.dumps([play("d")]).encode()}))
    return folder


def test_the_others_are_read_and_what_is_passed_over_is_named(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(tmp_path / "export")
    items = list(HISTORY.batches(folder, home))
    done = [item.done for item in items if isinstance(item, Batch)]
    totals = {item.total for item in items if isinstance(item, Batch)}
    assert done == sorted(done)
    assert len(totals) == 1
    assert max(done) <= max(totals)
    report = ingest(home, "history", items)
    users = set(pl.scan_parquet(home.raw("plays") / "*" / "*.parquet").collect()["user_id"])
    assert {"a", "b", "d"} < users, "rows before the damage are stored, too"
    assert report.tables["plays"].reasons == {"null in the place of an object": 1}
    assert [(item.name, item.why) for item in report.passed_over[:1]] == [
        ("Playlist1.json", "playlists, not a history")
    ]
    assert [item.name for item in report.passed_over] == ["Playlist1.json", "history_1.json.gz", "read me.pdf"]
    assert "cut short or damaged" in report.passed_over[1].why
    say_report(report)
    printed = capsys.readouterr().out
    assert "3 files passed over:" in printed
    assert "Playlist1.json: playlists, not a history" in printed


def test_no_row_is_an_error_that_says_what_the_file_is(home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    path = folder / "Playlist1.json"
    path.write_text(json.dumps(PLAYLIST))
    with pytest.raises(InputError, match=r"Playlist1.json: playlists, not a history; next: .*import history"):
        ingest(home, "history", HISTORY.batches(path, home))
    (folder / "Short.json").write_text(json.dumps(SHORT))
    with pytest.raises(
        InputError, match=r"2 files passed over: Playlist1.json \(playlists, not a history\), Short.json"
    ):
        ingest(home, "history", HISTORY.batches(folder, home))
    (folder / "history.json").write_text("[null]")
    with pytest.raises(InputError, match="1 malformed rows are in quarantine"):
        ingest(home, "history", HISTORY.batches(folder, home))
    assert list(home.quarantine("plays").iterdir())


def test_a_file_alone_raises_its_own_error(home: Home, tmp_path: Path) -> None:
    (tmp_path / "history.json").write_text("hello")
    with pytest.raises(InputError, match="expected JSON .* found 'hello'"):
        list(HISTORY.batches(tmp_path / "history.json", home))
    with pytest.raises(InputError, match="nothing at"):
        list(HISTORY.batches(tmp_path / "absent", home))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (json.dumps(PLAYLIST).encode(), "playlists, not a history"),
        (json.dumps(SHORT).encode("utf-16"), "Spotify's account data: a history in the short form"),
        (b"%PDF-1.7", "a PDF"),
        (b"<!DOCTYPE html><html>", "a web page (HTML)"),
        (b"<?xml version='1.0'?>", "XML"),
        (b"{}", "an empty list or object"),
        (b" \n", "an empty file"),
        (b"abc\0\1\2defgh", "no text"),
        (b"id,secret\n1,2\n", "a table of 'id', 'secret'"),
        (b'{"one": 1, "two": 2}', "JSON: objects with 'one', 'two'"),
        (b"[Mon] error", "text"),
    ],
)
def test_files_are_described_without_their_values(content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    assert describe(single(tmp_path / "a.csv")) == words
