"""A few plays in an empty data folder, and their contract, which a test edits."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from feature_repo import clock
from feature_repo.home import Home
from refrain.data_contract.tables import contract_tables
from refrain.data_contract.write import document
from transforms.data_contracts.binding import path_of
from transforms.raw.ingest import Batch, ingest

START = datetime(2026, 1, 1, tzinfo=UTC)
Edit = Callable[[dict[str, Any]], None]


def plays(days: int, a_day: int, *, first: int = 0, ms: int = 1_000) -> pl.DataFrame:
    """Plays of some days, at equal distances; each of another track."""
    times = [START + timedelta(days=first + day, seconds=step * 60) for day in range(days) for step in range(a_day)]
    return pl.DataFrame(
        {
            "event_timestamp": times,
            "user_id": [f"u{number % 7}" for number in range(len(times))],
            "track_id": [f"t{number}" for number in range(len(times))],
            "ms_played": [ms + number % 50 for number in range(len(times))],
            "device": ["phone" if number % 2 else "web" for number in range(len(times))],
        }
    )


@pytest.fixture
def filled(home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """Twenty days of a hundred plays; it is an hour after the last."""
    ingest(home, "test", [Batch("plays", plays(20, 100))])
    monkeypatch.setenv(clock.NOW, (START + timedelta(days=19, hours=3)).isoformat())
    return home


def column(contract: dict[str, Any], name: str) -> dict[str, Any]:
    """The column of a contract."""
    return next(one for one in contract["schema"][0]["properties"] if one["name"] == name)


@pytest.fixture
def agreed(home: Home) -> Callable[..., Path]:
    """Writes the contract of a raw table, edited."""

    def write(edit: Edit = lambda contract: None, table: str = "plays") -> Path:
        (one,) = contract_tables(home, [table])
        contract = document(home, one)
        edit(contract)
        path = path_of(home, one.kind, table)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(contract, sort_keys=False))
        return path

    return write
