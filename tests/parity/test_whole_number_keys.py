"""Keys of whole numbers, from a CSV file to a lookup: training set, slim lookup, Feast, a push, an erasure."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from feast.data_source import PushMode
from typer.testing import CliRunner

from feature_repo.contract import contract_of
from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.materialize import forget
from feature_repo.project import PROJECT
from feature_repo.store import open_store
from feature_repo.stores import redis_server
from inference.features import OnlineFeatures
from refrain.checking.services import publish
from refrain.cli import app
from tests.projects import imports_undone, write_project
from training.datasets import training_set
from transforms.batch.build import build

FILES = {
    "refrain.toml": """
        name = "numbered"
        definitions = ["numbered_features"]

        [imports.orders]
        time = "ordered_at"
        """,
    "numbered_features.py": """
        from refrain import Count, EventSource, LastN, Max, Sum, TopK, WindowedTable, service

        orders = EventSource(
            "orders",
            columns={"customer_no": "Int64", "order_no": "Int64", "due": "Date", "paid": "Bool", "cents": "Int64"},
            key=("customer_no", "order_no"),
        )
        features = {
            "orders": Count(),
            "spent": Sum("cents"),
            "recent": LastN("order_no", n=2, times=False),
            "payments": LastN("paid", n=2, times=False),
            "prices": TopK("cents", k=1),
            "latest_due": Max("due"),
        }
        customer_orders = WindowedTable("customer_orders", "Orders", orders, ("customer_no",), ("28d",), features)
        day_orders = WindowedTable("day_orders", "Orders", orders, ("customer_no", "due"), ("28d",), {"n": Count()})
        orders_v1 = service("orders_v1", "What is known of a customer", "customer_orders", "day_orders: n_28d")
        """,
    "orders.csv": """\
        customer_no,order_no,due,paid,cents,ordered_at
        7,1001,2026-03-09,true,250,2026-03-01T10:00:00
        7,1002,2026-03-04,false,250,2026-03-02T10:00:00
        -8,1003,,true,9223372036854775807,2026-03-02T11:00:00
        -8,1004,2026-03-09,,9223372036854775807,2026-03-02T12:00:00
        9,1005,2026-02-30,true,100,2026-03-02T12:00:00
        """,
}
NOW = datetime(2026, 3, 4, tzinfo=UTC)
SEVEN = {
    "customer_orders__orders_28d": 2,
    "customer_orders__spent_28d": 500,
    "customer_orders__recent_28d": [1002, 1001],
    "customer_orders__payments_28d": [False, True],
    "customer_orders__prices_28d": [250],
    "customer_orders__prices_counts_28d": [2],
    "customer_orders__latest_due_28d": "2026-03-09",
    "day_orders__n_28d": 1,
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    folder = write_project(tmp_path_factory.mktemp("numbered"), FILES)
    with pytest.MonkeyPatch.context() as patch, imports_undone():
        patch.setenv(PROJECT, str(folder))
        patch.delenv("REFRAIN_HOME", raising=False)
        home = Home.from_env()
        imported = CliRunner().invoke(app, ["import", "table", str(folder / "orders.csv"), "--as", "orders"])
        assert imported.exit_code == 0, imported.output
        assert "due          dates" in imported.output
        assert "no day such as 2026-03-01" in imported.output
        build(home, NOW)
        publish(home, contract_of(home), ["orders_v1"], NOW)
        yield home
        redis_server.stop(home)


def test_the_type_of_the_key_is_everywhere(shop: Home) -> None:
    rows = pl.scan_parquet(shop.root / "features" / "customer_orders" / "**" / "*.parquet").collect()
    assert rows.schema["customer_no"] == pl.Int64
    assert set(rows["customer_no"]) == {7, -8}
    view = open_store(shop).get_feature_view("customer_orders")
    assert {column.name: str(column.dtype) for column in view.entity_columns} == {"customer_no": "Int64"}


@pytest.mark.parametrize("number", [7, "7", 7.0])
def test_a_key_finds_its_row_as_a_number_and_as_a_text(shop: Home, number: object) -> None:
    online = OnlineFeatures("orders_v1", shop).get({"customer_no": [number], "due": ["2026-03-04"]})
    values = {name: column[0] for name, column in online.values.items()}
    assert {name: list(v) if isinstance(SEVEN[name], list) else v for name, v in values.items()} == SEVEN
    spine = {"customer_no": [number], "due": ["2026-03-04"], "event_timestamp": [NOW]}
    offline = training_set("orders_v1", spine, home=shop).to_polars()
    assert offline.select(sorted(SEVEN)).to_dicts() == [dict(sorted(SEVEN.items()))]
    assert offline["customer_no"].to_list() == [7]


def test_sums_beyond_64_bits_are_the_largest_number(shop: Home) -> None:
    online = OnlineFeatures("orders_v1", shop).get({"customer_no": [-8], "due": ["2026-03-09"]})
    assert online.values["customer_orders__spent_28d"][0] == 2**63 - 1
    assert list(online.values["customer_orders__payments_28d"][0]) == [True]


def test_feast_finds_the_same_rows(shop: Home) -> None:
    store = open_store(shop)
    service, entity = store.get_feature_service("orders_v1"), {"customer_no": [7], "due": ["2026-03-04"]}
    rows = store.get_online_features(service, entity, full_feature_names=True).to_dict()
    assert {name: rows[name][0] for name in SEVEN} == SEVEN
    spine = pa.table({**entity, "event_timestamp": pa.array([NOW], pa.timestamp("us", "UTC"))})
    pulled = store.get_historical_features(spine, service, full_feature_names=True).to_arrow()
    assert pulled.select(list(SEVEN)).to_pylist() == [SEVEN]


def test_a_push_and_an_erasure_take_numbers(shop: Home) -> None:
    row = {"customer_no": 77, "event_timestamp": NOW + timedelta(days=1), "created_timestamp": NOW + timedelta(days=1)}
    features = {name.partition("__")[2]: value for name, value in SEVEN.items() if name.startswith("customer")}
    pushed = pl.DataFrame([{**row, **features}]).to_pandas()
    open_store(shop).push("customer_orders_push", pushed, to=PushMode.ONLINE)
    lookup = OnlineFeatures("orders_v1", shop)
    assert lookup.get({"customer_no": [77], "due": [None]}).values["customer_orders__spent_28d"][0] == 500
    forget(shop, "customer_no", "77")
    assert lookup.get({"customer_no": [77], "due": [None]}).values["customer_orders__spent_28d"][0] is None


def test_a_key_of_two_types_is_one_clear_error(tmp_path: Path) -> None:
    from feature_repo.contract import Contract
    from feature_repo.project import Project

    text = """
        from feast import Entity, ValueType
        from refrain import Count, EventSource, WindowedTable

        customer = Entity(name="customer", join_keys=["customer_no"], value_type=ValueType.STRING)
        orders = EventSource("orders", columns={"customer_no": "Int64"}, key=("customer_no",))
        orders_now = WindowedTable("orders_now", "Orders", orders, ("customer_no",), ("1d",), {"n": Count()})
        """
    toml = 'name = "two"\ndefinitions = ["two_types"]\n'
    folder = write_project(tmp_path, {"refrain.toml": toml, "two_types.py": text})
    with (
        imports_undone(),
        pytest.raises(InputError, match="the type INT64 of 'customer_no'.*found STRING in the entity"),
    ):
        _ = Contract(Project.load(folder)).views
