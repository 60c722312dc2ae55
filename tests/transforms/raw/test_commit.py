"""Many days are merged at once; the files and counts are those of each day by itself."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from feature_repo.home import Home
from tests.oracles.daily_ingest import ingest_by_day
from transforms.raw import commit, staging
from transforms.raw.by_day import equal_days, with_day
from transforms.raw.declared import raw_tables
from transforms.raw.divide import divide
from transforms.raw.ingest import Batch, ingest
from transforms.raw.left_out import LeftOut
from transforms.raw.read import scan
from transforms.raw.table import RawTable

START = datetime(2026, 1, 5, tzinfo=UTC)
LIMITS = [(7, 11, 1), (40, 1_000, 1 << 20), (100_000, 100_000, 1 << 30)]


def content(home: Home) -> dict[str, bytes]:
    folder = home.root / "raw"
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("part-0.*"))}


def moments(rng: np.random.Generator, size: int, days: int) -> pl.Series:
    """Returns times on a coarse grid, so that events repeat; few of them on days of their own."""
    hours = np.where(rng.random(size) < 0.3, 24 * rng.integers(0, 60, size), rng.integers(0, 6 * days, size) * 4)
    return pl.Series([START + timedelta(hours=int(hour)) for hour in hours])


def generated_plays(rng: np.random.Generator, size: int) -> pl.DataFrame:
    """Returns plays with repetitions, corrections, late reports, missing values and rows to refuse."""
    times = moments(rng, size, days=9)
    delays = pl.Series(rng.integers(0, 3, size) * 86_400_000_000).cast(pl.Duration("us"))
    return pl.DataFrame(
        {
            "user_id": rng.choice(np.array(["ann", "bob", "", None]), size, p=[0.6, 0.3, 0.05, 0.05]).tolist(),
            "track_id": rng.choice(["s", "t", "t"], size),
            "ms_played": rng.choice(np.array([None, 1_000, 2_000, -1]), size, p=[0.3, 0.4, 0.25, 0.05]).tolist(),
            "skipped": rng.choice(np.array([True, None]), size).tolist(),
            "event_timestamp": times,
            "created_timestamp": times + delays if rng.random() < 0.8 else times,
        },
        schema_overrides={"user_id": pl.String, "ms_played": pl.Int64, "skipped": pl.Boolean},
    )


def generated_rows(rng: np.random.Generator, name: str, size: int) -> pl.DataFrame:
    if name == "plays":
        return generated_plays(rng, size)
    times = moments(rng, size, days=20)
    texts = {"text_id": rng.choice(["1", "2", "3"], size), "text": rng.choice(["a", "b"], size)}
    users = {"user_id": rng.choice(["ann", "bob"], size), "country": rng.choice(["SE", "NO"], size)}
    return pl.DataFrame({**(texts if name == "texts" else users), "event_timestamp": times})


def batches_of(rng: np.random.Generator, sizes: tuple[int, ...]) -> list[Batch]:
    names = rng.choice(["plays", "plays", "users", "texts"], len(sizes))
    return [Batch(str(name), generated_rows(rng, name, size)) for name, size in zip(names, sizes, strict=True)]


@pytest.mark.parametrize("limits", LIMITS)
@pytest.mark.parametrize("seed", range(3))
def test_files_and_counts_are_those_of_each_day_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limits: tuple[int, int, int], seed: int
) -> None:
    monkeypatch.setattr(staging, "STAGED_ROWS", limits[0])
    monkeypatch.setattr(commit, "GROUP_ROWS", limits[1])
    monkeypatch.setattr(commit, "GROUP_BYTES", limits[2])
    rng = np.random.default_rng(seed)
    home, expected_home = Home(tmp_path / "home"), Home(tmp_path / "expected")
    imports = [batches_of(rng, (20, 1, 60, 30)), batches_of(rng, (3, 40)), batches_of(rng, (2,))]
    for batches in [*imports, imports[0], [*imports[2], *imports[1]]]:
        report = ingest(home, "test", batches)
        expected = ingest_by_day(expected_home, batches)
        assert {name: replace(item, reasons={}) for name, item in report.tables.items()} == {
            name: replace(item, reasons={}) for name, item in expected.items()
        }
        assert content(home) == content(expected_home)


def test_a_large_day_among_small_ones_has_the_bytes_of_its_own(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    size = 120_000
    seconds = np.concatenate([rng.integers(0, 86_400, size), 86_400 * rng.integers(1, 90, 500)])
    rows = pl.DataFrame(
        {
            "user_id": [f"user {number}" for number in rng.integers(0, 4_000, seconds.size)],
            "track_id": [f"a track with a long name, number {number}" for number in rng.integers(0, 900, seconds.size)],
            "ms_played": rng.integers(0, 300_000, seconds.size),
            "event_timestamp": START + pl.Series(seconds * 1_000_000).cast(pl.Duration("us")),
        }
    )
    home, expected_home = Home(tmp_path / "home"), Home(tmp_path / "expected")
    ingest(home, "test", [Batch("plays", piece) for piece in rows.iter_slices(50_000)])
    ingest_by_day(expected_home, [Batch("plays", rows)])
    assert content(home) == content(expected_home)


def test_what_a_killed_import_left_out_counts_at_the_next_one(tmp_path: Path) -> None:
    home, expected_home = Home(tmp_path / "home"), Home(tmp_path / "expected")
    row = {"user_id": "ann", "track_id": "t", "ms_played": 1, "event_timestamp": START}
    batch = Batch("plays", pl.DataFrame([row]))
    later = {**row, "ms_played": 2, "created_timestamp": START + timedelta(hours=1)}
    for place in (home, expected_home):
        ingest(place, "test", [batch])
        table = raw_tables(place)["plays"]
        LeftOut(table, place.raw("plays") / f"date={START.date()}").add(table.conform(pl.DataFrame([later])))
    ingest(home, "test", [batch])
    ingest_by_day(expected_home, [batch])
    assert content(home) == content(expected_home)
    assert scan(home, "plays").collect()["ms_played"].to_list() == [2]


def test_few_days_are_in_memory_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, days, a_day = Home(tmp_path), 30, 10
    times = pl.Series([START + timedelta(hours=24 * day + hour) for hour in range(a_day) for day in range(days)])
    rows = pl.DataFrame({"user_id": "ann", "track_id": "t", "event_timestamp": times})
    heights: list[int] = []

    def recorded_divide(table: RawTable, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        heights.append(rows.height)
        return divide(table, rows)

    monkeypatch.setattr(commit, "divide", recorded_divide)
    monkeypatch.setattr(commit, "GROUP_ROWS", 25)
    ingest(home, "test", [Batch("plays", rows)])
    assert heights == [20] * 15
    heights.clear()
    monkeypatch.setattr(commit, "GROUP_ROWS", 1_000)
    monkeypatch.setattr(commit, "GROUP_BYTES", 1)
    ingest(home, "test", [Batch("plays", rows.with_columns(pl.col("track_id") + "x"))])
    assert heights == [a_day, 2 * a_day] * days


def test_rows_beyond_the_limit_are_staged_in_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging, "STAGED_ROWS", 10)
    home, files = Home(tmp_path), set()
    rows = pl.DataFrame({"user_id": "ann", "track_id": [f"{number}" for number in range(40)], "event_timestamp": START})

    def batches() -> Iterator[Batch]:
        for part in rows.iter_slices(4):
            yield Batch("plays", part)
            files.update(home.root.rglob("*.arrow"))

    ingest(home, "test", batches())
    assert len(files) == 3
    assert not list(home.root.rglob("*.arrow"))
    assert scan(home, "plays").collect().height == 40


def test_days_with_equal_rows_are_found() -> None:
    day = timedelta(days=1)
    rows = with_day(
        pl.DataFrame(
            {
                "event_timestamp": [START, START, START + day, START + 2 * day, START + 3 * day],
                "values": [["a", None], None, ["b"], [], None],
                "number": [float("nan"), 1.0, None, 2.0, 3.0],
            }
        )
    )
    others = rows.with_columns(number=pl.when(pl.col("number") == 2).then(None).otherwise("number"))
    others = others.filter(pl.col("event_timestamp") < START + 3 * day)
    assert equal_days(rows, others) == {START.date(), (START + day).date()}
    assert equal_days(rows, rows.clear()) == set()
    assert equal_days(others, rows) == {START.date(), (START + day).date()}
