"""Private counts: paid once, drawn once, the same wherever they are read, and of nobody alone."""

import json
import math
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from feature_repo import clock
from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.private_counts import PrivateCounts
from feature_repo.project import PROJECT
from feature_repo.stores import redis_server
from refrain.cli import app
from tests.projects import outside_projects, write_project
from tests.worlds import apply, copy_tree
from training.private.differential import counts, zcdp
from training.private.differential.budget import Budget
from training.private.differential.contributions import Bounds
from training.private.differential.counts import Plan, exact_counts, noisy_counts
from training.private.differential.ledger import BudgetSpent, Ledger
from training.private.differential.ledger_lines import LedgerDamaged
from training.private.differential.publish import Release, declarations, publish, releases_of
from transforms import feature_tables
from transforms.batch.build import build
from transforms.raw.ingest import Batch, ingest
from transforms.raw.read import scan

DEFINITIONS = """
from feast import Entity, ValueType

from feature_repo.private_counts import PrivateCounts
from feature_repo.service import service
from feature_repo.windows import Count, EventSource, WindowedTable

visits = EventSource("visits", columns={"user_id": "String", "town": "String"}, key=("user_id", "town"))
user_visits = WindowedTable(
    name="user_visits", about="Visits", source=visits, keys=("user_id",), windows=("1d",), features={"visits": Count()}
)
town = Entity(name="town", join_keys=["town"], value_type=ValueType.STRING)
town_visits = PrivateCounts("town_visits", "Visits of a town", "visits", "town", 2, 3, 900.0, 1e-6, top=3)
view = town_visits.view(town)
towns_v1 = service("towns_v1", "Towns", "town_visits")
"""
FIRST = date(2026, 3, 1)
DAYS = 3


def visits() -> pl.DataFrame:
    """Visits of three days: 30 people in Ulm on all, 20 in Bonn on the first two, one in Lauf, some all over."""
    rows = []
    for day in range(DAYS):
        for person in range(30):
            rows += [(f"u{person:03}", "Ulm", day, minute) for minute in range(1 + person % 5)]
            rows += [(f"u{person:03}", "Bonn", day, 60)] if person < 20 and day < 2 else []
        rows += [("u000", "Lauf", day, minute) for minute in range(9)]
    return pl.DataFrame(
        {
            "user_id": [row[0] for row in rows],
            "town": [row[1] for row in rows],
            "event_timestamp": [
                datetime(2026, 3, 1 + row[2], 8, tzinfo=UTC) + timedelta(minutes=row[3], seconds=number % 50)
                for number, row in enumerate(rows)
            ],
        }
    ).with_columns(created_timestamp=pl.col("event_timestamp"))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A built data folder of a project with private counts; read only."""
    folder = tmp_path_factory.mktemp("private")
    write_project(folder / "project", {"refrain.toml": 'name = "towns"\ndefinitions = ["towns_defs"]\n'})
    (folder / "project" / "towns_defs.py").write_text(DEFINITIONS)
    with pytest.MonkeyPatch.context() as patch, outside_projects(patch):
        home = point_at(Home(folder / "home", project_folder=folder / "project"), patch)
        ingest(home, "test", [Batch("visits", visits())])
        build(home)
        apply(home)
        yield home


def point_at(home: Home, patch: pytest.MonkeyPatch) -> Home:
    patch.setenv(PROJECT, str(home.project_folder))
    patch.setenv("REFRAIN_HOME", str(home.root))
    patch.setenv(clock.NOW, "2026-03-04T00:00:00")
    return home


@pytest.fixture
def towns(built: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A copy of it, with a budget."""
    copy_tree(built.root, tmp_path / "home", ("redis*",))
    home = point_at(Home(tmp_path / "home", project_folder=built.project_folder), monkeypatch)
    Ledger.open(home).set(Budget("analytics", "month", 900.0, 1e-6, people=100))
    yield home
    redis_server.stop(home)


def counts_of(home: Home) -> PrivateCounts:
    return declarations(home)["town_visits"]


def table(home: Home) -> pl.DataFrame:
    return feature_tables.scan(home, "town_visits").collect().sort("event_timestamp", "town")


def spends(home: Home) -> int:
    return sum(entry["kind"] == "spend" for entry in Ledger.open(home).entries())


def naive(rows: list[tuple[str, str]]) -> dict[str, tuple[int, int]]:
    """Town → visits and people, person by person: the two towns with most visits, at most three visits each."""
    totals: Counter[str] = Counter()
    people: Counter[str] = Counter()
    for person in {person for person, _ in rows}:
        own = Counter(town for one, town in rows if one == person)
        hashes = dict(zip(own, pl.Series(list(own), dtype=pl.String).hash(7), strict=True))
        for town in sorted(own, key=lambda town: (-own[town], hashes[town]))[:2]:
            totals[town] += min(own[town], 3)
            people[town] += 1
    return {town: (totals[town], people[town]) for town in totals}


def test_counts_are_bounded_person_by_person_and_no_person_changes_them_more(
    towns: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared, day = counts_of(towns), FIRST
    frame = scan(towns, "visits").filter(pl.col("event_timestamp").dt.date() == day).collect()
    bounds = Bounds(declared.items, declared.value)

    def exact(rows: pl.DataFrame) -> dict[str, tuple[int, int]]:
        monkeypatch.setattr(counts, "scan_files", lambda *_: rows.lazy())
        return {town: (events, people) for town, events, people in exact_counts(towns, declared, day).rows()}

    whole = exact(frame)
    assert whole == naive(frame.select("user_id", "town").rows())
    for person in frame["user_id"].unique():
        rest = exact(frame.filter(pl.col("user_id") != person))
        change = [np.subtract(whole[town], rest.get(town, (0, 0))) for town in whole]
        assert sum(int(events) ** 2 for events, _ in change) <= bounds.squared_l2
        assert sum(int(people) ** 2 for _, people in change) <= declared.items
        assert rest.keys() <= whole.keys()


def test_noise_is_of_the_plan_and_a_key_of_one_person_is_not_published(towns: Home) -> None:
    declared = counts_of(towns)
    plan = Plan.of(declared)
    assert zcdp.rho_of(plan.events_sigma, Bounds(2, 3).l2) + zcdp.rho_of(plan.people_sigma, Bounds(2).l2) <= plan.rho
    assert math.isclose(31 * plan.rho, zcdp.rho(900.0, 5e-7), rel_tol=1e-6)
    exact = pl.DataFrame({"town": ["Bonn", "Lauf", "Ulm"], "events": [5_000, 3, 9_000], "people": [4_000, 1, 7_000]})
    wide = PrivateCounts("wide", "Visits", "visits", "town", 2, 3, 1.0, 1e-6)
    draws = [noisy_counts(exact, wide, Plan.of(wide), np.random.default_rng(seed)) for seed in range(300)]
    assert {tuple(draw["town"]) for draw in draws} == {("Bonn", "Ulm")}
    assert {tuple(draw["rank"]) for draw in draws} == {(2, 1)}
    spread = np.std([draw["events"][0] for draw in draws])
    assert abs(spread / Plan.of(wide).events_sigma - 1) < 0.15
    assert abs(np.std([draw["people"][0] for draw in draws]) / Plan.of(wide).people_sigma - 1) < 0.15
    largest = noisy_counts(exact, replace(wide, top=1), Plan.of(wide), np.random.default_rng(0))
    assert largest.rows() == [(1, "Ulm", *draws[0].rows()[1][2:])]


def test_a_day_is_paid_once_and_drawn_once_whatever_is_built_again(towns: Home) -> None:
    published = list(publish(towns, since=FIRST))
    assert [release.day for release in published] == [date(2026, 3, day) for day in (1, 2, 3)]
    assert [[row[0] for row in release.rows] for release in published] == [["Bonn", "Ulm"], ["Bonn", "Ulm"], ["Ulm"]]
    before, cost = table(towns), spends(towns)
    assert cost == DAYS
    shutil.rmtree(towns.features("town_visits"))
    shutil.rmtree(towns.raw("visits") / "date=2026-03-02")  # as an erasure does it
    build(towns)
    assert list(publish(towns, since=FIRST)) == []
    assert table(towns).equals(before)
    assert spends(towns) == cost
    assert releases_of(towns, "town_visits") == published


def test_rows_carry_the_guarantee_and_a_key_that_is_gone_is_missing(towns: Home) -> None:
    published = list(publish(towns, since=FIRST))
    rows = table(towns)
    assert rows.select("town", "visits", "people", "rank").rows()[:4] == [
        (town, visits, people, rank) for release in published[:2] for town, visits, people, rank in release.rows
    ]
    assert rows.filter(pl.col("event_timestamp") == datetime(2026, 3, 4, tzinfo=UTC))["visits"].is_null().to_list() == [
        True,
        False,
    ]
    statement = published[0].statement
    assert set(rows["epsilon"]) == {statement.epsilon}
    assert set(rows["delta"]) == {1e-6}
    assert rows["visits_sigma"].is_not_null().all()
    assert statement.unit == "person"
    assert statement.people == 100
    assert statement.epsilon == zcdp.epsilon(statement.rho, 1e-6 - statement.failure)


def test_the_same_value_offline_and_online(towns: Home) -> None:
    from feature_repo.materialize import materialize
    from refrain import OnlineFeatures, training_set

    (release,) = publish(towns)
    materialize(towns, None, say=lambda text: None)
    online = OnlineFeatures("towns_v1", towns).get({"town": ["Ulm", "Bonn"]}).values
    spine = {"town": ["Ulm", "Bonn"], "event_timestamp": ["2026-03-04T00:00:00Z"] * 2}
    offline = training_set("towns_v1", spine, home=towns).to_polars()
    (row,) = release.rows
    for name, value in (("visits", row[1]), ("people", row[2]), ("epsilon", release.statement.epsilon)):
        column = f"town_visits__{name}" if f"town_visits__{name}" in offline.columns else name
        assert offline[column].to_list() == [value, None]
        assert np.asarray(online[column], float)[0] == value


def test_days_before_the_end_of_a_budget_are_published(towns: Home) -> None:
    Ledger.open(towns).set(Budget("analytics", "month", 80.0, 1e-6))
    for _ in range(2):
        with pytest.raises(BudgetSpent, match="what is left of the budget of analytics of 2026-03"):
            list(publish(towns, since=FIRST))
        assert [release.day for release in releases_of(towns, "town_visits")] == [FIRST]
        assert table(towns)["event_timestamp"].n_unique() == 1


def test_a_changed_declaration_counts_for_days_that_are_not_published(
    towns: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = list(publish(towns, since=date(2026, 3, 3)))
    changed = PrivateCounts("town_visits", "Visits of a town", "visits", "town", 2, 3, 450.0, 1e-6)
    monkeypatch.setattr("training.private.differential.publish.declarations", lambda *_: {"town_visits": changed})
    later = list(publish(towns, since=FIRST))
    assert [release.day.day for release in later] == [1, 2]
    assert later[0].statement.rho < first[0].statement.rho
    assert releases_of(towns, "town_visits") == [*later, *first]


def test_without_a_budget_or_a_declaration_nothing_is_published(
    towns: Home, built: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="town_visits"):
        list(publish(towns, ["streets"]))
    assert list(declarations(towns)) == ["town_visits"]
    with pytest.raises(BudgetSpent, match="found none"):
        list(publish(point_at(built, monkeypatch)))
    assert table(built).is_empty()
    with pytest.raises(InputError, match="private counts bad"):
        PrivateCounts("bad", "Nothing", "visits", "town", 0, 1, 1.0, 1e-6)


def test_an_answer_that_is_gone_is_an_error_and_the_commands_say_so(towns: Home) -> None:
    def run(*words: str, code: int = 0) -> str:
        result = CliRunner().invoke(app, ["privacy", *words])
        assert result.exit_code == code, (result.output, result.exception)
        return result.output

    options = ("--epsilon", "800", "--delta", "1e-7", "--period", "lifetime")
    assert "all: ε 800, δ 1e-07 for a lifetime" in run("budget", "set", "all", *options)
    shown = run("publish", "--since", "2026-03-02")
    assert "town_visits  2026-03-03  1 keys  ε = " in shown
    assert "2 published; next: refrain materialize" in shown
    assert "nothing was due" in run("publish")
    assert "town_visits: 2 days published" in run("show")
    facts = [json.loads(line) for line in run("show", "--json").splitlines()]
    assert [fact["keys"] for fact in facts] == [2, 1]
    assert all(fact["unit"] == "person" and fact["epsilon"] > 0 for fact in facts)
    budgets = [json.loads(line) for line in run("budget", "show", "--json").splitlines()]
    assert [budget["purpose"] for budget in budgets] == ["all", "analytics", None]
    assert budgets[-1]["releases"] == 2
    assert "6 lines, each continues the one before it" in run("budget", "log")
    assert [json.loads(line)["number"] for line in run("budget", "log", "--json").splitlines()] == [1, 2, 3, 4, 5, 6]
    assert "a day such as 2026-11-01" in run("publish", "--since", "today", code=1)
    Ledger.open(towns).spend("analytics", 0.02, "a model")
    assert "a model: ε 0.9  δ 1e-06  ρ 0.02 a person" in run("show")
    assert "a model" not in run("show", "town_visits")
    assert json.loads(run("show", "--json").splitlines()[-1])["what"] == "a model"
    for answer in (towns.privacy / "answers").iterdir():
        answer.unlink()
    with pytest.raises(LedgerDamaged, match="never|restore"):
        releases_of(towns, "town_visits")


def test_the_bundled_counts_are_published_where_a_project_names_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toml = 'name = "radio"\nextends = ["music"]\ndefinitions = ["feature_repo.private_features"]\n'
    write_project(tmp_path / "project", {"refrain.toml": toml})
    home = point_at(Home(tmp_path / "home", project_folder=tmp_path / "project"), monkeypatch)
    assert list(declarations(home)) == ["private_country_plays", "private_track_plays"]
    assert {"private_country_plays", "private_track_plays"} <= set(feature_tables.tables(home))
    day = datetime(2026, 3, 3, 12, tzinfo=UTC)
    users = pl.DataFrame({"user_id": ["a", "a", "b"], "country": ["DE", "FR", "DE"]}).with_columns(
        event_timestamp=pl.Series([day - timedelta(days=9), day - timedelta(days=1), day - timedelta(days=9)]),
        created_timestamp=pl.lit(day),
    )
    plays = pl.DataFrame({"user_id": ["a"] * 30 + ["b"] * 2 + ["c"], "track_id": ["t"] * 33}).with_columns(
        event_timestamp=pl.Series([day + timedelta(seconds=7 * number) for number in range(33)]),
        created_timestamp=pl.lit(day + timedelta(hours=1)),
        artist_id=pl.lit("x"),
        ms_played=pl.lit(1_000, pl.Int64),
        skipped=pl.lit(False),
        context=pl.lit("album"),
        device=pl.lit("phone"),
    )
    monkeypatch.setattr(counts, "scan", lambda *_: users.lazy())
    monkeypatch.setattr(counts, "scan_files", lambda *_: plays.lazy())
    exact = exact_counts(home, declarations(home)["private_country_plays"], day.date())
    assert exact.rows() == [("DE", 2, 1), ("FR", 20, 1)]
    assert exact_counts(home, declarations(home)["private_track_plays"], day.date()).rows() == [("t", 5, 3)]


def test_an_answer_is_read_as_it_was_written(towns: Home) -> None:
    (release,) = publish(towns)
    from training.private.differential.releases import Releases

    answer = Releases.open(towns).kept("town_visits 2026-03-03")
    assert Release.parse(answer or b"") == release
