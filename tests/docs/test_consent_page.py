"""The project of docs/consent.md works as it is printed: customers with numbers, who consent."""

import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from feature_repo import clock
from feature_repo.home import REPOSITORY, Home
from feature_repo.packed.address import Address
from feature_repo.project import PROJECT
from feature_repo.stores import redis_server
from inference.events import EventWriter
from inference.features import OnlineFeatures
from refrain.person.consent import say, states
from tests.processes import run_python
from tests.projects import outside_projects, write_project
from training.datasets import training_set
from transforms.batch.build import build
from transforms.stream.batch_boundary import archive_if_there
from transforms.stream.reader import Reader, Settings
from transforms.stream.sources import Stream

PAGE = (REPOSITORY / "docs" / "consent.md").read_text()
ZERO = datetime(2026, 6, 1, tzinfo=UTC)


def block(language: str) -> str:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.M | re.S)[0]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    with outside_projects(monkeypatch):
        folder = write_project(tmp_path, {"refrain.toml": block("toml"), "shop_features.py": block("python")})
        monkeypatch.setenv(PROJECT, str(folder))
        monkeypatch.setenv(clock.NOW, (ZERO + timedelta(minutes=9)).isoformat())
        home = Home.from_env()
        yield home
        redis_server.stop(home)


def send(home: Home, kind: str, *events: dict[str, object]) -> None:
    EventWriter(home).write(json.dumps({"kind": kind, "events": events}).encode())
    Reader(home, Address.from_env(), Stream, Settings(until_idle=True), say=lambda text: None).run()


def after(minutes: int) -> str:
    return (ZERO + timedelta(minutes=minutes)).isoformat()


def test_the_example_runs(shop: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    process = run_python("-m", "feature_repo", "apply", environment=dict(os.environ))
    assert process.returncode == 0, process.stderr
    orders = [{"customer_id": number, "order_id": f"o{number}", "event_timestamp": after(1)} for number in (7, 17)]
    send(shop, "orders", *orders)
    yes = {"customer_id": 17, "purpose": "personalisation", "granted": True, "event_timestamp": after(2)}
    no = {"customer_id": 17, "purpose": "training", "granted": False, "event_timestamp": after(3)}
    send(shop, "consents", yes, no)
    rows = OnlineFeatures("shop_v1", shop).get({"customer_id": ["7", 17, "017"]})
    assert rows.values["customer_orders__orders"] == [None, 1, 1]
    assert rows.denied is not None and rows.denied.tolist() == [True, False, False]
    assert [state.is_allowed for state in states(shop, "17")] == [True, False]
    archive_if_there(shop)
    build(shop)
    spine = pl.DataFrame({"customer_id": [7, 17], "event_timestamp": ZERO + timedelta(minutes=4)})
    assert training_set("shop_v1", spine, home=shop).manifest["left_out"] == {"personalisation": 1, "training": 1}
    say(shop, "17", "training", granted=True)
    monkeypatch.setenv(clock.NOW, after(10))
    assert training_set("shop_v1", spine, home=shop).data.is_empty()  # there was no consent then
    later = spine.with_columns(event_timestamp=ZERO + timedelta(minutes=9))
    assert training_set("shop_v1", later, home=shop).data["customer_id"].to_list() == [17]
