"""Raw tables hold each event once, despite duplicates, corrections, bad rows and killed imports."""

import json
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import given, settings
from polars.testing import assert_frame_equal

from feature_repo.errors import HomeError, InputError, StoreError
from feature_repo.home import Home
from tests.music import TABLES
from transforms.raw import commit, staging
from transforms.raw.days import RawDays
from transforms.raw.divide import merge
from transforms.raw.ingest import Batch, ingest
from transforms.raw.read import plays as read_plays
from transforms.raw.read import scan

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def play(user: str | None = "u", track: str | None = "t", hours: float = 0, **more: object) -> dict[str, object]:
    return {"user_id": user, "track_id": track, "event_timestamp": NOON + timedelta(hours=hours), **more}


def batch(*rows: dict[str, object], table: str = "plays") -> Batch:
    return Batch(table, pl.DataFrame(rows, infer_schema_length=None))


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.*t")) if path.is_file()}


def test_importing_again_adds_nothing(home: Home) -> None:
    rows = batch(*(play(f"u{n}", hours=n) for n in range(100)))
    first_report = ingest(home, "a", [rows])
    content_before = content(home.root)
    second_report = ingest(home, "a", [rows])
    assert first_report.tables["plays"].added == 100
    assert (second_report.tables["plays"].added, second_report.tables["plays"].known) == (0, 100)
    assert content(home.root) == content_before


def test_a_duplicate_keeps_the_time_it_was_first_known(home: Home) -> None:
    early, late = NOON + timedelta(minutes=1), NOON + timedelta(hours=9)
    ingest(home, "a", [batch(play(created_timestamp=late), play(created_timestamp=early))])
    assert read_plays(home).collect()["created_timestamp"].to_list() == [early]


def test_a_correction_replaces_what_was_told_before(home: Home) -> None:
    ingest(home, "a", [batch(play(skipped=False, created_timestamp=NOON))])
    ingest(home, "a", [batch(play(skipped=True, created_timestamp=NOON + timedelta(hours=1)))])
    ingest(home, "a", [batch(play(skipped=False, created_timestamp=NOON))])
    assert read_plays(home).collect()["skipped"].to_list() == [True]


def test_a_late_event_changes_its_own_day_only(home: Home) -> None:
    ingest(home, "a", [batch(*(play(f"u{n}", hours=24 * n) for n in range(3)))])
    content_before = content(home.raw("plays"))
    report = ingest(home, "b", [batch(play("late", hours=25, created_timestamp=NOON + timedelta(days=9)))])
    content_after = content(home.raw("plays"))
    changed = [path for path in content_after if content_after[path] != content_before.get(path)]
    assert changed == ["date=2026-01-06/part-0.parquet"]
    assert report.tables["plays"].days_touched == 1


def test_bad_rows_go_to_quarantine_with_all_their_reasons(home: Home) -> None:
    far_future = datetime.now(UTC) + timedelta(days=400)
    rows = [
        play(),
        play(None),
        play(track=""),
        play("negative", ms_played=-1),
        {**play("early"), "event_timestamp": datetime(1956, 1, 1, tzinfo=UTC)},
        {**play("future"), "event_timestamp": far_future},
        {**play("timeless"), "event_timestamp": None},
        play("unborn", created_timestamp=NOON - timedelta(hours=1)),
        play(None, track=None),
    ]
    report = ingest(home, "a", [batch(*rows)]).tables["plays"]
    assert (report.read, report.added, report.quarantined, report.known) == (9, 1, 8, 0)
    refused = pl.read_parquet(home.quarantine("plays") / "*.parquet")
    assert sorted(refused["reason"]) == sorted(
        [
            "user_id is missing",
            "track_id is empty",
            "ms_played is too small",
            "event_timestamp before 1970",
            "event_timestamp in the future",
            "event_timestamp is missing; created_timestamp is missing",
            "created_timestamp before event timestamp",
            "user_id is missing; track_id is missing",
        ]
    )
    assert refused.filter(pl.col("row").str.contains("negative")).height == 1
    assert refused["source"].unique().to_list() == ["a"]
    ingest(home, "a", [batch(*rows)])
    assert pl.read_parquet(home.quarantine("plays") / "*.parquet").height == 8


def test_an_empty_source_is_no_error_and_no_table(home: Home) -> None:
    report = ingest(home, "a", [Batch("plays", pl.DataFrame(schema=TABLES["plays"].columns))])
    assert report.tables["plays"].read == 0
    with pytest.raises(StoreError, match="refrain simulate"):
        read_plays(home)


def test_a_source_that_breaks_off_keeps_what_was_read(home: Home) -> None:
    def source() -> Iterator[Batch]:
        yield batch(*(play(f"u{n}", hours=n) for n in range(10)))
        raise InputError(expected="more", found="the end", next_command="again")

    with pytest.raises(InputError, match=r"the end; 10 rows that could be read are stored; next: again"):
        ingest(home, "a", source())
    assert read_plays(home).collect().height == 10


@pytest.mark.parametrize("staged_rows", [5, 1_000])
@pytest.mark.parametrize("killed_after", range(6))
def test_a_killed_run_repeated_ends_the_same(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_after: int, staged_rows: int
) -> None:
    monkeypatch.setattr(staging, "STAGED_ROWS", staged_rows)
    monkeypatch.setattr(commit, "GROUP_ROWS", 8)
    rows = [
        batch(*(play(f"u{n}", hours=7 * n) for n in range(12)), *(play(f"u{n}", hours=7 * n) for n in range(5))),
        batch(*(play(f"v{n}", hours=9 * n) for n in range(9)), play("u3", hours=21, skipped=True)),
        batch({"user_id": "u", "country": "SE", "event_timestamp": NOON}, table="users"),
    ]
    undisturbed = Home(tmp_path / "whole")
    ingest(undisturbed, "a", rows)
    replace, calls = os.replace, []

    def replace_or_interrupt(partial: str | Path, path: str | Path) -> None:
        calls.append(1)
        if len(calls) > killed_after:
            raise KeyboardInterrupt
        replace(partial, path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace_or_interrupt)
        with pytest.raises(KeyboardInterrupt):
            ingest(home, "a", rows)
    ingest(home, "a", rows)
    assert content(home.root) == content(undisturbed.root)
    assert not [*home.root.rglob(".partial-*"), *home.root.rglob("*.arrow")]


def test_a_torn_raw_file_is_named_with_the_way_out(home: Home) -> None:
    ingest(home, "a", [batch(play())])
    path = home.raw("plays") / "date=2026-01-05" / "part-0.parquet"
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(StoreError, match="part-0.parquet.*next: rm"):
        scan(home, "plays")
    with pytest.raises(StoreError, match="part-0.parquet"):
        ingest(home, "a", [batch(play())])
    path.unlink()
    ingest(home, "a", [batch(play())])
    assert read_plays(home).collect().height == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (pl.col("ms_played").cast(pl.Int32), None),
        (pl.col("event_timestamp").dt.cast_time_unit("ms"), None),
        (pl.col("event_timestamp").dt.convert_time_zone("Europe/Berlin").dt.cast_time_unit("ns"), None),
        (pl.col("created_timestamp").dt.replace_time_zone(None), None),
        (pl.col("user_id").cast(pl.Categorical), None),
        (pl.lit(1).alias("more"), None),
        (pl.lit(None).alias("ms_played"), None),
        (pl.col("ms_played").cast(pl.String), "ms_played as String in .*part-0.parquet"),
        (pl.col("ms_played").cast(pl.UInt64), "ms_played as UInt64"),
        (pl.col("ms_played").cast(pl.Float64), "ms_played as Float64"),
    ],
)
def test_a_file_of_another_tool_is_read_where_nothing_is_lost(home: Home, change: pl.Expr, message: str | None) -> None:
    ingest(home, "a", [batch(play(ms_played=1), play("v", hours=48, ms_played=3), play("w", hours=96, ms_played=5))])
    rows_before = scan(home, "plays").collect()
    path = home.raw("plays") / "date=2026-01-07" / "part-0.parquet"
    pl.read_parquet(path, hive_partitioning=False).with_columns(change).write_parquet(path)
    if message is not None:
        with pytest.raises(StoreError, match=f"{message}.*next: .*rm .*import"):
            scan(home, "plays")
        with pytest.raises(StoreError, match=message):
            RawDays.of(home, "plays")
        with pytest.raises(StoreError, match=message):
            ingest(home, "a", [batch(play("z", hours=48))])
        return
    rows_after = scan(home, "plays").collect()
    assert rows_after.drop("ms_played").equals(rows_before.drop("ms_played"))
    days = RawDays.of(home, "plays")
    assert days.load(days.paths, ["user_id", "ms_played"]).select(rows_after.columns[:1]).height == 3
    report = ingest(home, "a", [batch(play("z", hours=48, ms_played=7))])
    assert report.tables["plays"].added == 1
    assert scan(home, "plays").collect().height == 4


def test_a_file_without_a_column_that_it_needs_is_named(home: Home) -> None:
    ingest(home, "a", [batch(play())])
    path = home.raw("plays") / "date=2026-01-05" / "part-0.parquet"
    pl.read_parquet(path, hive_partitioning=False).drop("user_id").write_parquet(path)
    with pytest.raises(StoreError, match="no column user_id in .*part-0.parquet"):
        read_plays(home)


def test_what_is_no_day_is_read_by_nobody(home: Home) -> None:
    ingest(home, "a", [batch(play())])
    day = home.raw("plays") / "date=2026-01-05"
    for name in ("date=2026-01-05.bak", "backup", "date=__HIVE_DEFAULT_PARTITION__", "date=2026-01-05/old"):
        shutil.copytree(day, home.raw("plays") / name, ignore=shutil.ignore_patterns("old"))
    shutil.copy(day / "part-0.parquet", home.raw("plays"))
    (home.raw("plays") / "date=2026-05-01").touch()
    assert read_plays(home).collect().height == 1
    assert list(RawDays.of(home, "plays").paths) == [NOON.date()]


@pytest.mark.parametrize("cache_text", ["[]", "null", '"x"', '{"2026-01-05": 1}', '{"2026-01-05": [1, 2, null]}', "{"])
def test_a_damaged_cache_is_none(home: Home, cache_text: str) -> None:
    ingest(home, "a", [batch(play())])
    expected = RawDays.of(home, "plays")
    (home.raw("plays") / ".known-part-0.json").write_text(cache_text)
    assert RawDays.of(home, "plays") == expected
    stat = expected.paths[NOON.date()].stat()
    state = {"2026-01-05": [stat.st_size, stat.st_mtime_ns, None]}
    (home.raw("plays") / ".known-part-0.json").write_text(json.dumps(state))
    assert RawDays.of(home, "plays") == expected


def test_what_a_killed_writer_left_is_swept(home: Home) -> None:
    ingest(home, "a", [batch(play())])
    leftover = home.raw("plays") / "date=2026-01-05" / ".partial-1-part-0.parquet"
    leftover.write_bytes(b"half")
    ingest(home, "a", [batch(play(hours=1))])
    assert not leftover.exists()


def test_slow_changes_keep_one_row_per_change(home: Home) -> None:
    def user(plan: str, day: int) -> dict[str, object]:
        return {"user_id": "u", "plan": plan, "event_timestamp": NOON + timedelta(days=day)}

    states = [user("free", 0), user("free", 3), user("premium", 5), user("premium", 9), user("free", 12)]
    ingest(home, "a", [batch(*states, table="users")])
    ingest(home, "a", [batch(*states[::-1], table="users")])
    stored = scan(home, "users").collect()
    assert stored["plan"].to_list() == ["free", "premium", "free"]
    assert stored["event_timestamp"].to_list() == [NOON, NOON + timedelta(days=5), NOON + timedelta(days=12)]


@settings(max_examples=100, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.sampled_from("uv"), st.integers(0, 3), st.sampled_from([None, True]), st.integers(0, 3)),
        min_size=1,
        max_size=20,
    ),
    split=st.integers(0, 20),
)
def test_merging_again_or_in_any_order_changes_nothing(
    rows: list[tuple[str, int, bool | None, int]], split: int
) -> None:
    table = TABLES["plays"]
    events = table.conform(
        pl.DataFrame(
            [
                play(user, hours=hour, skipped=skipped, created_timestamp=NOON + timedelta(hours=hour + delay))
                for user, hour, skipped, delay in rows
            ],
            infer_schema_length=None,
        )
    )
    merged = merge(table, events)
    assert merged.select(table.key).is_unique().all()
    assert_frame_equal(
        merge(table, pl.concat([merged, events[:split]])), merge(table, pl.concat([events[:split], merged]))
    )
    assert_frame_equal(merge(table, pl.concat([merged, merged])), merged)
    assert_frame_equal(merge(table, events.reverse()), merged)


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HomeError, match="data folder that can be written.*REFRAIN_HOME"):
        ingest(Home(tmp_path / "file" / "home"), "a", [batch(play())])


def test_a_file_of_before_a_column_was_there_has_it_as_null(home: Home) -> None:
    midnight = datetime(2026, 1, 5, tzinfo=UTC)
    ingest(home, "test", [Batch("tracks", pl.DataFrame({"track_id": ["old"], "event_timestamp": [midnight]}))])
    (file,) = home.raw("tracks").rglob("*.parquet")
    pl.read_parquet(file).drop("regions", "available").write_parquet(file)
    assert scan(home, "tracks").collect()["regions"].to_list() == [None]
    ingest(home, "test", [Batch("tracks", pl.DataFrame({"track_id": ["new"], "event_timestamp": [midnight]}))])
    assert scan(home, "tracks").collect()["track_id"].sort().to_list() == ["new", "old"]


def test_duplicates_of_an_import_are_told_apart_from_what_was_stored_before(home: Home) -> None:
    batches = [batch(play("a"), play("a"), play("b")), batch(play("b"), play("c"), play("d"), play(None))]
    first_counts = ingest(home, "a", batches).tables["plays"]
    assert (
        first_counts.read,
        first_counts.added,
        first_counts.duplicates,
        first_counts.known,
        first_counts.quarantined,
    ) == (7, 4, 2, 0, 1)
    second_counts = ingest(home, "a", [*batches, batch(play("e"))]).tables["plays"]
    assert (
        second_counts.read,
        second_counts.added,
        second_counts.duplicates,
        second_counts.known,
        second_counts.quarantined,
    ) == (8, 1, 2, 4, 1)


def test_duplicates_of_things_that_change_slowly(home: Home) -> None:
    def user(country: str, hours: float) -> dict[str, object]:
        return {"user_id": "u", "country": country, "event_timestamp": NOON + timedelta(hours=hours)}

    rows = batch(user("SE", 0), user("SE", 1), user("NO", 2), user("NO", 2), table="users")
    first_counts = ingest(home, "a", [rows]).tables["users"]
    assert (first_counts.added, first_counts.duplicates, first_counts.known) == (2, 2, 0)
    second_counts = ingest(home, "a", [rows]).tables["users"]
    assert (second_counts.added, second_counts.duplicates, second_counts.known) == (0, 2, 2)
