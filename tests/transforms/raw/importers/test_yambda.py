"""Yambda: listens and feedback from Parquet, artists from the mapping, and the authors' split."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from benchmarks.protocols.yambda_time import DAY, END_S, GAP, split_of
from feature_repo.errors import InputError
from feature_repo.home import Home
from tests.transforms.raw.importers.service_examples import expected_of, load, plays, stored_bytes
from training.datasets import Interactions
from transforms.raw.importers.yambda import EPOCH
from transforms.raw.read import scan

TABLES = ("tracks", "users", "plays", "feedback")


def event(number: int, **changes: Any) -> dict[str, Any]:
    facts = {"uid": 100 * (number % 3), "timestamp": 5 * number, "item_id": number % 7, "is_organic": number % 2}
    heard = {"played_ratio_pct": 40 + number, "track_length_seconds": 200, "event_type": "listen"}
    return {**facts, **heard, **changes}


def liked(number: int, kind: str) -> dict[str, Any]:
    return event(number, played_ratio_pct=None, track_length_seconds=None, event_type=kind)


def parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    types = {"uid": pl.UInt32, "timestamp": pl.UInt32, "is_organic": pl.UInt8, "event_type": pl.Categorical}
    frame = pl.DataFrame(rows, infer_schema_length=None)
    frame.with_columns(
        pl.col(name).cast(dtype) for name, dtype in types.items() if name in frame.columns
    ).write_parquet(path)
    return path


def test_the_example_is_read_as_expected(exports: Path, home: Home) -> None:
    [(path, expected)] = expected_of(exports, "yambda")
    report = load(home, "yambda", path)
    assert (report.tables["plays"].added, report.tables["feedback"].added) == (expected["plays"], expected["feedback"])
    users = scan(home, "users").collect()["user_id"]
    assert users.n_unique() == expected["listeners"]
    times = pl.concat([plays(home)["event_timestamp"], scan(home, "feedback").collect()["event_timestamp"]])
    bounds = [EPOCH + timedelta(seconds=expected[name]) for name in ("first_offset_s", "last_offset_s")]
    assert [times.min(), times.max()] == bounds
    assert sum(table.added for table in load(home, "yambda", path).tables.values()) == 0


def test_a_listen_is_a_play_and_a_like_is_feedback(home: Home, tmp_path: Path) -> None:
    kinds = ("like", "unlike", "dislike", "undislike")
    rows = [event(0), event(11), *(liked(20 + n, kind) for n, kind in enumerate(kinds))]
    load(home, "yambda", parquet(tmp_path / "multi_event.parquet", rows))
    columns = ["user_id", "track_id", "ms_played", "skipped", "context", "event_timestamp", "precision_s"]
    assert plays(home).select(columns).rows() == [
        ("yambda:0", "yambda:0", 80_000, True, "recommended", EPOCH, 5),
        ("yambda:200", "yambda:4", 102_000, False, "organic", EPOCH + timedelta(seconds=55), 5),
    ]
    assert sorted(scan(home, "feedback").collect()["action"]) == sorted(kinds)


def test_listens_of_one_moment_are_several(home: Home, tmp_path: Path) -> None:
    load(home, "yambda", parquet(tmp_path / "multi_event.parquet", [event(0), event(0), event(0, item_id=9)]))
    assert plays(home).height == 3


def test_rows_without_what_matters_are_refused(home: Home, tmp_path: Path) -> None:
    bad = [event(1, uid=None), event(2, item_id=None), event(3, timestamp=4_000_000_000), event(4, event_type="skip")]
    report = load(home, "yambda", parquet(tmp_path / "multi_event.parquet", [event(0), *bad]))
    assert report.tables["plays"].added == 1
    assert report.tables["plays"].reasons == {
        "no listener": 1,
        "no track": 1,
        "not within the months of the data": 1,
        "no known kind of event": 1,
    }


def test_one_kind_a_file_and_lists_a_listener_are_the_same_events(tmp_path: Path) -> None:
    rows = sorted((event(n) for n in range(30)), key=lambda row: (row["uid"], row["timestamp"]))
    listens = [{name: value for name, value in row.items() if name != "event_type"} for row in rows]
    homes = [Home(tmp_path / str(number)) for number in range(3)]
    load(homes[0], "yambda", parquet(tmp_path / "flat" / "multi_event.parquet", rows))
    load(homes[1], "yambda", parquet(tmp_path / "apart" / "listens.parquet", listens))
    path = tmp_path / "sequential" / "listens.parquet"
    path.parent.mkdir()
    pl.DataFrame(listens).group_by("uid", maintain_order=True).agg(pl.all()).write_parquet(path)
    load(homes[2], "yambda", path)
    assert stored_bytes(homes[0], "plays") == stored_bytes(homes[1], "plays") == stored_bytes(homes[2], "plays")


def test_a_folder_has_events_once_and_artists(home: Home, tmp_path: Path) -> None:
    rows = [event(n) for n in range(6)]
    parquet(tmp_path / "data" / "flat" / "50m" / "multi_event.parquet", rows)
    parquet(tmp_path / "data" / "flat" / "50m" / "listens.parquet", rows)
    parquet(tmp_path / "data" / "artist_item_mapping.parquet", [{"artist_id": 70 + n, "item_id": n} for n in range(5)])
    report = load(home, "yambda", tmp_path / "data")
    assert report.tables["plays"].read == 6
    assert sorted(item.why for item in report.passed_over) == [
        "artists of tracks, which the tracks are stored with",
        "its events are in multi_event.parquet",
    ]
    artists = plays(home).sort("track_id")["artist_id"].to_list()
    assert artists == [*(f"yambda:artist:{70 + n}" for n in range(5)), None]


def test_a_prefix_then_the_whole_ends_as_the_whole(tmp_path: Path) -> None:
    rows = [event(n) if n % 4 else liked(n, "like") for n in range(40)]
    once, twice = Home(tmp_path / "once"), Home(tmp_path / "twice")
    load(twice, "yambda", parquet(tmp_path / "a" / "multi_event.parquet", rows[:17]))
    for home in (once, twice):
        load(home, "yambda", parquet(tmp_path / "b" / "multi_event.parquet", rows))
    assert stored_bytes(once, *TABLES) == stored_bytes(twice, *TABLES)


def test_a_damaged_file_is_named(home: Home, tmp_path: Path) -> None:
    path = parquet(tmp_path / "multi_event.parquet", [event(0)])
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(InputError):
        load(home, "yambda", path)


def test_the_global_time_split_is_that_of_the_authors() -> None:
    seconds = np.sort(np.random.default_rng(0).integers(25_000_000, END_S + 3, 4_000))
    micros = (int(EPOCH.timestamp()) + seconds) * 1_000_000
    zeros = np.zeros(len(seconds), np.int64)
    skipped = np.arange(len(seconds)) % 4 == 0
    data, split = split_of(Interactions(["u"], ["t"], [None], zeros, zeros, micros, skipped=skipped))
    test_s, gap_s, day_s = END_S - 86_400, 1_800, 86_400
    heard = seconds[~skipped]
    expected = {
        "training": heard[heard < test_s - gap_s - day_s - gap_s],
        "validation": heard[(heard >= test_s - gap_s - day_s) & (heard < test_s - gap_s)],
        "test": heard[(heard >= test_s) & (heard < END_S)],
    }
    parts = {
        "training": data.before(split.validation),
        "validation": data.between(split.validation, split.test),
        "test": data.between(split.test, split.end),
    }
    for name, part in parts.items():
        np.testing.assert_array_equal(part.time // 1_000_000 - int(EPOCH.timestamp()), expected[name])
    assert day_s * 1_000_000 == DAY
    assert gap_s * 1_000_000 == GAP
