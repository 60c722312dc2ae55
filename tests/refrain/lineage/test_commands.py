"""``refrain lineage`` on a project of its own, without models."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from feature_repo.home import Home
from feature_repo.project import PROJECT
from refrain.cli import app
from refrain.lineage.graph import Edge, Lineage, Node
from refrain.lineage.page import draw
from tests.projects import outside_projects, write_project
from tests.refrain.lineage.test_served import write_impression

FILES = {
    "refrain.toml": """
        name = "shop"
        definitions = ["lineage_shop"]
        """,
    "lineage_shop/__init__.py": """
        from feature_repo.service import service
        from feature_repo.windows import Count, EventSource, Sum, WindowedTable

        orders = EventSource(
            "orders", columns={"customer_id": "String", "store": "String", "cents": "Int64"}, key=("customer_id",)
        )
        customer_orders = WindowedTable(
            name="customer_orders", about="Orders", source=orders, keys=("customer_id",), windows=("1d", "7d"),
            features={"orders": Count(), "cents": Sum("cents")},
        )
        orders_v1 = service("orders_v1", "Orders of a customer", "customer_orders: cents_7d")
        """,
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    folder = tmp_path_factory.mktemp("shop")
    with pytest.MonkeyPatch.context() as patch, outside_projects(patch):
        patch.setenv(PROJECT, str(write_project(folder / "project", FILES)))
        patch.setenv("REFRAIN_HOME", str(folder / "data"))
        yield Home.from_env()


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["lineage", *words])


def test_a_feature_shows_both_sides(shop: Home) -> None:
    text = run("show", "customer_orders:cents_7d").output
    assert "column orders.cents" in text and "service orders_v1" in text
    assert "orders_v1" not in run("show", "customer_orders__cents_7d", "--up").output
    assert "orders.cents" not in run("show", "customer_orders:cents_7d", "--down").output
    assert "column" not in run("show", "customer_orders:cents_7d", "--up", "--depth", "1").output
    assert run("show", "orders.store", "--down").output.splitlines() == ["column orders.store"]


def test_json_has_kinds_names_and_steps(shop: Home) -> None:
    shown = json.loads(run("show", "orders.cents", "--down", "--json").output)
    assert shown["node"] == {"kind": "column", "name": "orders.cents"} and shown["made of"] == []
    assert {"kind": "service", "name": "orders_v1", "steps": 3} in shown["part of"]


def test_kinds_and_their_nodes_are_listed(shop: Home) -> None:
    assert "4 feature" in run("list").output
    assert run("list", "service").output.split() == ["orders_v1"]
    assert "one of table, column, tile" in " ".join(run("list", "services").output.split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("show", "orders.cent"), "near: orders.cents"),
        (("answer", "nobody"), "nothing is logged"),
        (("file", "orders/date=2026-01-01"), "a raw file, such as plays/date=2026-03-01 below"),
        (("show", "x:3"), "refrain lineage list"),
    ],
)
def test_what_is_not_there_is_an_error_with_the_next_command(shop: Home, words: tuple[str, ...], message: str) -> None:
    result = run(*words)
    assert result.exit_code == 1 and message in " ".join(result.output.split())


def test_without_logs_it_says_how_to_log(shop: Home) -> None:
    assert "REFRAIN_LOG_IMPRESSIONS=1" in run("answers").output


def test_the_page_has_every_edge_and_no_script(shop: Home, tmp_path: Path) -> None:
    out = tmp_path / "lineage.html"
    assert run("page", str(out)).exit_code == 0
    text = out.read_text()
    assert "<svg" in text and "customer_orders" in text and "<script" not in text and "http" not in text
    assert "view customer_orders" in text and "service orders_v1" in text


def test_the_page_of_a_node_leaves_the_others_out() -> None:
    near, far = Node("view", "near"), Node("view", "far&away")
    pairs = [(Node("table", "a"), near), (near, Node("service", "s")), (Node("table", "b"), far)]
    lineage = Lineage([], [Edge(*pair, "value") for pair in pairs], {near: {"digest": "<1>"}})
    assert "far&amp;away" in draw(lineage) and "&lt;1&gt;" in draw(lineage)
    assert "far" not in draw(lineage, near)


def test_answers_are_listed_and_traced(shop: Home) -> None:
    from datetime import UTC, datetime

    file = write_impression(shop, "a1", "c1", ["t"], datetime(2026, 2, 1, tzinfo=UTC), features={})
    try:
        assert "a1  recommendation  recommendation:1" in run("answers").output
        assert json.loads(run("answers", "--json").output)[0]["keys"] == {"user_id": ["c1"], "track_id": ["t"]}
        traced = run("answer", "a1").output
        assert "missing: the bundle of recommendation:1 was deleted" in traced and "feature rows: 0" in traced
        assert json.loads(run("answer", "a1", "--json").output)["raw"] == []
    finally:
        file.unlink()
