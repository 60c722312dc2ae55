"""Plays with columns of their episodes: stream, batch run and oracle agree; late rows are corrected, and only these."""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from feature_repo import clock, retractions
from feature_repo.contract import contract_of
from feature_repo.events import Names, append
from feature_repo.home import Home
from feature_repo.packed.address import Address
from feature_repo.stores import redis_server
from refrain.checking import batch as checking
from refrain.checking import oracle
from tests.enriched import DAYS, RAW, SOURCES, START, TABLES
from tests.live import assert_same, batch, online, server_of
from tests.projects import imports_undone, write_project
from transforms import feature_tables
from transforms.batch.build import build
from transforms.batch.report import ViewReport
from transforms.raw.ingest import Batch, ingest
from transforms.stream.batch_boundary import archive
from transforms.stream.log import Log
from transforms.stream.reader import Reader, Settings
from transforms.stream.sources import Stream

Row = dict[str, Any]
DEFINITIONS = """
    from tests.enriched import SOURCES, TABLES

    TABLES = tuple(TABLES.values())
    """


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    toml = 'name = "podcasts"\ndefinitions = ["enriched_plays"]\n'
    with imports_undone():
        yield write_project(
            tmp_path_factory.mktemp("podcasts"), {"refrain.toml": toml, "enriched_plays.py": DEFINITIONS}
        )


@pytest.fixture
def home(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    monkeypatch.setenv("REFRAIN_PROJECT", str(project))
    monkeypatch.setenv("REFRAIN_HOME", str(tmp_path / "home"))
    home = Home(tmp_path / "home", project_folder=project)
    yield home
    redis_server.stop(home)


def at(day: float) -> datetime:
    return START + timedelta(days=day)


def episode(number: int, day: float, show: str, category: str, *, late: float = 0.0, price: float = 0.2) -> Row:
    return {
        "event_timestamp": at(day),
        "created_timestamp": at(day + late),
        "episode": number,
        "show": show,
        "category": category,
        "price": price,
        "score": 0.3,
        "minutes": 20,
        "explicit": False,
        "remark": "",
    }


def play(listener: str, number: int | None, day: float) -> Row:
    moment = at(day)
    return {"event_timestamp": moment, "created_timestamp": moment, "listener": listener, "heard": number, "ms": 5}


def world(seed: int) -> dict[str, list[Row]]:
    """Plays, and rows of episodes and shows that change meanwhile."""
    rng = random.Random(seed)
    plays = [
        play(rng.choice("uvw"), rng.choice([1, 1, 2, 3, None]), rng.randrange(DAYS * 86_400) / 86_400)
        for _ in range(80)
    ]
    episodes = [
        episode(rng.choice([1, 2]), rng.randrange(DAYS * 24) / 24, rng.choice("st"), rng.choice(["news", "art"]))
        for _ in range(12)
    ]
    shows = [
        {"event_timestamp": at(day), "created_timestamp": at(day), "show": show, "publisher": publisher}
        for show, day, publisher in (("s", 0.0, "p"), ("t", 1.5, "q"), ("s", 3.25, "q"))
    ]
    ratings = [
        {"event_timestamp": at(day), "created_timestamp": at(day), "stars": stars, "episode": number, "rater": rater}
        for rater, number, day, stars in (("u", 1, 0.0, 3), ("v", 1, 1.0, 4), ("u", 2, 2.0, 5), ("u", 1, 4.0, 1))
    ]
    every = {"plays": plays, "episodes": episodes, "shows": shows, "ratings": ratings}
    identity = {source.name: source.key for source in SOURCES}
    return {
        name: sorted(
            {(row["event_timestamp"], *(row[key] for key in identity[name])): row for row in rows}.values(),
            key=lambda row: row["event_timestamp"],
        )
        for name, rows in every.items()
    }


def store(home: Home, rows: Mapping[str, Sequence[Row]]) -> None:
    for name, own_rows in rows.items():
        ingest(home, "test", [Batch(name, pl.DataFrame(own_rows, schema_overrides=RAW[name].columns))])


def send(home: Home, rows: Sequence[tuple[str, Row]]) -> None:
    events = [(name, json.dumps(row, default=datetime.isoformat).encode()) for name, row in rows]
    append(server_of(home), Names(home.project), events)


def read(home: Home) -> None:
    Reader(home, Address.from_env(), Stream, Settings(follows="events", until_idle=True, batch=23), say=str).run()


def check_batch(home: Home, rows: Mapping[str, Sequence[Row]]) -> None:
    for name, table in contract_of(home).windowed.items():
        difference = checking.compare(table, checking.built(home, table), rows, "default")
        assert difference is None, (name, difference)


def check_online(home: Home, rows: Mapping[str, Sequence[Row]]) -> None:
    """The online rows equal those of the batch run and of the definition."""
    newest = max(row["event_timestamp"] for own_rows in rows.values() for row in own_rows)
    moment = oracle.micros(newest) + 1
    for name, table in contract_of(home).windowed.items():
        found = online(home, name)
        edge = moment - moment % table.unit
        events = [oracle.enriched(table, {**one, "platform_id": "default"}, rows) for one in rows["plays"]]
        counted = [event for event in events if oracle.micros(event["event_timestamp"]) < edge]
        by_key = checking.events_by_key(table, counted)
        expected = {key: oracle.values(table, counted, dict(zip(table.keys, key, strict=True)), edge) for key in by_key}
        assert_same(table, found, expected)
        assert_same(table, found, {key: row for key, row in batch(home, name, moment).items() if key in by_key})


def rebuilt(reports: Mapping[str, ViewReport]) -> set[float]:
    """Days that a build computed again, counted from the first."""
    return {(day - START.date()).days for report in reports.values() for day in report.rebuilt}


def newest_rows(home: Home, name: str) -> pl.DataFrame:
    identity = [*TABLES[name].keys, "event_timestamp"]
    rows = feature_tables.scan(home, name).collect().sort("created_timestamp")
    return rows.unique(identity, keep="last").drop("created_timestamp").sort(identity)


def test_a_late_row_changes_the_days_from_its_own_on(home: Home) -> None:
    rows, end, changed = world(1), at(DAYS + 10), 3 + 1 / 1_440
    rows["plays"].append(play("u", 1, changed))
    store(home, rows)
    build(home, end)
    before = {name: feature_tables.scan(home, name).collect() for name in TABLES}
    assert not rebuilt(build(home, end))
    first = rows["episodes"][0]
    moment = first["event_timestamp"] + timedelta(minutes=1)
    store(
        home,
        {"episodes": [{**first, "remark": "nobody takes it", "event_timestamp": moment, "created_timestamp": at(9)}]},
    )
    assert not rebuilt(build(home, end))
    late = episode(1, changed, "t", "late", late=8.0)
    rows["episodes"].append(late)
    store(home, {"episodes": [late]})
    with clock.stopped(end + timedelta(days=1)):
        assert min(rebuilt(build(home, end))) == 3
    check_batch(home, rows)
    created = []
    for name, versions in before.items():
        after = feature_tables.scan(home, name).collect()
        kept = versions.join(after, on=versions.columns, how="anti", nulls_equal=True)
        assert kept.is_empty(), "the versions before stay as they were"
        created += after.join(versions, on=after.columns, how="anti", nulls_equal=True)["created_timestamp"].to_list()
    assert min(created) >= at(11), "as known before the late row arrived, nothing has changed"


def test_rows_built_one_by_one_are_those_built_at_once(home: Home, project: Path, tmp_path: Path) -> None:
    rows = world(2)
    every = [(name, row) for name, own_rows in rows.items() for row in own_rows]
    random.Random(3).shuffle(every)
    for start in range(0, len(every), 35):
        for name, row in every[start : start + 35]:
            store(home, {name: [row]})
        if (home.raw("plays")).is_dir():
            build(home, at(DAYS + 2))
    other = Home(tmp_path / "other", project_folder=project)
    store(other, rows)
    build(other, at(DAYS + 2))
    for name in TABLES:
        values = newest_rows(home, name)
        closed = values.join(newest_rows(other, name), on=[*TABLES[name].keys, "event_timestamp"], how="anti")
        found = values.join(closed, on=[*TABLES[name].keys, "event_timestamp"], how="anti")
        assert_frame_equal(found, newest_rows(other, name))


def test_a_restarted_reader_goes_on_with_the_rows_of_before(home: Home) -> None:
    rows = world(4)
    # of equal times, the row of a dimension arrives first
    every = [(name, row) for name, own_rows in rows.items() for row in own_rows]
    every.sort(key=lambda one: (one[1]["event_timestamp"], one[0] == "plays"))
    for start, stop in ((0, 40), (40, 70), (70, len(every))):
        part = every[start:stop]
        send(home, [*part, *part[:5]])
        read(home)
        archive(home, Log(server_of(home), Names(home.project)))
        build(home)
        check_online(home, {name: [row for kind, row in every[:stop] if kind == name] for name in rows})


@pytest.mark.parametrize(("is_built", "by_stream"), [(True, True), (False, True), (False, False)])
def test_what_the_stream_knew_too_late_is_corrected(home: Home, is_built: bool, by_stream: bool) -> None:
    """Plays counted for a show and as free, until a late row says that they were of another one and paid."""
    rows = {
        "episodes": [episode(1, 0.0, "wrong", "art"), episode(2, 0.0, "s", "news")],
        "shows": [],
        "ratings": [],
        "plays": [play("u", 1, 1.1), play("v", 1, 1.2), play("v", 2, 1.3), play("u", None, 2.5)],
    }
    send(home, [(name, row) for name, own_rows in rows.items() for row in own_rows])
    read(home)
    assert online(home, "by_show").keys() == {("wrong",), ("s",)}
    assert online(home, "free")["v",]["plays"] == 2
    archive(home, Log(server_of(home), Names(home.project)))
    if is_built:
        build(home)
    late = episode(1, 0.5, "right", "art", price=0.7)
    rows["episodes"].append(late)
    if by_stream:
        send(home, [("episodes", late)])
        read(home)
    else:  # before any tile has the plays
        store(home, {"episodes": [late]})
    archive(home, Log(server_of(home), Names(home.project)))
    build(home)
    read(home)
    assert not retractions.list_files(home, "by_show")
    check_online(home, rows)
    assert online(home, "by_show").keys() == {("right",), ("s",)}
    assert online(home, "free")["v",]["plays"] == 1


def test_the_stream_takes_rows_however_old_they_are(home: Home) -> None:
    """A row older than the lateness counts for later plays; a correction of it does, too."""
    send(home, [("episodes", episode(2, 2.0, "s", "news")), ("plays", play("u", 1, 2.5)), ("plays", play("u", 2, 2.5))])
    read(home)
    assert online(home, "live")["u",]["unknown_1h"] == 1
    old = episode(1, 0.5, "s", "art")
    send(home, [("episodes", old), ("plays", play("v", 1, 2.6))])
    read(home)
    assert online(home, "live")["v",]["last_1h"] == "art"
    corrected = {**old, "category": "news", "created_timestamp": at(2.65)}
    send(home, [("episodes", corrected), ("plays", play("v", 1, 2.7))])
    read(home)
    assert online(home, "live")["v",]["last_1h"] == "news"
