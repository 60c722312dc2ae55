"""Small exports of scrobbles for tests, and what an import of them stores."""

import json
import zipfile
from pathlib import Path
from typing import Any

import polars as pl

from feature_repo.home import Home
from tests.music import FORMATS
from transforms.raw.ingest import ingest
from transforms.raw.read import files, scan
from transforms.raw.report import Report

START_S = 1_700_000_000
TABLES = ("artists", "tracks", "users", "plays", "play_counts", "feedback")


def load(home: Home, name: str, path: Path, **options: Any) -> Report:
    return ingest(home, name, FORMATS[name].batches(path, home, **options))


def plays(home: Home) -> pl.DataFrame:
    return scan(home, "plays").collect().sort("event_timestamp")


def stored_bytes(home: Home) -> dict[str, bytes]:
    return {str(path.relative_to(home.root)): path.read_bytes() for table in TABLES for path in files(home, table)}


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def archive(path: Path, members: dict[str, str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as handle:
        for name, content in members.items():
            handle.writestr(name, content)
    return path


def lines(records: list[Any]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


REASONS = {
    "no time: playing now": "no time: playing now",
    "playing now": "no time: playing now",
    "1970: no clock": "before scrobbling began, such as 1970: a player without a clock",
    "0: no clock": "before scrobbling began, such as 1970: a player without a clock",
    "the user is no SHA-1": "the user is no SHA-1",
    "no artist": "no artist",
}
"""Reason in the examples → reason in the quarantine."""


def assert_as_expected(exports: Path, folder: str, tmp_path: Path) -> None:
    """Compare the import of each example, and another one of it, with what a correct reader finds."""
    expected = json.loads((exports / folder / "expected.json").read_text())
    for number, (name, found) in enumerate(expected.items()):
        home = Home(tmp_path / str(number))
        report = load(home, folder, exports / folder / name)
        assert not report.passed_over, name
        reasons = {reason: count for table in report.tables.values() for reason, count in table.reasons.items()}
        assert reasons == {REASONS[reason]: count for reason, count in found["refused"].items()}, name
        assert scan(home, "users").collect()["user_id"].n_unique() == found.get("listeners", 1), name
        assert scan(home, "feedback").collect().height == found.get("feedback", 0), name
        if found["first"] is None:
            counts = scan(home, "play_counts").collect()["plays"]
            assert (len(counts), counts.sum()) == (found.get("observations", 0), found["plays"]), name
            continue
        rows = plays(home)
        span = [f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in (rows["event_timestamp"][0], rows["event_timestamp"][-1])]
        assert (rows.height, *span) == (found["plays"], found["first"], found["last"]), name
        assert set(rows["precision_s"]) == {60 if found.get("precision") == "minute" else None}, name
        assert rows["skipped"].sum() == found.get("skipped", 0), name
        before = stored_bytes(home)
        again = load(home, folder, exports / folder / name)
        assert sum(counts.added for counts in again.tables.values()) == 0
        assert stored_bytes(home) == before
