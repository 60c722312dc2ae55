"""One listener's twelve years, thinned out: a first build, one that keeps nothing in memory, and one day after another.

What costs time there is the number of days, not that of plays: each day has a file in every table.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from feature_repo.home import Home
from transforms.batch.build import build
from transforms.day_frames import DayFrames
from transforms.raw.ingest import Batch, ingest

pytestmark = pytest.mark.journeys

FIRST, YEARS, EVERY = datetime(2014, 1, 1, 21, tzinfo=UTC), 12, timedelta(days=23, hours=7)
NOW = FIRST + timedelta(days=365 * YEARS + 40)


def plays() -> pl.DataFrame:
    count = timedelta(days=365 * YEARS) // EVERY
    times = [FIRST + number * EVERY for number in range(count)]
    return pl.DataFrame(
        {
            "user_id": ["mira"] * count,
            "track_id": [f"t{number * 7 % 40}" for number in range(count)],
            "artist_id": [f"a{number * 7 % 40 // 3}" for number in range(count)],
            "ms_played": [30_000 + 1_000 * (number % 90) for number in range(count)],
            "skipped": [number % 5 == 0 for number in range(count)],
            "event_timestamp": times,
            "created_timestamp": [time + timedelta(minutes=3) for time in times],
        }
    )


def built(folder: Path, *parts: tuple[pl.DataFrame, datetime]) -> Home:
    """A data folder in which each part is imported and built, at its moment, after the one before."""
    home = Home(folder)
    for part, moment in parts:
        ingest(home, "test", [Batch("plays", part)])
        build(home, moment)
    return home


def files_of(home: Home, *kinds: str) -> dict[str, bytes]:
    """The files of days; merged past tiles have their rows in any order."""
    paths = [path for kind in kinds for path in (home.root / kind).rglob("date=*/*.parquet")]
    return {str(path.relative_to(home.root)): path.read_bytes() for path in paths}


def test_what_is_kept_in_memory_and_the_order_of_builds_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = plays()
    at_once = built(tmp_path / "at once", (rows, NOW))
    tables = files_of(at_once, "tiles", "features")
    assert len(tables) > 4_000
    assert not any(report.rebuilt for report in build(at_once, NOW).values())

    with monkeypatch.context() as patch:
        patch.setattr(DayFrames, "add", lambda *_: None)
        assert files_of(built(tmp_path / "from files", (rows, NOW)), "tiles", "features") == tables

    before = rows["event_timestamp"][-3] - timedelta(hours=1)
    in_parts = built(tmp_path / "in parts", (rows[:-3], before), (rows[-3:], NOW))
    assert files_of(in_parts, "tiles") == files_of(at_once, "tiles")
    for folder in (folder for folder in (at_once.root / "features").iterdir() if folder.is_dir()):
        table, other = (
            pl.read_parquet(home.features(folder.name) / "**/*.parquet", hive_partitioning=False)
            for home in (at_once, in_parts)
        )
        keys = [name for name, dtype in table.schema.items() if not isinstance(dtype, pl.List)]
        assert other.sort(keys).equals(table.sort(keys)), folder.name
