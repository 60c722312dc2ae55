"""What a raw table holds is a function of all that was told: not of the order, the files or how often they came."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from feature_repo.home import Home
from feature_repo.windows import plays
from transforms.raw import TABLES
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


def play(artist: str, created: float, user: str = "ann") -> Row:
    """One telling of a user's one play."""
    times = {"event_timestamp": MOMENT, "created_timestamp": MOMENT + timedelta(hours=created)}
    return {"user_id": user, "track_id": "s", "artist_id": artist, **times}


def state(country: str, event: float, created: float, user: str = "ann") -> Row:
    return {"user_id": user, "country": country, "event_timestamp": day(event), "created_timestamp": day(created)}


def put(home: Home, table: str, *rows: Row) -> None:
    ingest(home, "test", [Batch(table, pl.DataFrame(rows, infer_schema_length=None))])


def stand(home: Home, table: str, *columns: str) -> list[tuple]:
    return scan(home, table).select(columns).collect().rows()


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("part-0.*"))}


def deliveries(chance: np.random.Generator, rows: list[Row]) -> Iterator[list[Row]]:
    """Each row at least once, in groups, in any order, some again."""
    order = [*chance.permutation(len(rows)), *chance.integers(len(rows), size=len(rows) // 2)]
    cuts = np.sort(chance.integers(len(order), size=4))
    for places in np.split(np.array(order), cuts):
        if len(places):
            yield [rows[place] for place in places]


def newest_telling(rows: list[Row]) -> tuple[str, datetime]:
    """The words that were told last, and since when they have been told without others in between."""
    tellings = sorted({(row["created_timestamp"], row["artist_id"]) for row in rows})
    since, words = tellings[-1]
    for created, other in reversed(tellings):
        if other != words:
            break
        since = created
    return words, since


def answer(rows: list[Row], at: datetime, known: datetime) -> str | None:
    """What a loop over rows says of a state at a moment, as known at another."""
    counted = [row for row in rows if row["event_timestamp"] <= at and row["created_timestamp"] <= known]
    newest = max(
        counted, key=lambda row: (row["event_timestamp"], row["created_timestamp"], row["country"]), default={}
    )
    return newest.get("country")


def test_a_correction_that_goes_back_is_the_newest_telling(home: Home) -> None:
    tellings = [play("x", 1), play("y", 2), play("x", 3)]
    for number in range(1, 4):
        put(home, "plays", tellings[number - 1])
        assert stand(home, "plays", "artist_id") == [(tellings[number - 1]["artist_id"],)]
    before = content(home.root)
    for again in (tellings, tellings[:1], tellings[1:2], tellings[::-1]):
        put(home, "plays", *again)
        assert content(home.root) == before
    assert stand(home, "plays", "artist_id", "created_timestamp") == [("x", tellings[2]["created_timestamp"])]


def test_a_telling_in_force_keeps_the_time_it_was_first_known(home: Home) -> None:
    for created in (2, 5, 9):
        put(home, "plays", play("x", created))
    assert stand(home, "plays", "created_timestamp") == [(play("x", 2)["created_timestamp"],)]
    put(home, "plays", play("y", 7))  # told late: the last telling of x is a correction of it
    assert stand(home, "plays", "artist_id", "created_timestamp") == [("x", play("x", 9)["created_timestamp"])]


@pytest.mark.parametrize("seed", SEEDS)
def test_events_in_any_delivery(home: Home, seed: int) -> None:
    chance = np.random.default_rng(seed)
    rows = [
        play(str(chance.choice(["x", "y", "z"])), int(chance.integers(6)), user)
        for user in KEYS
        for _ in range(chance.integers(1, 7))
    ]
    for some in deliveries(chance, rows):
        put(home, "plays", *some)
    before = content(home.raw("plays"))
    expected = [(user, *newest_telling([row for row in rows if row["user_id"] == user])) for user in KEYS]
    assert sorted(stand(home, "plays", "user_id", "artist_id", "created_timestamp")) == expected
    for some in deliveries(chance, rows):
        put(home, "plays", *some)
    assert content(home.raw("plays")) == before


@pytest.mark.parametrize("seed", SEEDS)
def test_events_of_the_stream_in_any_delivery(home: Home, seed: int) -> None:
    """By the gate, whose reader starts again now and then."""
    chance = np.random.default_rng(seed)
    rows = [
        play(str(chance.choice(["x", "y", "z"])), int(chance.integers(6)), user)
        for user in KEYS
        for _ in range(chance.integers(1, 7))
    ]
    now, gate = int(day(20).timestamp() * 1e6), Gate(plays, 1 << 50)
    for some in [*deliveries(chance, rows), *deliveries(chance, rows)]:
        told = [RawEvent("plays", json.dumps(row, default=datetime.isoformat).encode()) for row in some]
        log = gate.accept(told, 0, now, arrived=None).to_log()
        if log is not None:
            ingest(home, "stream", [Batch("plays", pl.DataFrame(log))])
        if chance.random() < 0.5:
            gate = Gate(plays, 1 << 50)
            gate.remember(remembered(home))
    expected = [(user, *newest_telling([row for row in rows if row["user_id"] == user])) for user in KEYS]
    assert sorted(stand(home, "plays", "user_id", "artist_id", "created_timestamp")) == expected


def remembered(home: Home) -> list[tuple]:
    folder = home.raw("plays") / f"date={MOMENT.date()}"
    times = [pl.col(name).dt.timestamp("us") for name in ("event_timestamp", "created_timestamp")]
    frames = (scan(home, "plays").collect(), LeftOut(TABLES["plays"], folder).read())
    return [row for frame in frames for row in frame.select(*times, *plays.columns).iter_rows()]


def test_an_event_without_a_created_time_is_told_once_in_each_words() -> None:
    """That it comes again later does not make it a correction."""
    gate, now = Gate(plays, 1 << 50), int(day(20).timestamp() * 1e6)

    def accept(artist: str, arrived: float, **more: str) -> str:
        row = {"user_id": "ann", "track_id": "s", "artist_id": artist, "event_timestamp": MOMENT.isoformat(), **more}
        told = RawEvent("plays", json.dumps(row).encode())
        counts = gate.accept([told], 0, now, arrived=int(day(arrived).timestamp() * 1e6)).counts
        return next(name for name, count in counts.items() if count)

    found = [accept(artist, arrived) for artist, arrived in (("x", 10), ("y", 11), ("x", 12), ("y", 13))]
    assert found == ["accepted", "amended", "duplicate", "duplicate"]
    assert accept("x", 14, created_timestamp=day(12).isoformat()) == "amended"
    assert accept("x", 15, created_timestamp=day(12).isoformat()) == "duplicate"


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
    states = [state(*row) for row in rows]
    for row in states:
        put(home, "users", row)
    assert stand(home, "users", "country", "event_timestamp") == [(name, day(at)) for name, at in expected]
    at_once = Home(tmp_path / "at once")
    put(at_once, "users", *states)
    assert_frame_equal(scan(home, "users").collect(), scan(at_once, "users").collect())
    before = content(home.raw("users"))
    put(home, "users", *states[::-1])
    assert content(home.raw("users")) == before


@pytest.mark.parametrize("seed", SEEDS)
def test_states_in_any_delivery(home: Home, tmp_path: Path, seed: int) -> None:
    """Whatever was left out, the rows that stand answer every question as a loop over all of them does."""
    chance = np.random.default_rng(seed)
    rows = []
    for user in KEYS:
        for _ in range(chance.integers(1, 8)):
            event = 8 * int(chance.integers(8))  # over two months
            rows.append(state(str(chance.choice(["SE", "DE"])), event, event + 8 * int(chance.integers(4)), user))
    for some in deliveries(chance, rows):
        put(home, "users", *some)
    at_once = Home(tmp_path / "at once")
    put(at_once, "users", *rows)
    standing = scan(home, "users").collect()
    assert_frame_equal(standing, scan(at_once, "users").collect())
    before = content(home.raw("users"))
    for some in deliveries(chance, rows):
        put(home, "users", *some)
    assert content(home.raw("users")) == before
    for user in KEYS:
        mine = [row for row in rows if row["user_id"] == user]
        left = standing.filter(pl.col("user_id") == user).to_dicts()
        for at in range(0, 60, 8):
            for known in range(0, 90, 8):
                assert answer(left, day(at), day(known)) == answer(mine, day(at), day(known)), (user, at, known)


def test_a_snapshot_that_says_nothing_new_leaves_the_table_alone(home: Home) -> None:
    users = [state("SE", 1, 1, user) for user in KEYS]
    put(home, "users", *users)
    table = home.raw("users") / "part-0.parquet"
    before = table.read_bytes()
    for number in range(2, 40, 6):
        put(home, "users", *(state("SE", number, number, user) for user in KEYS))
    assert table.read_bytes() == before
    left_out = LeftOut(TABLES["users"], home.raw("users"))
    assert left_out.read().height == 7 * len(KEYS)
    assert left_out.read(day(30))["event_timestamp"].min() == day(32)


def test_what_somebody_removed_stays_removed(home: Home) -> None:
    put(home, "plays", play("x", 1), play("y", 2), play("x", 1, "bob"), play("y", 2, "bob"))
    put(home, "users", state("SE", 1, 1), state("SE", 2, 2), state("SE", 1, 1, "bob"), state("SE", 2, 2, "bob"))
    for path in home.root.glob("raw/*/**/part-0.parquet"):
        pl.read_parquet(path, glob=False, hive_partitioning=False).filter(pl.col("user_id") != "ann").write_parquet(
            path
        )
    put(home, "plays", play("z", 3, "bob"))
    put(home, "users", state("NO", 1.5, 3, "bob"))
    assert stand(home, "plays", "user_id", "artist_id") == [("bob", "z")]
    assert stand(home, "users", "user_id", "country") == [("bob", country) for country in ("SE", "NO", "SE")]
