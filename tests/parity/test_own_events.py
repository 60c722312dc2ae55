"""Orders with columns of every type, in a project of its own: stream, batch run and oracle agree, also later."""

import json
import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from feature_repo.contract import contract_of
from feature_repo.events import Names, append
from feature_repo.home import Home
from feature_repo.packed.address import Address
from feature_repo.stores import redis_server
from tests.live import assert_same, batch, clock_of, online, server_of
from tests.oracles import windows as oracle
from tests.transforms.stream.test_crashes import interrupt_call
from transforms.batch.build import build
from transforms.stream.batch_boundary import archive
from transforms.stream.log import Log
from transforms.stream.push import Pusher
from transforms.stream.reader import Reader, Settings
from transforms.stream.sources import Stream

START = datetime(2026, 2, 20, tzinfo=UTC)
DAYS = 12
DEFINITIONS = '''"""Orders of customers."""

from refrain import (
    Count, CountIf, DecayedSum, Distinct, EventSource, First, Last, LastN, Max, Mean, Min, Previous, Quantile, Ratio,
    Slope, Std, Sum, TopK, WindowedTable, column,
)

orders = EventSource(
    "orders",
    columns={
        "customer_id": "String",
        "shop": "String",
        "price": "Float64",
        "score": "Float64",
        "pieces": "Int64",
        "till": "Int64",
        "due": "Date",
        "gift": "Bool",
    },
    key=("customer_id", "shop"),
    resolution={"price": 0.01},
)
FEATURES = {
    "orders": Count(),
    "spent": Sum("price"),
    "price": Mean("price"),
    "spread": Std("price"),
    "least": Min("price"),
    "most": Max("price"),
    "worst": Min("score"),
    "first": First("price"),
    "first_score": First("score"),
    "last": Last("price"),
    "last_pieces": Last("pieces"),
    "before": Previous("price"),
    "shop_before": Previous("shop"),
    "trend": Slope("price"),
    "median": Quantile("price"),
    "pieces": Quantile("pieces", q=0.75),
    "faded": DecayedSum("price", half_life="2d"),
    "large": CountIf(where=column("price") > 50.0),
    "large_share": Ratio("large", "orders"),
    "spent_each": Ratio("spent", "orders"),
}
customer_now = WindowedTable(
    "customer_now", "Orders of a customer", orders, ("customer_id",), ("1h", "7d", "lifetime"), FEATURES, every="event"
)
VALUES = {
    "customers": Distinct("customer_id"),
    "different_pieces": Distinct("pieces"),
    "top_pieces": TopK("pieces", k=2, over=("7d",)),
    "recent_pieces": LastN("pieces", n=3),
    "pieces_sum": Sum("pieces"),
    "pieces_spread": Std("pieces"),
    "pieces_most": Max("pieces"),
    "top_days": TopK("due", k=1, over=("7d",)),
    "latest_day": Max("due"),
    "last_day": Last("due"),
    "late_days": CountIf(where=column("due") >= "2026-03-01"),
    "gifts": LastN("gift", n=3),
    "last_gift": Last("gift"),
    "prices": LastN("price", n=2),
    "tills": LastN("till", n=2, distinct=True),
}
till_now = WindowedTable("till_now", "Orders at a till", orders, ("till",), ("7d", "1h"), VALUES, every="event")
till_days = WindowedTable("till_days", "Orders at a till by the day due", orders, ("till", "due"), ("7d",), VALUES)
customer_days = WindowedTable(
    "customer_days", "Orders of a customer by the day", orders, ("customer_id",), ("1d", "7d"), FEATURES
)
'''


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("shop")
    (folder / "refrain.toml").write_text('name = "shop"\ndefinitions = ["orders_of_a_shop"]\n')
    (folder / "orders_of_a_shop.py").write_text(DEFINITIONS)
    yield folder
    sys.modules.pop("orders_of_a_shop", None)
    sys.path[:] = [path for path in sys.path if path != str(folder)]


@pytest.fixture
def shop(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    monkeypatch.setenv("REFRAIN_PROJECT", str(project))
    monkeypatch.setenv("REFRAIN_HOME", str(tmp_path / "home"))
    home = Home(tmp_path / "home", project_folder=project)
    yield home
    redis_server.stop(home)


def orders(seed: int) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    rows = {}
    for _ in range(420):
        customer, shop = rng.choice("abcd"), rng.choice("xyz")
        moment = START + timedelta(seconds=rng.randrange(DAYS * 86_400))
        rows[customer, shop, moment] = {
            "customer_id": customer,
            "shop": shop,
            "event_timestamp": moment,
            "created_timestamp": moment,
            "price": rng.choice([None, rng.randrange(-500, 10_000) / 100, rng.randrange(10**15) / 100]),
            "score": rng.choice([None, rng.gauss(0, 1)]),
            "pieces": rng.choice([None, rng.randrange(1, 9), rng.randrange(-(2**63), 2**63)]),
            "till": rng.choice([1, -2, 30, 2**62]),
            "due": rng.choice([None, "2026-02-28", "2026-03-01", "2026-03-02"]),
            "gift": rng.choice([None, True, False]),
        }
    return sorted(rows.values(), key=lambda row: row["event_timestamp"])


def send(home: Home, rows: list[dict[str, Any]]) -> None:
    events = [json.dumps(row, default=datetime.isoformat).encode() for row in rows]
    append(server_of(home), Names(home.project), [("orders", event) for event in events])


def read(home: Home) -> None:
    settings = Settings(follows="events", until_idle=True, batch=37)
    Reader(home, Address.from_env(), Stream, settings, say=lambda text: None).run()


def check(home: Home, rows: list[dict[str, Any]]) -> None:
    archive(home, Log(server_of(home), Names(home.project)))
    build(home)
    clock = clock_of(rows)
    for name, table in contract_of(home).windowed.items():
        found = online(home, name)
        assert_same(table, found, batch(home, name, clock))
        edge = clock - clock % table.unit
        counted = [row for row in rows if oracle.micros(row["event_timestamp"]) < edge]
        keys = {tuple(row[name] for name in table.keys) for row in counted}
        expected = {
            key: oracle.values(table, counted, dict(zip(table.keys, key, strict=True)), edge)
            for key in keys
            if None not in key
        }
        assert_same(table, found, expected)


def test_a_restarted_reader_goes_on_where_the_first_one_ended(shop: Home) -> None:
    rows = orders(seed=4)
    sent = 0
    for stop in (250, 400, len(rows)):
        arrivals = rows[sent:stop]
        last = arrivals[-3:]
        random.Random(stop).shuffle(last)
        arrivals[-3:] = last
        send(shop, [*arrivals, *arrivals[:5]])
        read(shop)
        sent = stop
        check(shop, rows[:stop])


@pytest.mark.parametrize(("owner", "name"), [(Log, "commit"), (Pusher, "push")])
def test_a_reader_that_dies_leaves_nothing_counted_twice(
    shop: Home, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str
) -> None:
    rows = orders(seed=7)
    send(shop, rows)
    for calls in (2, 5):
        with monkeypatch.context() as patch:
            interrupt_call(patch, owner, name, calls, after=True)
            with pytest.raises(KeyboardInterrupt):
                read(shop)
        server_of(shop).send([("DEL", Names(shop.project).lease)], [b""])  # this process lives on and would hold it
    read(shop)
    check(shop, rows)
