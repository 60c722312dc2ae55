"""A project of one's own: contracts of its events, its windowed tables, and views over files of somebody else."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
import yaml

from feature_repo import clock
from feature_repo.home import Home
from refrain.data_contract.check import check
from refrain.data_contract.tables import contract_tables
from refrain.data_contract.write import document, write
from tests.projects import imports_undone, write_project
from transforms.data_contracts.binding import folder_of, path_of

FILES = {
    "refrain.toml": 'name = "shop"\ndefinitions = ["contract_shop"]\n',
    "contract_shop.py": """
        from datetime import timedelta

        from feast import Entity, FeatureView, Field, FileSource, ValueType
        from feast.types import Array, Float64, Int64

        from refrain import Count, EventSource, WindowedTable

        orders = EventSource(
            "orders",
            columns={"order_id": "String", "customer_id": "String", "due": "Date", "price": "Float64"},
            key=("order_id",),
            ranges={"price": (0, 100)},
        )
        customer_orders = WindowedTable(
            "customer_orders", "Orders of one customer", orders, ("customer_id",), ("7d",), {"orders": Count()}
        )
        store = Entity(name="store", join_keys=["store_no"], value_type=ValueType.INT64)
        store_facts = FeatureView(
            name="store_facts",
            entities=[store],
            ttl=timedelta(days=365),
            schema=[
                Field(name="store_no", dtype=Int64),
                Field(name="rating", dtype=Float64, description="stars of visitors"),
                Field(name="floors", dtype=Array(Int64)),
            ],
            source=FileSource(name="store_files", path="stores.parquet", timestamp_field="measured_at"),
        )
    """,
}


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """The project, with contracts as they are declared, and a file of stores whose times have no zone."""
    folder = write_project(tmp_path / "shop", FILES)
    monkeypatch.setenv(clock.NOW, "2026-03-06T00:00:00Z")
    home = Home(folder / "data", project_folder=folder)
    rows = {
        "store_no": pl.Series([1, 2, 3], dtype=pl.Int32),
        "rating": [4.5, None, 2.0],
        "floors": [[1, 2], [], None],
        "measured_at": [datetime(2026, 3, day) for day in (1, 2, 3)],
        "more": ["x", "y", "z"],
    }
    pl.DataFrame(rows).write_parquet(folder / "stores.parquet")
    with imports_undone():
        for table in contract_tables(home):
            write(home, table, folder_of(home))
        yield home


def _edited(home: Home, **changes: object) -> None:
    path = path_of(home, "features", "store_facts")
    contract = yaml.safe_load(path.read_text())
    for name, change in changes.items():
        column = next(one for one in contract["schema"][0]["properties"] if one["name"] == name)
        column.update(change)  # type: ignore[call-overload]
    path.write_text(yaml.safe_dump(contract))


def test_a_view_over_files_is_checked(shop: Home) -> None:
    assert {one.status for one in check(shop)} <= {"ok", "not checked"}
    _edited(shop, rating={"logicalTypeOptions": {"minimum": 3}}, floors={"logicalTypeOptions": {"maxItems": 1}})
    bad = [(one.column, one.rows) for one in check(shop, ["store_facts"]) if one.status == "violated"]
    assert bad == [("floors", 1), ("rating", 1)]


def test_freshness_of_times_without_a_zone(shop: Home) -> None:
    path = path_of(shop, "features", "store_facts")
    for days, status in ((2, "violated"), (3, "ok")):
        contract = yaml.safe_load(path.read_text())
        contract["slaProperties"] = [{"property": "freshness", "value": days, "element": "measured_at"}]
        path.write_text(yaml.safe_dump(contract))
        (result,) = [one for one in check(shop, ["store_facts"]) if one.check == "freshness"]
        assert result.status == status


def test_what_is_declared_is_written(shop: Home) -> None:
    by_name = {table.name: document(shop, table) for table in contract_tables(shop)}
    assert by_name["store_facts"]["servers"][0]["path"] == "stores.parquet"
    columns = {one["name"]: one for one in by_name["store_facts"]["schema"][0]["properties"]}
    assert columns["rating"]["description"] == "stars of visitors"
    assert columns["floors"]["items"]["logicalType"] == "integer"
    orders = {one["name"]: one for one in by_name["orders"]["schema"][0]["properties"]}
    assert orders["price"]["logicalTypeOptions"] == {"minimum": 0.0, "maximum": 100.0, "format": "f64"}
    assert orders["due"]["logicalTypeOptions"]["pattern"].startswith("^")


def test_days_are_compared_as_days(shop: Home) -> None:
    path = path_of(shop, "raw", "orders")
    contract = yaml.safe_load(path.read_text())
    due = next(one for one in contract["schema"][0]["properties"] if one["name"] == "due")
    due.update(logicalType="date", logicalTypeOptions={"minimum": "2026-01-01"})
    path.write_text(yaml.safe_dump(contract))
    from transforms.raw.ingest import Batch, ingest

    moment = datetime(2026, 3, 1)
    rows = {"order_id": ["a", "b"], "due": ["2025-12-31", "2026-01-01"], "event_timestamp": [moment, moment]}
    report = ingest(shop, "test", [Batch("orders", pl.DataFrame(rows))])
    assert report.tables["orders"].reasons == {"contract: due is below 2026-01-01": 1}
