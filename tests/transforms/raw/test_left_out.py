"""A raw table depends only on the set of reports: not on their order, their files or their repetitions."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from feature_repo.definitions.events.plays import plays
from feature_repo.home import Home
from tests.music import TABLES
from transforms.raw.ingest import Batch, ingest
from transforms.raw.left_out import LeftOut
from transforms.raw.read import scan
from transforms.stream.accept import Gate, RawEvent

ZERO = datetime(2026, 4, 1, tzinfo=UTC)
MOMENT = ZERO + timedelta(days=9)
KEYS = [f"u{number:02}" for number in range(25)]
SEEDS = range(3)
Row = dict[str, Any]


def day(number: float) -> datetime:
    return ZERO + timedelta(days=number)


def play_row(artist: str, created: float, user: str = "ann") -> Row:
    """Returns one report of a user's single play."""
    times = {"event_timestamp": MOMENT, "created_timestamp": MOMENT + timedelta(hours=created)}
    return {"user_id": user, "track_id": "s", "artist_id": artist, **times}


def state_row(country: str, event: float, created: float, user: str = "ann") -> Row:
    return {"user_id": user, "country": country, "event_timestamp": day(event), "created_timestamp": day(created)}


def ingest_rows(home: Home, table: str, *rows: Row) -> None:
    ingest(home, "test", [Batch(table, pl.DataFrame(rows, infer_schema_length=None))])


def stored_rows(home: Home, table: str, *columns: str) -> list[tuple]:
    return scan(home, table).select(columns).collect().rows()


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("part-0.*"))}


def deliveries(rng: np.random.Generator, rows: list[Row]) -> Iterator[list[Row]]:
    """Yields batches of the rows in random order: each row at least once, some rows again."""
    order = [*rng.permutation(len(rows)), *rng.integers(len(rows), size=len(rows) // 2)]
    splits = np.sort(rng.integers(len(order), size=4))
    for indices in np.split(np.array(order), splits):
        if len(indices):
            yield [rows[index] for index in indices]


def newest_report(rows: list[Row]) -> tuple[str, datetime]:
    """Returns the newest reported artist, and the time since which no report differed from it."""
    reports = sorted({(row["created_timestamp"], row["artist_id"]) for row in rows})
    since, artist = reports[-1]
    for created, other in reversed(reports):
        if other != artist:
            break
        since = created
    return artist, since


def country_as_of(rows: list[Row], at: datetime, known_at: datetime) -> str | None:
    """Returns the country at a time, as known at another time, by a loop over all rows."""
    visible = [row for row in rows if row["event_timestamp"] <= at and row["created_timestamp"] <= known_at]
    newest = max(
        visible, key=lambda row: (row["event_timestamp"], row["created_timestamp"], row["country"]), default={}
    )
    return newest.get("country")


def test_a_correction_that_goes_back_is_the_newest_telling(home: Home) -> None:
    reports = [play_row("x", 1), play_row("y", 2), play_row("x", 3)]
    for number in range(1, 4):
        ingest_rows(home, "plays", reports[number - 1])
        assert stored_rows(home, "plays", "artist_id") == [(reports[number - 1]["artist_id"],)]
    content_before = content(home.root)
    for rows in (reports, reports[:1], reports[1:2], reports[::-1]):
        ingest_rows(home, "plays", *rows)
        assert content(home.root) == content_before
    assert stored_rows(home, "plays", "artist_id", "created_timestamp") == [("x", reports[2]["created_timestamp"])]


def test_a_telling_in_force_keeps_the_time_it_was_first_known(home: Home) -> None:
    for created in (2, 5, 9):
        ingest_rows(home, "plays", play_row("x", created))
    assert stored_rows(home, "plays", "created_timestamp") == [(play_row("x", 2)["created_timestamp"],)]
    ingest_rows(home, "plays", play_row("y", 7))  # reported late: the last report of x now corrects it
    assert stored_rows(home, "plays", "artist_id", "created_timestamp") == [
        ("x", play_row("x", 9)["created_timestamp"])
    ]


@pytest.mark.parametrize("seed", SEEDS)
def test_events_in_any_delivery(home: Home, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = [
        play_row(str(rng.choice(["x", "y", "z"])), int(rng.integers(6)), user)
        for user in KEYS
        for _ in range(rng.integers(1, 7))
    ]
    for delivery in deliveries(rng, rows):
        ingest_rows(home, "plays", *delivery)
    content_before = content(home.raw("plays"))
    expected = [(user, *newest_report([row for row in rows if row["user_id"] == user])) for user in KEYS]
    assert sorted(stored_rows(home, "plays", "user_id", "artist_id", "created_timestamp")) == expected
    for delivery in deliveries(rng, rows):
        ingest_rows(home, "plays", *delivery)
    assert content(home.raw("plays")) == content_before


@pytest.mark.parametrize("seed", SEEDS)
def test_events_of_the_stream_in_any_delivery(home: Home, seed: int) -> None:
    """Events pass through the stream's gate; its reader restarts at random."""
    rng = np.random.default_rng(seed)
    rows = [
        play_row(str(rng.choice(["x", "y", "z"])), int(rng.integers(6)), user)
        for user in KEYS
        for _ in range(rng.integers(1, 7))
    ]
    now, gate = int(day(20).timestamp() * 1e6), Gate(plays, 1 << 50)
    for delivery in [*deliveries(rng, rows), *deliveries(rng, rows)]:
        events = [RawEvent("plays", json.dumps(row, default=datetime.isoformat).encode()) for row in delivery]
        log = gate.accept(events, 0, now, arrived=None).to_log()
        if log is not None:
            ingest(home, "stream", [Batch("plays", pl.DataFrame(log))])
        if rng.random() < 0.5:
            gate = Gate(plays, 1 << 50)
            gate.remember(stored_events(home))
    expected = [(user, *newest_report([row for row in rows if row["user_id"] == user])) for user in KEYS]
    assert sorted(stored_rows(home, "plays", "user_id", "artist_id", "created_timestamp")) == expected


def stored_events(home: Home) -> list[tuple]:
    folder = home.raw("plays") / f"date={MOMENT.date()}"
    times = [pl.col(name).dt.timestamp("us") for name in ("event_timestamp", "created_timestamp")]
    frames = (scan(home, "plays").collect(), LeftOut(TABLES["plays"], folder).read())
    return [row for frame in frames for row in frame.select(*times, *plays.columns).iter_rows()]


def test_an_event_without_a_created_time_is_told_once_in_each_words() -> None:
    """A later repetition of an event is a duplicate, not a correction."""
    gate, now = Gate(plays, 1 << 50), int(day(20).timestamp() * 1e6)

    def outcome_of(artist: str, arrived: float, **more: str) -> str:
        row = {"user_id": "ann", "track_id": "s", "artist_id": artist, "event_timestamp": MOMENT.isoformat(), **more}
        event = RawEvent("plays", json.dumps(row).encode())
        counts = gate.accept([event], 0, now, arrived=int(day(arrived).timestamp() * 1e6)).counts
        return next(name for name, count in counts.items() if count)

    outcomes = [outcome_of(artist, arrived) for artist, arrived in (("x", 10), ("y", 11), ("x", 12), ("y", 13))]
    assert outcomes == ["accepted", "amended", "duplicate", "duplicate"]
    assert outcome_of("x", 14, created_timestamp=day(12).isoformat()) == "amended"
    assert outcome_of("x", 15, created_timestamp=day(12).isoformat()) == "duplicate"


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([("SE", 1, 1), ("SE", 9, 9), ("DE", 5, 10)], [("SE", 1), ("DE", 5), ("SE", 9)]),
        ([("SE", 1, 1), ("DE", 5, 5), ("DE", 1, 6), ("NO", 1, 7)], [("SE", 1), ("DE", 1), ("NO", 1), ("DE", 5)]),
        ([("DE", 5, 5), ("DE", 6, 6), ("DE", 40, 40), ("SE", 5.5, 41)], [("DE", 5), ("SE", 5.5), ("DE", 6)]),
    ],
)
def test_a_late_change_within_a_state(
    home: Home, tmp_path: Path, rows: list[tuple[str, float, float]], expected: list[tuple[str, float]]
) -> None:
    states = [state_row(*row) for row in rows]
    for row in states:
        ingest_rows(home, "users", row)
    assert stored_rows(home, "users", "country", "event_timestamp") == [
        (name, day(day_number)) for name, day_number in expected
    ]
    single_import = Home(tmp_path / "at once")
    ingest_rows(single_import, "users", *states)
    assert_frame_equal(scan(home, "users").collect(), scan(single_import, "users").collect())
    content_before = content(home.raw("users"))
    ingest_rows(home, "users", *states[::-1])
    assert content(home.raw("users")) == content_before


@pytest.mark.parametrize("seed", SEEDS)
def test_states_in_any_delivery(home: Home, tmp_path: Path, seed: int) -> None:
    """The stored rows give the same as-of answers as all reported rows, although some were left out."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in KEYS:
        for _ in range(rng.integers(1, 8)):
            event = 8 * int(rng.integers(8))  # over two months
            rows.append(state_row(str(rng.choice(["SE", "DE"])), event, event + 8 * int(rng.integers(4)), user))
    for delivery in deliveries(rng, rows):
        ingest_rows(home, "users", *delivery)
    single_import = Home(tmp_path / "at once")
    ingest_rows(single_import, "users", *rows)
    stored = scan(home, "users").collect()
    assert_frame_equal(stored, scan(single_import, "users").collect())
    content_before = content(home.raw("users"))
    for delivery in deliveries(rng, rows):
        ingest_rows(home, "users", *delivery)
    assert content(home.raw("users")) == content_before
    for user in KEYS:
        reported = [row for row in rows if row["user_id"] == user]
        kept = stored.filter(pl.col("user_id") == user).to_dicts()
        for moment in range(0, 60, 8):
            for known_at in range(0, 90, 8):
                assert country_as_of(kept, day(moment), day(known_at)) == country_as_of(
                    reported, day(moment), day(known_at)
                ), (user, moment, known_at)


def test_a_snapshot_that_says_nothing_new_leaves_the_table_alone(home: Home) -> None:
    users = [state_row("SE", 1, 1, user) for user in KEYS]
    ingest_rows(home, "users", *users)
    table = home.raw("users") / "part-0.parquet"
    bytes_before = table.read_bytes()
    for number in range(2, 40, 6):
        ingest_rows(home, "users", *(state_row("SE", number, number, user) for user in KEYS))
    assert table.read_bytes() == bytes_before
    left_out = LeftOut(TABLES["users"], home.raw("users"))
    assert left_out.read().height == 7 * len(KEYS)
    assert left_out.read(day(30))["event_timestamp"].min() == day(32)


def test_what_somebody_removed_stays_removed(home: Home) -> None:
    ingest_rows(home, "plays", play_row("x", 1), play_row("y", 2), play_row("x", 1, "bob"), play_row("y", 2, "bob"))
    ingest_rows(
        home,
        "users",
        state_row("SE", 1, 1),
        state_row("SE", 2, 2),
        state_row("SE", 1, 1, "bob"),
        state_row("SE", 2, 2, "bob"),
    )
    for path in home.root.glob("raw/*/**/part-0.parquet"):
        pl.read_parquet(path, glob=False, hive_partitioning=False).filter(pl.col("user_id") != "ann").write_parquet(
            path
        )
    ingest_rows(home, "plays", play_row("z", 3, "bob"))
    ingest_rows(home, "users", state_row("NO", 1.5, 3, "bob"))
    assert stored_rows(home, "plays", "user_id", "artist_id") == [("bob", "z")]
    assert stored_rows(home, "users", "user_id", "country") == [("bob", country) for country in ("SE", "NO", "SE")]
