"""Small exports of services for tests, and what the tests of all of them look at."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from feature_repo.home import Home
from tests.music import FORMATS
from transforms.raw.ingest import Report, ingest
from transforms.raw.read import files, scan

START = datetime(2024, 5, 1, 12, tzinfo=UTC)
TITLES = ("Glass Harbour", "Älvdröm", "One More Knot", "月の駅", "0:37", "Salt, Rope")
ARTISTS = ("Velm Orrin", "Tindra Mölk", "Finch, Harrow & Lye", "月見ラジオ部", "Nøkke/Sønn", "Quill")


def moment(number: int) -> datetime:
    return START + timedelta(seconds=613 * number)


def load(home: Home, name: str, path: Path, **options: Any) -> Report:
    return ingest(home, name, FORMATS[name].batches(path, home, **options))


def plays(home: Home) -> pl.DataFrame:
    return scan(home, "plays").collect().sort("event_timestamp")


def table(rows: list[dict[str, Any]], delimiter: str = ",") -> str:
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, list(rows[0]), delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def stored_bytes(home: Home, *tables: str) -> dict[str, bytes]:
    return {str(path.relative_to(home.root)): path.read_bytes() for name in tables for path in files(home, name)}


def stored_text(home: Home) -> str:
    parts = [*home.root.glob("raw/**/*.parquet"), *home.root.glob("quarantine/**/*.parquet")]
    return "\n".join(json.dumps(pl.read_parquet(path).to_dicts(), default=str) for path in parts)


def expected_of(exports: Path, folder: str) -> list[tuple[Path, dict[str, Any]]]:
    """Each path of a format's examples, and what a correct reader finds there."""
    entries = json.loads((exports / folder / "expected.json").read_text())
    return [(exports / folder / name, expected) for name, expected in entries.items()]


def check_example(home: Home, name: str, path: Path, expected: dict[str, Any]) -> Report:
    """Imports an example twice, and compares the counts, the first and last moment, and what is refused."""
    report = load(home, name, path)
    counts = report.tables["plays"]
    assert plays(home).height == expected["plays"]
    assert counts.reasons == expected["refused"]
    column = "created_timestamp" if expected.get("instant") == "end of the play" else "event_timestamp"
    times = plays(home)[column]
    bounds = [datetime.fromisoformat(expected[name]) for name in ("first", "last")]
    cut = "1h" if expected.get("precision") == "hour" else "1us"
    assert [
        value.replace(tzinfo=UTC) for value in (times.dt.truncate(cut).min(), times.dt.truncate(cut).max())
    ] == bounds
    assert plays(home)["user_id"].n_unique() == 1
    again = load(home, name, path)
    assert sum(table.added for table in again.tables.values()) == 0
    return report
