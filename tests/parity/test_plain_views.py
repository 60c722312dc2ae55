"""Plain Feast views in a project: everything that takes a feature table takes the files of somebody else, too."""

import io
import json
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from fastapi.testclient import TestClient
from feast.data_source import PushMode
from typer.testing import CliRunner

from feature_repo import clock
from feature_repo.contract import contract_of
from feature_repo.errors import StoreError
from feature_repo.home import Home
from feature_repo.manifest import load_service, load_sources
from feature_repo.materialize import forget
from feature_repo.project import PROJECT
from feature_repo.store import open_store
from feature_repo.stores import redis_server
from inference.features import OnlineFeatures
from inference.monitoring.lookups import LookupLog
from tests.parity.shop_project import FILES
from tests.processes import run_python
from tests.projects import imports_undone, write_project

BEGIN, DAYS, STORES, CUSTOMERS = datetime(2026, 3, 1, tzinfo=UTC), 45, 12, 30
END = BEGIN + timedelta(days=DAYS)


def store_rows(days: int = DAYS) -> pl.DataFrame:
    """Facts of the stores, measured every third day; store 11 closes early, so that its rows grow too old."""
    rng = np.random.default_rng(5)
    rows = [
        {
            "store_no": store,
            "rating": float(np.round(rng.uniform(1, 5), 3)),
            "employees": int(rng.integers(3, 30)),
            "town": "Ulm" if store % 2 else "Kiel",
            "measured_at": BEGIN + timedelta(days=day, hours=5),
            "loaded_at": BEGIN + timedelta(days=day, hours=5 + 48 * (store == 3)),
        }
        for day in range(0, days, 3)
        for store in range(STORES)
        if store != 11 or day < 9
    ]
    return pl.DataFrame(rows).with_columns(pl.col("measured_at", "loaded_at").dt.cast_time_unit("ms"))


def traffic_rows() -> pl.DataFrame:
    """Visitors of the stores, counted once a week."""
    rows = [
        {"store_no": store, "visitors": 100 * store + day, "counted_at": BEGIN + timedelta(days=day)}
        for day in range(0, DAYS, 7)
        for store in range(STORES)
    ]
    return pl.DataFrame(rows).with_columns(loaded_at=pl.col("counted_at"))


def order_rows() -> pl.DataFrame:
    """Orders; more are returned in stores of a poor rating."""
    rng = np.random.default_rng(9)
    count = 1_500
    stores = rng.integers(0, STORES, count)
    times = [BEGIN + timedelta(seconds=float(second)) for second in np.sort(rng.uniform(0, DAYS * 86_400, count))]
    return pl.DataFrame(
        {
            "order_id": [f"o{number}" for number in range(count)],
            "customer_id": [f"c{number}" for number in rng.integers(0, CUSTOMERS, count)],
            "store_no": stores,
            "cents": rng.integers(100, 9_000, count),
            "returned": rng.random(count) < 0.1 + 0.6 * (stores % 3 == 0),
            "event_timestamp": times,
            "created_timestamp": times,
        }
    ).with_columns(
        pl.col("event_timestamp", "created_timestamp").dt.cast_time_unit("us"), platform_id=pl.lit("default")
    )


def command(*arguments: str, check: bool = True) -> str:
    """Runs a command in a process of its own; returns its output."""
    return run_python("-m", *arguments, check=check).stdout


PUSHED = 77
"""A store that only a push brings; tests share the project, in any order."""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """The shop: its files written, its orders imported, built, applied and online."""
    from transforms.raw.ingest import Batch, ingest

    folder = write_project(tmp_path_factory.mktemp("shop [1]"), FILES)
    (folder / "files" / "traffic").mkdir(parents=True)
    store_rows().write_parquet(folder / "files" / "stores.parquet")
    traffic_rows().write_parquet(folder / "files" / "traffic" / "rows.parquet")
    with pytest.MonkeyPatch.context() as patch, imports_undone():
        patch.setenv(PROJECT, str(folder))
        patch.delenv("REFRAIN_HOME", raising=False)
        patch.delenv("REFRAIN_TENANT", raising=False)
        patch.setenv(clock.NOW, END.isoformat())
        home = Home.from_env()
        ingest(home, "test", [Batch("orders", order_rows())])
        command("transforms", "build")
        command("feature_repo", "apply")
        command("feature_repo", "materialize")
        yield home
        redis_server.stop(home)


def test_views_and_feature_tables_are_told_apart(shop: Home) -> None:
    contract = contract_of(shop)
    assert set(contract.views) == {"customer_orders", "store_facts", "store_traffic"}
    assert set(contract.feature_tables) == {"customer_orders"}
    assert set(contract.on_demand_views) == {"customer_load", "rating_doubled"}
    assert set(contract.services) == {"order_v1", "store_native"}
    assert {path.name for path in (shop.root / "features").glob("[a-z]*")} == {"customer_orders"}
    folder = shop.project_folder
    assert folder is not None
    assert load_sources(shop) == {
        "store_facts": str(folder / "files" / "stores.parquet"),
        "store_traffic": str(folder / "files" / "traffic"),
    }


def test_a_service_of_feasts_own_is_left_to_feast(shop: Home) -> None:
    assert set(json.loads(shop.manifest.read_text())["services"]) == {"order_v1"}
    store = open_store(shop)
    rows = store.get_online_features(store.get_feature_service("store_native"), {"store_no": [2, 11]}).to_dict()
    newest = store_rows().filter(store_no=2).sort("measured_at")["rating"][-1]
    assert rows["rating"] == [newest, None]  # the rows of store 11 are older than the ttl
    assert rows["doubled"] == [2 * newest, None]
    spine = pa.table({"store_no": [2, 11], "event_timestamp": pa.array([END] * 2, pa.timestamp("us", "UTC"))})
    pulled = store.get_historical_features(spine, store.get_feature_service("store_native")).to_df()
    assert pulled.sort_values("store_no")["rating"].to_list()[0] == newest
    assert pulled.sort_values("store_no")["doubled"].to_list()[0] == 2 * newest


def test_files_of_a_plain_view_that_are_gone_or_damaged(shop: Home) -> None:
    """No remedy names a build, which does not write them."""
    from training.datasets import training_set

    folder = shop.project_folder
    assert folder is not None
    path = folder / "files" / "stores.parquet"
    before, query = path.read_bytes(), {"customer_id": ["c1"], "store_no": [7], "event_timestamp": [END]}
    damages: dict[str, Callable[[], object]] = {
        "Parquet": lambda: path.write_bytes(b"nothing"),
        "rating": lambda: store_rows().drop("rating").write_parquet(path),
        "none": path.unlink,
    }
    try:
        for message, damage in damages.items():
            damage()
            with pytest.raises(StoreError, match=message) as caught:
                training_set("order_v1", query, home=shop).to_polars()
            assert "build" not in caught.value.next_command
            assert str(path) in str(caught.value)
    finally:
        path.write_bytes(before)


def spine(moments: int = 40) -> pl.DataFrame:
    rng = np.random.default_rng(2)
    return pl.DataFrame(
        {
            "customer_id": [f"c{number}" for number in rng.integers(0, CUSTOMERS + 2, moments)],
            "store_no": rng.integers(0, STORES + 1, moments),
            "event_timestamp": [BEGIN + timedelta(hours=float(hour)) for hour in rng.uniform(0, DAYS * 24, moments)],
        }
    )


def expected_facts(moment: datetime, store: int, *, as_known: bool) -> dict[str, Any] | None:
    """The facts of a store at a moment, looked up row by row."""
    rows = [
        row
        for row in store_rows().iter_rows(named=True)
        if row["store_no"] == store
        and moment - timedelta(days=10) <= row["measured_at"] <= moment
        and (not as_known or row["loaded_at"] <= moment)
    ]
    return max(rows, key=lambda row: row["measured_at"], default=None)


@pytest.mark.parametrize("as_known", [False, True])
@pytest.mark.parametrize("form", ["frame", "csv", "parquet"])
def test_a_training_set(shop: Home, tmp_path: Path, form: str, as_known: bool) -> None:
    from training.datasets import training_set

    given: Any = spine()
    if form == "csv":
        given = tmp_path / "spine.csv"
        spine().write_csv(given)
    if form == "parquet":
        given = tmp_path / "spine.parquet"
        spine().with_columns(pl.col("store_no").cast(pl.String)).write_parquet(given)
    data = training_set("order_v1", given, home=shop, as_known=as_known).to_polars()
    assert data.schema["store_no"] == pl.Int64
    for row in data.iter_rows(named=True):
        facts = expected_facts(row["event_timestamp"], row["store_no"], as_known=as_known) or {}
        for name in ("rating", "employees", "town"):
            assert row[f"store_facts__{name}"] == facts.get(name), row
        orders, employees = row["customer_orders__orders_7d"], facts.get("employees")
        load = None if orders is None or employees is None else orders / employees
        assert row["customer_load__per_employee"] == load
    assert data["store_traffic__visitors"].drop_nulls().len() > 30


def test_all_keys_of_windowed_and_plain_views(shop: Home) -> None:
    from training.datasets import all_keys

    spine_of_keys = all_keys("order_v1", None, END, home=shop)
    rows = pl.DataFrame(spine_of_keys.table.to_table())
    assert set(rows["store_no"].drop_nulls()) - {PUSHED} == set(range(STORES))
    assert set(rows["customer_id"].drop_nulls()) == {f"c{number}" for number in range(CUSTOMERS)}


def test_online_is_offline_and_http_is_online(shop: Home) -> None:
    from inference.api.app import create_app
    from training.datasets import training_set

    customers, stores = [f"c{number}" for number in range(CUSTOMERS)], [number % 13 for number in range(CUSTOMERS)]
    table = {"customer_id": customers, "store_no": stores, "event_timestamp": [END] * CUSTOMERS}
    offline = training_set("order_v1", table, home=shop).to_polars()
    keys: dict[str, list[Any]] = {"customer_id": customers, "store_no": stores}
    online = OnlineFeatures("order_v1", shop).get(keys)
    for name, _ in online.service.features:
        assert list(online.values[name]) == offline[name].to_list(), name
    with TestClient(create_app(home=shop, access="open")) as client:
        response = client.post("/v1/features/order_v1", json={"keys": keys})
    assert response.status_code == 200, response.text
    assert response.json()["values"] == {name: offline[name].to_list() for name, _ in online.service.features}


def test_the_doctor_and_lint(shop: Home) -> None:
    report = command("feature_repo", "doctor", check=False)
    assert "nothing to mend" in report, report
    assert "3 views compared" in report
    findings = command("feature_repo", "lint", check=False)
    assert "0 errors" in findings, findings


def test_freshness(shop: Home) -> None:
    from inference.monitoring.freshness import FreshnessReader

    newest = {view.view: view.newest_event for view in FreshnessReader(shop).read()}
    measured = store_rows()["measured_at"].max()
    assert isinstance(measured, datetime)
    assert newest["store_facts"] == measured.timestamp()
    assert set(newest) == {"customer_orders", "store_facts", "store_traffic"}


def look_up(home: Home) -> None:
    log = LookupLog(home, 1.0)
    features = OnlineFeatures("order_v1", home, log=log)
    for first in range(0, CUSTOMERS, 10):
        customers = [f"c{number}" for number in range(first, first + 10)]
        features.get({"customer_id": customers, "store_no": [number % 13 for number in range(10)]})
    log.flush()
    assert not log.left_out


def test_the_audit_and_the_monitoring_report(shop: Home) -> None:
    from inference.monitoring.watch import watch
    from training.__main__ import app
    from training.audit.replay import audit

    look_up(shop)
    result = audit("order_v1", home=shop)
    assert {feature.name: feature.causes for feature in result.features if feature.different} == {}
    assert len(result.features) == len(load_service(shop, "order_v1").features)
    answer = CliRunner().invoke(app, ["audit", "order_v1"])
    assert answer.exit_code == 0, answer.output
    report = watch(shop, days=1, now=END + timedelta(minutes=1))
    assert [comparison.name for comparison in report.services] == ["order_v1"]


def test_a_key_is_forgotten_and_comes_back(shop: Home) -> None:
    keys: dict[str, list[Any]] = {"customer_id": ["c1"], "store_no": [2]}
    features = OnlineFeatures("order_v1", shop)
    assert "2 rows erased" in command("feature_repo", "forget", "store_no", "2")
    assert features.get(keys).values["store_facts__rating"] == [None]
    command("feature_repo", "materialize")
    assert features.get(keys).values["store_facts__rating"][0] is not None


def train(home: Home) -> Any:
    from training.models.find import models
    from training.pipeline.models import run_model

    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        return run_model(home, models(home)["return_model"])


@pytest.mark.journeys
def test_a_model_is_trained_again_when_the_files_of_a_plain_view_change(shop: Home) -> None:
    from inference.rows import RowModel
    from training import promotions
    from training.explain.lookup_cost import lookup_cost

    first, second = train(shop), train(shop)
    assert (first.version, first.cached) == (1, False)
    assert (second.version, second.cached) == (1, True)
    folder = shop.project_folder
    assert folder is not None
    path = folder / "files" / "stores.parquet"
    before = path.read_bytes()
    try:
        store_rows(DAYS - 3).write_parquet(path)
        changed = train(shop)
    finally:
        path.write_bytes(before)
    assert (changed.version, changed.cached) == (2, False)
    assert train(shop).version == 1  # the files are as before
    promotions.promote(shop, "return_model", 1)
    predicted = RowModel.load("return_model", shop).predict({"customer_id": ["c1", "c2"], "store_no": [3, 4]})
    assert predicted.values[0] > predicted.values[1]  # stores of three return more
    costs = lookup_cost(shop, ["order_v1"])
    assert set(costs) == {"customer_orders", "store_facts", "store_traffic"}
    assert all(cost.row_bytes for cost in costs.values())


@pytest.mark.journeys
def test_deploying_depends_on_the_files_of_plain_views(shop: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its commands run on the project of the data folder, whatever the environment names."""
    from training.pipeline.lifecycle import MLPipeline
    from training.pipeline.stage import Stages

    monkeypatch.delenv(PROJECT)
    folder = shop.project_folder
    assert folder is not None
    added = folder / "files" / "traffic" / "more.parquet"
    stages = Stages(shop)
    try:
        for _ in range(2):
            MLPipeline._deploy(shop, stages, None)
        traffic_rows().head(1).with_columns(store_no=pl.lit(78), counted_at=pl.lit(END)).write_parquet(added)
        MLPipeline._deploy(shop, stages, None)
    finally:
        added.unlink()
    assert [stage.cached for stage in stages.done] == [False, True, False]
    keys: dict[str, list[Any]] = {"customer_id": ["c1"], "store_no": [78]}
    assert OnlineFeatures("order_v1", shop).get(keys).values["store_traffic__visitors"] == [0]


def test_cleaning_keeps_the_files_of_others(shop: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even files in the data folder, and where Refrain's own would lie."""
    from feature_repo.clean import clean

    copy = Home(tmp_path / "data", shop.tenant, shop.project_folder)
    kept = [copy.root / "raw" / "stores" / "tenant=default" / "rows.parquet", copy.root / "anomaly" / "mine.parquet"]
    for path in (*kept, copy.features("customer_orders") / "date=2026-03-01" / "part-0.parquet"):
        path.parent.mkdir(parents=True)
        store_rows().write_parquet(path)
    sources = {"stores": str(kept[0]), "mine": str(copy.root / "anomaly" / "*.parquet")}
    copy.manifest.write_text(json.dumps({"sources": sources}))
    clean(copy)
    assert sorted(path for path in copy.root.rglob("*") if path.is_file()) == sorted(kept)


def test_rows_that_are_pushed_to_a_stream_view_are_online_and_offline(shop: Home) -> None:
    from training.datasets import training_set

    store, moment = open_store(shop), END - timedelta(hours=1)
    rows = pd.DataFrame({"store_no": [PUSHED], "visitors": [5], "counted_at": [moment], "loaded_at": [moment]})
    keys: dict[str, list[Any]] = {"customer_id": ["c1"], "store_no": [PUSHED]}
    assert shop.project_folder is not None
    files = shop.project_folder / "files" / "traffic"
    before = set(files.iterdir())
    try:
        store.push("store_traffic_push", rows, to=PushMode.ONLINE_AND_OFFLINE)
        assert OnlineFeatures("order_v1", shop).get(keys).values["store_traffic__visitors"] == [5]
        data = training_set("order_v1", {**keys, "event_timestamp": [END]}, home=shop).to_polars()
        assert data["store_traffic__visitors"].to_list() == [5]
    finally:  # other tests have the rows of before
        for path in set(files.iterdir()) - before:
            path.unlink()
        forget(shop, "store_no", PUSHED)
