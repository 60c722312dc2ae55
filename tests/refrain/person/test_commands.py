"""``refrain person`` on a project of its own, whose people are whole numbers."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner, Result

from feature_repo import clock
from feature_repo.forgotten import Forgotten
from feature_repo.home import Home
from feature_repo.project import PROJECT
from refrain.cli import app
from refrain.person.erasure.journal import Journal
from tests.projects import outside_projects, write_project
from transforms.batch.build import build
from transforms.raw.ingest import Batch, ingest

ZERO = datetime(2026, 4, 1, tzinfo=UTC)
FILES = {
    "refrain.toml": """
        name = "shop"
        definitions = ["person_shop"]
        """,
    "person_shop/__init__.py": """
        from feature_repo.windows import Count, EventSource, Sum, WindowedTable

        orders = EventSource(
            "orders", columns={"customer_id": "Int64", "store": "String", "cents": "Int64"}, key=("customer_id",)
        )
        customer_orders = WindowedTable(
            name="customer_orders", about="Orders", source=orders, keys=("customer_id",), windows=("7d",),
            features={"orders": Count(), "cents": Sum("cents")},
        )
        store_orders = WindowedTable(
            name="store_orders", about="Orders", source=orders, keys=("store",), windows=("7d",),
            features={"orders": Count()},
        )
        """,
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    with outside_projects(monkeypatch):
        monkeypatch.setenv(PROJECT, str(write_project(tmp_path / "project", FILES)))
        monkeypatch.setenv("REFRAIN_HOME", str(tmp_path / "data"))
        monkeypatch.setenv(clock.NOW, (ZERO + timedelta(days=3)).isoformat())
        monkeypatch.chdir(tmp_path)
        home = Home.from_env()
        orders = {
            "customer_id": [17, 170, 17, 1],
            "store": ["17", "a", "a", "b"],
            "cents": [1, 17, 3, 170],
            "event_timestamp": [ZERO + timedelta(hours=hour) for hour in range(4)],
        }
        ingest(home, "test", [Batch("orders", pl.DataFrame(orders))])
        build(home)
        yield home


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["person", *words, "--key", "customer_id"])


def test_a_customer_is_found_copied_forgotten(home: Home) -> None:
    before = run("scan", "17")
    assert before.exit_code == 1 and "searched as a value of customer_id only" in before.stdout
    places = json.loads(run("scan", "17", "--json").stdout)["traces"]
    assert {trace["path"].split("/")[0] for trace in places} == {"raw", "tiles", "features"}
    assert run("export", "17", "--out", "copy.zip").exit_code == 0 and Path("copy.zip").is_file()
    assert run("export", "17", "--out", str(home.root)).exit_code == 1
    assert run("export", "17", "--out", "absent/copy.zip").exit_code == 1
    imported = CliRunner().invoke(app, ["import", "person", "copy.zip"])
    assert imported.exit_code == 0 and "2 stored before" in imported.stdout, imported.output
    assert "not forgotten" in run("status", "17").stdout
    forgotten = run("forget", "17", "--yes")
    assert forgotten.exit_code == 0, forgotten.output
    assert "made anew     store_orders" in forgotten.stdout
    assert run("scan", "17").exit_code == 0
    assert "forgotten at 2026-04-04" in run("status", "17").stdout
    left = pl.concat(pl.read_parquet(path) for path in home.raw("orders").rglob("part-0.parquet"))
    assert sorted(left["customer_id"].to_list()) == [1, 170]
    stores = pl.concat(
        pl.read_parquet(path, hive_partitioning=False) for path in home.features("store_orders").rglob("*.parquet")
    )
    assert set(stores["store"]) == {"a", "b"}
    again = ingest(home, "again", [Batch("orders", left.with_columns(customer_id=pl.lit(17)))])
    assert again.tables["orders"].added == 0
    for id_ in (17.0, "017", "17"):
        rows = pl.DataFrame({"customer_id": [id_], "store": "z", "event_timestamp": ZERO})
        assert ingest(home, f"again {id_!r}", [Batch("orders", rows)]).tables["orders"].added == 0


def test_nothing_is_erased_without_a_yes(home: Home) -> None:
    answer = CliRunner().invoke(app, ["person", "forget", "17", "--key", "customer_id"], input="n\n")
    assert answer.exit_code == 1 and run("scan", "17").exit_code == 1


def test_an_unknown_key_and_an_unfinished_erasure_are_errors(home: Home) -> None:
    assert CliRunner().invoke(app, ["person", "forget", "17", "--key", "nobody_id", "--yes"]).exit_code == 1
    for id_ in ("18", "abc", "017x", " ", "\udcff"):
        assert run("forget", id_, "--yes").exit_code == 1, id_
    assert not home.forgotten.exists() and not home.erasures.joinpath("open.json").exists()
    Forgotten.of(home).with_person("customer_id", "17").save(home)
    Journal.start(home, "customer_id", ["17"], clock.now())
    assert run("status", "17").exit_code == 1
    assert run("forget", "17", "--yes").exit_code == 0 and run("status", "17").exit_code == 0
