"""After a run of the retention nothing counts a row that is gone, and all windows of the kept history are as before."""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from feature_repo import clock
from feature_repo.contract import contract_of
from feature_repo.days import days_in
from feature_repo.doctor import examine
from feature_repo.errors import InputError, StoreError
from feature_repo.home import Home
from feature_repo.horizon import TOO_OLD, Horizons, midnight_after
from feature_repo.materialize import materialize
from feature_repo.stores import redis_server
from inference.events import EventWriter
from refrain.cli import app
from refrain.person.erasure.run import erase
from refrain.retention import run as retention_run
from refrain.retention.journal import Journal, last, unfinished
from refrain.retention.plan import aged
from refrain.retention.run import run
from tests.live import online
from tests.worlds import apply_once
from training.datasets.history import KeptHistory, kept_history, of_kept_history
from training.datasets.point_in_time import training_set
from transforms.batch.build import build
from transforms.raw.ingest import Batch, ingest
from transforms.raw.read import scan

ZERO = datetime(2026, 3, 1, tzinfo=UTC)
END = ZERO + timedelta(days=42, hours=9)
KEPT = timedelta(days=33)
HORIZON = END - KEPT
PROJECT = """
name = "shop"
extends = ["music"]
[retention]
plays = "33d"
feedback = "33d"
tags = "33d"
texts = "33d"
users = "33d"
audit_log = "20d"
lookups = "20d"
training_sets = "20d"
"""


def rows(seed: int = 5) -> dict[str, pl.DataFrame]:
    """Plays, tags, texts, feedback and profiles of nine listeners in 42 days; one of them only in the first eight."""
    rng = np.random.default_rng(seed)
    count, day = 400, 86_400_000_000
    who = rng.integers(0, 8, count)
    times = np.sort(rng.integers(0, 42 * day, count))
    who[times < 8 * day] = rng.integers(0, 9, int((times < 8 * day).sum()))
    moments = pl.Series(int(ZERO.timestamp() * 1e6) + times).cast(pl.Datetime("us", "UTC"))
    plays = pl.DataFrame(
        {
            "user_id": [f"listener-{number}" for number in who],
            "track_id": [f"song-{number}" for number in rng.integers(0, 12, count)],
            "artist_id": [f"band-{number}" for number in rng.integers(0, 4, count)],
            "ms_played": rng.integers(1_000, 300_000, count),
            "skipped": rng.random(count) < 0.2,
            "event_timestamp": moments,
        }
    )
    sample = plays[::12]
    users = [
        {"user_id": f"listener-{number}", "country": country, "event_timestamp": ZERO + timedelta(days=day_number)}
        for number in range(9)
        for day_number, country in ((0, "SE"), (2, "NO"), (number * 4 + 3, "DK"))
    ]
    return {
        "plays": plays,
        "users": pl.DataFrame(users),
        "tags": sample.select("user_id", "artist_id", "event_timestamp", tag=pl.lit("quiet")),
        "texts": sample.select(
            "event_timestamp",
            text_id=pl.format("text {}", pl.int_range(pl.len())),
            entity=pl.lit("track"),
            entity_id="track_id",
            kind=pl.lit("review"),
            text=pl.format("a fine song, number {}", pl.int_range(pl.len())),
            language=pl.lit("en"),
            author_id="user_id",
        ),
        "feedback": sample.select("user_id", "track_id", "event_timestamp", action=pl.lit("like")),
    }


def store(home: Home, tables: dict[str, pl.DataFrame], source: str = "test") -> None:
    ingest(home, source, [Batch(name, frame) for name, frame in tables.items()])


def kept(tables: dict[str, pl.DataFrame], horizon: datetime = HORIZON) -> dict[str, pl.DataFrame]:
    """The rows at or after a moment, and the newest state of each listener before it: an independent filter."""
    result = {name: frame.filter(pl.col("event_timestamp") >= horizon) for name, frame in tables.items()}
    users = tables["users"].sort("event_timestamp")
    before = users.filter(pl.col("event_timestamp") < horizon).group_by("user_id", maintain_order=True).last()
    result["users"] = pl.concat([before.select(users.columns), result["users"]])
    return result


def digests(home: Home, *rooms: str) -> dict[str, str]:
    """File → digest of its bytes, of raw tables, tiles and feature tables."""
    files = [p for room in rooms or ("raw", "tiles", "features") for p in (home.root / room).rglob("*.parquet")]
    own = [path for path in files if "retracted" not in path.parts]
    return {str(path.relative_to(home.root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(own)}


def home_in(folder: Path, project: str = PROJECT) -> Home:
    (folder / "shop").mkdir(parents=True, exist_ok=True)
    (folder / "shop" / "refrain.toml").write_text(project)
    return Home(folder / "home", project_folder=folder / "shop")


def settle(home: Home, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("REFRAIN_HOME", str(home.root))
    patch.setenv("REFRAIN_PROJECT", str(home.project_folder))
    patch.setenv(clock.NOW, END.isoformat())


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Home, Home]]:
    """Two built worlds at their end: with all rows, and with those alone that are kept, whose history begins there."""
    folder = tmp_path_factory.mktemp("retention")
    world, other = home_in(folder / "all"), home_in(folder / "kept")
    with pytest.MonkeyPatch.context() as patch:
        settle(world, patch)
        store(world, rows())
        store(other, kept(rows()))
        Horizons(dict.fromkeys(("plays", "feedback", "tags", "texts", "users"), HORIZON)).save(other)
        for home in (world, other):
            build(home, END)
        yield world, other


@pytest.fixture
def world(built: tuple[Home, Home], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    home = home_in(tmp_path)
    shutil.copytree(built[0].root, home.root)
    settle(home, monkeypatch)
    return home


@pytest.fixture(scope="module")
def cut(built: tuple[Home, Home], tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The world after a run that was killed after each of its steps, and repeated until it was done."""
    home = home_in(tmp_path_factory.mktemp("cut"))
    shutil.copytree(built[0].root, home.root)
    with pytest.MonkeyPatch.context() as patch:
        settle(home, patch)
        for step in ("remove_aged", "remove_derived", "aged_records", "build"):
            with patch.context() as one:
                one.setattr(retention_run, step, partial(_killed, getattr(retention_run, step)))
                with pytest.raises(KeyboardInterrupt):
                    run(home, END)
            assert unfinished(home) and not last(home)
        run(home, END)
    return home


def _killed(step: Callable, *arguments: object, **options: object) -> None:
    step(*arguments, **options)
    raise KeyboardInterrupt


@pytest.fixture
def cut_world(cut: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    home = home_in(tmp_path)
    shutil.copytree(cut.root, home.root)
    settle(home, monkeypatch)
    return home


def features(home: Home, view: str) -> pl.DataFrame:
    files = [path for day in days_in(home.features(view)).values() for path in sorted(Path(day).glob("*.parquet"))]
    keys = list(contract_of(home).windowed[view].keys)
    frames = [pl.read_parquet(path, hive_partitioning=False) for path in files]
    return pl.concat(frames, how="vertical").sort([*keys, "event_timestamp", "created_timestamp"])


def as_of(frame: pl.DataFrame, keys: list[str], moment: datetime) -> pl.DataFrame:
    """The newest row of each key at a moment, without its times."""
    known = frame.filter(pl.col("event_timestamp") <= moment).sort("event_timestamp", "created_timestamp")
    return known.unique(keys, keep="last").drop("event_timestamp", "created_timestamp").sort(keys)


def whole_from(home: Home, view: str) -> datetime:
    day = Horizons.of(home).whole_from(contract_of(home).windowed[view])
    assert day is not None
    return datetime.combine(day, datetime.min.time(), UTC)


def test_all_is_as_if_history_had_begun_at_the_horizon(cut_world: Home, built: tuple[Home, Home]) -> None:
    assert digests(built[0]) != digests(built[1]) == digests(cut_world)
    journal = last(cut_world)
    assert journal is not None and not unfinished(cut_world)
    assert journal.counts["plays"] == rows()["plays"].filter(pl.col("event_timestamp") < HORIZON).height
    assert not any(item.count or item.quarantined for item in aged(cut_world, END))
    assert run(cut_world, END).counts == {}
    build(cut_world, END)
    assert digests(cut_world) == digests(built[1])


def test_windows_of_the_kept_history_are_as_before(cut: Home, built: tuple[Home, Home]) -> None:
    world, cut_files, files = built[0], digests(cut, "features"), digests(built[0], "features")
    events = scan(cut, "plays").collect()
    compared = 0
    for name, table in contract_of(cut).windowed.items():
        if table.source.name != "plays" or table.remembers or "platform_id" in table.keys:
            continue
        whole = whole_from(cut, name)
        after, keys = features(cut, name), list(table.keys)
        for moment in (whole, whole + timedelta(days=2, hours=5), END):
            now_rows = as_of(after, keys, moment)
            of_kept = features(world, name).join(events.filter(pl.col("event_timestamp") < moment), on=keys, how="semi")
            assert now_rows.equals(as_of(of_kept, keys, moment)), (name, moment)
            compared += now_rows.height
        later = {p: d for p, d in files.items() if f"/{name}/" in p and p.split("date=")[-1][:10] >= str(whole.date())}
        assert later and later.items() <= cut_files.items(), name
    assert compared > 100


def test_a_second_run_a_day_later_is_as_one_run(
    cut_world: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = END + timedelta(days=1)
    monkeypatch.setenv(clock.NOW, later.isoformat())
    build(cut_world, later)
    run(cut_world, later)
    other = home_in(tmp_path / "other")
    store(other, kept(rows(), HORIZON + timedelta(days=1)))
    Horizons(Horizons.of(cut_world).moments).save(other)
    build(other, later)
    assert digests(cut_world, "raw") == digests(other, "raw")
    for name in contract_of(cut_world).windowed:
        if days_in(cut_world.features(name)):
            assert features(cut_world, name).equals(features(other, name)), name


def test_older_events_are_left_out_and_late_ones_within_are_counted(cut_world: Home) -> None:
    report = ingest(cut_world, "again", [Batch("plays", rows()["plays"]), Batch("users", rows()["users"])])
    (reason,) = report.tables["plays"].left_out
    assert reason.startswith(TOO_OLD) and report.tables["plays"].added == 0
    assert report.tables["users"].left_out == {}  # a state may hold whatever its age
    late = (
        rows()["plays"]
        .head(1)
        .with_columns(
            event_timestamp=pl.lit(HORIZON + timedelta(days=3)), user_id=pl.lit("late"), ms_played=pl.lit(60_000)
        )
    )
    store(cut_world, {"plays": late}, "late")
    build(cut_world, END)
    found = as_of(features(cut_world, "user_listening"), ["user_id"], whole_from(cut_world, "user_listening"))
    assert found.filter(pl.col("user_id") == "late")["plays_28d"].to_list() == [1]


def test_the_newest_state_before_the_horizon_stays(cut: Home) -> None:
    users = scan(cut, "users").collect().sort("user_id", "event_timestamp")
    expected = kept(rows())["users"].sort("user_id", "event_timestamp")
    assert users.select(expected.columns).equals(expected.cast({"event_timestamp": pl.Datetime("us", "UTC")}))


def test_texts_of_nobody_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = home_in(tmp_path)
    settle(home, monkeypatch)
    texts = rows()["texts"].with_columns(
        author_id=pl.when(pl.int_range(pl.len()) % 2 == 0).then("author_id").otherwise(None)
    )
    store(home, {"texts": texts})
    run(home, END)
    is_kept = pl.col("author_id").is_null() | (pl.col("event_timestamp") >= HORIZON)
    expected = texts.filter(is_kept)["text_id"].to_list()
    assert scan(home, "texts").collect()["text_id"].sort().to_list() == sorted(expected)
    report = ingest(home, "again", [Batch("texts", texts)])
    assert scan(home, "texts").collect().height == len(expected) and report.tables["texts"].added == 0


def plant(home: Home) -> None:
    """Lines of logs on both sides of twenty days, a day that is cut, a quarantined row, and two training sets."""
    edge = END - timedelta(days=20)
    moments = [edge + timedelta(hours=hours) for hours in (-60, -2, 2, 60)]
    for moment in moments:
        folder = home.audit_log / f"date={moment.date()}"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lines.jsonl").open("a") as file:
            file.write(json.dumps({"at": moment.isoformat(), "act": "read"}) + "\n")
        packed = home.lookups("service") / f"date={moment.date()}"
        packed.mkdir(parents=True, exist_ok=True)
        pl.DataFrame({"event_timestamp": [moment]}).write_parquet(packed / f"packed-{moment.hour}.parquet")
    broken = {"user_id": "listener-1", "track_id": "", "event_timestamp": [END - timedelta(days=d) for d in (40, 3)]}
    store(home, {"plays": pl.DataFrame(broken)}, "broken")
    for name, days in (("old", 30), ("young", 10)):
        manifest = home.training_sets / name / "manifest.json"
        manifest.parent.mkdir(parents=True)
        manifest.write_text("{}")
        moment_s = (END - timedelta(days=days)).timestamp()
        os.utime(manifest, (moment_s, moment_s))


def test_records_go_after_their_own_periods_by_the_command(world: Home) -> None:
    plant(world)
    by_name = {item.period.name: item for item in aged(world, END)}
    assert by_name["audit_log"].count == by_name["lookups"].count == 2 and by_name["training_sets"].count == 1
    assert by_name["plays"].quarantined == 1
    runner, before = CliRunner(), digests(world)
    result = runner.invoke(app, ["retention", "show"])
    assert result.exit_code == 0 and re.search(r"plays +33d +refrain.toml \[retention\] +\d+ older", result.output)
    result = runner.invoke(app, ["retention", "run", "--dry-run"])
    assert result.exit_code == 0 and "plays" in result.output and "nothing was changed" in result.output
    assert runner.invoke(app, ["retention", "run"], input="n\n").exit_code == 1 and digests(world) == before
    Journal.start(world, END).save(world)
    assert "was begun and not finished" in runner.invoke(app, ["retention", "show"]).output
    result = runner.invoke(app, ["retention", "run", "--yes"])
    assert result.exit_code == 0 and re.search(r"plays +\d+ removed", result.output)
    content = json.loads(runner.invoke(app, ["retention", "show", "--json"]).output)
    assert content["last_run"] == END.isoformat() and content["kept"]["plays"]["begins"] == HORIZON.isoformat()
    journal = last(world)
    assert journal is not None
    assert journal.counts["audit_log"] == journal.counts["lookups"] == 2
    assert journal.counts["plays in quarantine"] == 1
    lines = [line for path in sorted(world.audit_log.rglob("*.jsonl")) for line in path.read_text().splitlines()]
    assert len(lines) == 2 and all(json.loads(line)["at"] >= (END - timedelta(days=20)).isoformat() for line in lines)
    assert [path.name for path in world.training_sets.iterdir()] == ["young"]
    assert len(list(world.lookups("service").rglob("*.parquet"))) == 2
    (left,) = world.quarantine("plays").glob("*.parquet")
    assert pl.read_parquet(left).height == 1


def test_what_is_online_is_what_is_kept_and_the_doctor_is_content(world: Home) -> None:
    apply_once(world)
    try:
        materialize(world, None, say=lambda _: None)
        assert ("listener-8",) in online(world, "user_listening")
        tracks_before = online(world, "user_history")[("listener-1",)]["track_ids"]
        run(world, END)
        events = scan(world, "plays").collect()
        for name in ("user_listening", "user_history", "user_session"):
            values = online(world, name)
            assert {key for (key,) in values} == set(events["user_id"].unique()), name
        tracks = online(world, "user_history")[("listener-1",)]["track_ids"]
        whole_days = events.filter(pl.col("event_timestamp") < END.replace(hour=0))
        assert set(tracks) == set(whole_days.filter(pl.col("user_id") == "listener-1")["track_id"])
        assert tracks == tracks_before[: len(tracks)]
        history, begins = kept_history(world, ["user_listening", "user_session"]), whole_from(world, "user_listening")
        assert history == KeptHistory(begins, "user_listening")
        spine = pl.DataFrame({"user_id": "listener-1", "event_timestamp": [begins - timedelta(hours=1), END]})
        with pytest.raises(InputError, match="user_listening would count rows that are no longer kept"):
            training_set("user_plays_v1", spine, home=world)
        of_kept = of_kept_history(world, "user_plays_v1", spine)
        assert of_kept.height == 1 and training_set("user_plays_v1", of_kept, home=world).data.height == 1
        body = {"kind": "plays", "events": [_play(HORIZON - timedelta(hours=1)), _play(END)]}
        outcome = EventWriter(world).write(json.dumps(body).encode())
        assert outcome.accepted == 1 and outcome.refused == [(0, TOO_OLD)]
        examination = examine(world, END)
        assert not examination.faults and examination.values > 500
    finally:
        redis_server.stop(world)


def _play(moment: datetime) -> dict[str, str]:
    return {"user_id": "listener-1", "track_id": "song-1", "artist_id": "band-1", "event_timestamp": moment.isoformat()}


def test_a_person_is_erased_from_a_history_that_was_cut(cut_world: Home, tmp_path: Path) -> None:
    erase(cut_world, "user_id", ["listener-3"])
    other = home_in(tmp_path / "other")
    named = {"texts": "author_id"}
    tables = {name: frame.filter(pl.col(named.get(name, "user_id")) != "listener-3") for name, frame in rows().items()}
    store(other, kept(tables))
    Horizons(Horizons.of(cut_world).moments).save(other)
    build(other, END)
    assert digests(cut_world) == digests(other)


def test_all_rows_may_go(world: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    late = END + timedelta(days=100)
    monkeypatch.setenv(clock.NOW, late.isoformat())
    run(world, late)
    assert scan(world, "plays").collect().is_empty() and scan(world, "users").collect().height == 9
    tables = [name for name, table in contract_of(world).windowed.items() if table.source.name == "plays"]
    paths = [
        path
        for name in tables
        for folder in (world.tiles(name), world.features(name))
        for path in folder.rglob("*.parquet")
        if "retracted" not in path.parts
    ]
    assert not [path for path in paths if pl.read_parquet(path, hive_partitioning=False).height]
    assert run(world, late).counts == {}


def test_without_a_period_nothing_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = home_in(tmp_path, 'name = "shop"\nextends = ["music"]\n[retention]\nplays = "forever"\n')
    settle(home, monkeypatch)
    store(home, {"plays": rows()["plays"]})
    before = digests(home)
    assert run(home, END + timedelta(days=30)).counts == {} and digests(home) == before
    assert not Horizons.of(home).moments


def test_a_tenant_has_periods_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = 'name = "shop"\nextends = ["music"]\n[tenants.acme.retention]\nfeedback = "36d"\n'
    home = home_in(tmp_path, text)
    settle(home, monkeypatch)
    acme = Home(home.root, "acme", home.project_folder)
    monkeypatch.setenv("REFRAIN_TENANT", "acme")
    for each in (home, acme):
        store(each, {"feedback": rows()["feedback"]})
    assert {item.period.name: item.period.text for item in aged(acme, END)}["feedback"] == "36d"
    assert run(acme, END).counts["feedback"] == kept_out(36) and run(home, END).counts == {}


def kept_out(days: int) -> int:
    return rows()["feedback"].filter(pl.col("event_timestamp") < END - timedelta(days=days)).height


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ('[retention]\nplayz = "400d"', r"'playz' on line 4.*write plays"),
        ('[retention]\nplays = "20d"', "31 days at least: .* has windows of 28d"),
        ("[retention]\nplays = 20", r'plays as "730d".*line 4'),
        ('[retention]\nplays = "0d"', "730d"),
        ('[retention]\nconsents = "400d"', "nobody knows who has withdrawn.*line 4"),
        ("retention = 5", r"\[retention\] as a section"),
        ('[tenants.acme]\nplays = "400d"', "tenants.acme.retention"),
        ("tenants = 3", "tenants.acme.retention"),
    ],
)
def test_bad_periods_are_named(section: str, message: str, tmp_path: Path) -> None:
    home = home_in(tmp_path, f'name = "shop"\nextends = ["music"]\n{section}\n')
    with pytest.raises(InputError, match=message):
        aged(home, END)


def test_damaged_horizons_are_named(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    Horizons({"plays": END}).save(home)
    assert Horizons.of(home).moments == {"plays": END}
    (home.retention / "horizons.json").write_text("{")
    with pytest.raises(StoreError, match="horizons"):
        Horizons.of(home)


def test_midnights() -> None:
    assert midnight_after(ZERO) == ZERO and midnight_after(ZERO + timedelta(microseconds=1)) == ZERO + timedelta(days=1)
