"""The example of docs/projects.md works as it is printed."""

import contextlib
import io
import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from feature_repo import clock
from feature_repo.home import REPOSITORY, Home
from feature_repo.project import PROJECT
from feature_repo.stores import redis_server
from tests.processes import run_python
from tests.projects import imports_undone

PAGE = (REPOSITORY / "docs" / "projects.md").read_text().partition("## An example")[2]


def block(language: str, number: int = 0) -> str:
    """A block of code of the example."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.M | re.S)[number]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the example, with a few rows of data."""
    for name in ("REFRAIN_HOME", "REFRAIN_TENANT", "REFRAIN_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(PROJECT, str(tmp_path))
    monkeypatch.setenv(clock.NOW, "2026-03-06T00:00:00+00:00")
    (tmp_path / "refrain.toml").write_text(block("toml"))
    (tmp_path / "shop_features.py").write_text(block("python"))
    measured = [datetime(2026, 3, 1, tzinfo=UTC)]
    rows = {"store_no": [7], "rating": [4.5], "measured_at": measured, "loaded_at": measured}
    pl.DataFrame(rows).write_parquet(tmp_path / "stores.parquet")
    orders = [
        {"order_id": f"o{hour}", "customer_id": "ann", "cents": 100, "event_timestamp": f"2026-03-02T{hour:02}:00:00Z"}
        for hour in range(3)
    ]
    (tmp_path / "orders.jsonl").write_text("".join(json.dumps(order) + "\n" for order in orders))
    with imports_undone():
        yield tmp_path
        redis_server.stop(Home.from_env())


@pytest.mark.journeys
def test_the_example_runs(shop: Path) -> None:
    for line in block("sh").splitlines():
        script = f"import sys; sys.argv = {line.split()!r}; from refrain.cli import main; main()"
        process = run_python("-c", script, environment=dict(os.environ), folder=shop)
        assert process.returncode == 0, (line, process.stderr)
    with contextlib.redirect_stdout(io.StringIO()) as output:
        exec(compile(block("python", 1), "example", "exec"), {})
    assert " 4.5 " in output.getvalue(), output.getvalue()
    assert " 3 " in output.getvalue(), output.getvalue()
    assert (shop / "data" / "features" / "customer_orders").is_dir()
