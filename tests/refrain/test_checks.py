"""``refrain test`` passes on a sound project, and finds what is broken: engines, definitions, examples."""

import os
import re
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from click.testing import Result
from typer.testing import CliRunner

from feature_repo.windows import Sum
from inference.features import OnlineRows
from refrain.cli import app
from transforms.batch.windows import rows as batch_rows
from transforms.stream.state import live_rows

DEFINITIONS = '''
import numpy as np

from refrain import (
    Count, CountIf, EventSource, Last, Mean, OnDemand, Rate, Sum, TimeSinceLast, WindowedTable, column, service
)

orders = EventSource(
    "orders",
    columns={"customer_id": "String", "shop": "String", "cents": "Int64", "paid": "Bool"},
    key=("customer_id",),
    ranges={"cents": (0, 100_000)},
)
customer_orders = WindowedTable(
    "customer_orders", "Orders of one customer", orders, ("customer_id",), ("7d", "lifetime"),
    {
        "orders": Count(),
        "cents": Sum("cents"),
        "large": CountIf(where=column("cents") >= 5_000),
        "idle": TimeSinceLast(),
    },
    every="event",
)
shop_orders = WindowedTable(
    "shop_orders", "Orders in one shop", orders, ("shop",), ("1d", "7d"),
    {"mean_cents": Mean("cents"), "paid": Rate("paid"), "customer": Last("customer_id")}, where=column("shop") != "web",
)


def share(cents, orders):
    """Cents an order."""
    return {"cents_an_order": cents / np.where(orders > 0, orders, np.nan)}


order_value = OnDemand(
    "order_value", share, {"cents": "customer_orders__cents", "orders": "customer_orders__orders"},
    {"cents_an_order": "Float64"},
)
churn_v1 = service(
    "churn_v1", "Whether a customer leaves", "customer_orders", "shop_orders: paid_7d customer_1d", "order_value",
    "customer_orders_now", predicts="leaves",
)
'''
EXAMPLES = """
from refrain import example
from {package}.definitions import customer_orders

ORDER = {{"customer_id": "ann", "shop": "web", "cents": 300, "event_timestamp": "2026-01-01T10:00:00Z"}}
EXAMPLES = [
    example(
        customer_orders,
        name="two orders",
        events=[
            ORDER,
            {{**ORDER, "cents": 200, "event_timestamp": "2026-01-01T11:00:00Z"}},
            {{**ORDER, "cents": 100, "created_timestamp": "2026-01-01T12:00:00Z"}},
        ],
        at="2026-01-02T00:00:00Z",
        expect={{"orders_7d": {orders}, "cents_7d": 300, "idle": 13 * 3_600.0}},
    ),
]
"""

Project = Callable[..., Path]
Test = Callable[..., Result]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    def make(more: str = "", orders: int = 2) -> Path:
        package = f"shop_{uuid.uuid4().hex}"
        folder = tmp_path / package
        (folder / package).mkdir(parents=True)
        (folder / "refrain.toml").write_text(f'name = "shop"\ndefinitions = ["{package}"]\n')
        (folder / package / "__init__.py").write_text("")
        (folder / package / "definitions.py").write_text(DEFINITIONS + more)
        (folder / package / "examples.py").write_text(EXAMPLES.format(package=package, orders=orders))
        return folder

    return make


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Test:
    """Runs ``refrain test`` for a project from a folder elsewhere; it must touch neither its files nor its servers."""

    def run_command(folder: Path, *arguments: str) -> Result:
        data = tmp_path / "data of the project"
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("REFRAIN_PROJECT", str(folder))
        monkeypatch.setenv("REFRAIN_HOME", str(data))
        monkeypatch.setenv("REFRAIN_REDIS", "localhost:1")
        before = sorted(folder.rglob("*"))
        result = CliRunner().invoke(app, ["test", *arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert not data.exists()
        assert [path for path in sorted(folder.rglob("*")) if "__pycache__" not in str(path)] == before
        return result

    return run_command


def line(result: Result, status: str, subject: str, check: str) -> str:
    """Returns the lines of a check up to the next one."""
    found = re.search(rf"^{status} +{subject} +{re.escape(check)} .*\n(      .*\n)*", result.output, re.M)
    assert found, result.output
    return found[0]


def test_a_sound_project_passes(project: Project, run: Test) -> None:
    result = run(project())
    assert result.exit_code == 0, result.output
    assert "2 windowed tables, 2 on-demand functions, 1 service, 1 example" in result.output
    for table in ("customer_orders", "shop_orders"):
        for check in ("batch = definition", "no future seen", "stream = definition"):
            line(result, "ok", table, check)
    line(result, "ok", "churn_v1", "offline = online")
    line(result, "ok", "two orders", "example")
    assert re.search(r"^12 checks in .* 12 passed, 0 failed, 0 skipped$", result.output, re.M), result.output


def one_too_many_in_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = live_rows._COLUMNS_OF[Sum]

    def broken(feature: Any) -> list[pa.Array]:
        return [pa.array([value + (value > 0) for value in sound(feature)[0].to_pylist()], pa.int64())]

    monkeypatch.setitem(live_rows._COLUMNS_OF, Sum, broken)


def one_too_many_in_the_batch_run(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = batch_rows._Compute._sum

    def broken(*arguments: Any) -> list[pl.Series]:
        (values,) = sound(*arguments)
        return [values + (values > 0).cast(pl.Int64)]

    monkeypatch.setattr(batch_rows._Compute, "_sum", broken)


def an_error_in_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(feature: Any) -> list[pa.Array]:
        raise ZeroDivisionError("no sums today")

    monkeypatch.setitem(live_rows._COLUMNS_OF, Sum, broken)


@pytest.mark.parametrize(
    ("breaking", "check", "difference"),
    [
        (
            one_too_many_in_the_stream,
            "stream = definition",
            r"column +cents_7d\n.*\n.*\n.*\(definition\)\n.*\(stream\)",
        ),
        (
            one_too_many_in_the_batch_run,
            "batch = definition",
            r"column +cents_7d\n.*\n.*\n.*\(definition\)\n.*batch run",
        ),
        (an_error_in_the_stream, "stream = definition", "ZeroDivisionError: no sums today"),
    ],
)
def test_a_broken_engine_is_found_with_one_event(
    project: Project,
    run: Test,
    monkeypatch: pytest.MonkeyPatch,
    breaking: Callable[..., None],
    check: str,
    difference: str,
) -> None:
    breaking(monkeypatch)
    result = run(project(), "customer_orders", "--seed", "3", "--events", "30")
    assert result.exit_code == 1
    failure = line(result, "FAIL", "customer_orders", check)
    assert re.search(difference, failure), failure
    assert re.search(r"table +customer_orders\n", failure)
    assert re.search(r"events +1, the fewest", failure), failure
    assert len(re.findall(r"'event_timestamp': '2024-", failure)) == 1
    assert re.search(r"repeat +refrain test customer_orders --seed 3 --events 30\n", failure)
    assert len(re.findall("^FAIL", result.output, re.M)) == (2 if "batch" in check else 1)


def test_a_batch_run_that_sees_the_future_is_found(
    project: Project, run: Test, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(compute: Any, name: str, feature: Any, window: Any) -> list[pl.Series]:
        return [pl.Series([int(compute._sums.columns["n"].sum())] * len(compute._rows))]

    monkeypatch.setattr(batch_rows._Compute, "_count", broken)
    failure = line(run(project(), "customer_orders"), "FAIL", "customer_orders", "no future seen")
    assert re.search(r"column +orders_7d", failure), failure
    assert re.search(r"events +2, the fewest", failure), failure


def test_a_function_that_looks_at_other_rows_is_found(project: Project, run: Test) -> None:
    folder = project('''
def rank(cents):
    """Cents above those of the others."""
    return {"above": cents - np.nanmean(cents)}

above_average = OnDemand("above_average", rank, {"cents": "customer_orders__cents_7d"}, {"above": "Float64"})
''')
    result = run(folder, "above_average")
    assert result.exit_code == 1
    assert re.search(r"column +above\n", line(result, "FAIL", "above_average", "alone = in a batch"))


def test_a_lookup_that_differs_from_the_training_set_is_found(
    project: Project, run: Test, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = OnlineRows._python_values

    def broken(rows: OnlineRows, name: str) -> list[Any]:
        return [value + 1 if name.endswith("__cents") and value else value for value in sound(rows, name)]

    monkeypatch.setattr(OnlineRows, "_python_values", broken)
    result = run(project(), "churn_v1", "--events", "30")
    assert result.exit_code == 1
    failure = line(result, "FAIL", "churn_v1", "offline = online")
    assert re.search(r"column +customer_orders__cents\n", failure), failure
    assert "batch = definition" not in result.output


def test_a_wrong_example_is_reported(project: Project, run: Test) -> None:
    result = run(project(orders=3), "two orders")
    assert result.exit_code == 1
    failure = line(result, "FAIL", "two orders", "example")
    assert "orders_7d: expected 3, found 2  <- differs\n" in failure
    assert "cents_7d: expected 300, found 300\n" in failure
    assert "repeat    refrain test 'two orders'\n" in failure


def test_an_event_that_the_raw_table_refuses_is_reported(project: Project, run: Test) -> None:
    folder = project("""
from refrain import example

too_large = example(
    customer_orders,
    name="too large",
    events=[{"customer_id": "ann", "cents": 100_001, "event_timestamp": "2026-01-01T10:00:00Z"}],
    at="2026-01-02",
    expect={"orders": 1},
)
""")
    result = run(folder, "too large")
    assert result.exit_code == 1
    assert "cents is too large" in line(result, "FAIL", "too large", "example")


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("import nothing_of_the_kind", r"definitions.py, line \d+: ModuleNotFoundError: .*nothing_of_the_kind"),
        ("1 +", r"definitions.py, line \d+: SyntaxError"),
        ("again = service('churn_v1', 'Again', 'shop_orders')", "a second 'churn_v1'"),
        ("other = service('other_v1', 'Other', 'shop_orders: paid_9d')", "'paid_9d'"),
        ("bad = WindowedTable('bad', '', orders, ('customer_id',), ('7d',), {'x': Sum('price')})", "'price'"),
        (
            "from refrain import example\n"
            "bad = example(customer_orders, events=[], at='2026-01-01', key={'customer_id': 'a'}, expect={'order': 1})",
            "'order'",
        ),
        (
            "keyless = EventSource('keyless', columns={'user_id': 'String'})\n"
            "bad = WindowedTable('bad', '', keyless, ('user_id',), ('7d',), {'n': Count()})",
            r"key=\(\)",
        ),
    ],
)
def test_an_error_in_a_definition_is_one_clear_error(project: Project, run: Test, more: str, problem: str) -> None:
    result = run(project("\n" + more + "\n"))
    assert result.exit_code == 1
    error = result.stderr
    assert re.search(r"^Expected  .*\nFound     .*\nNext      .*\n$", error), error
    assert re.search(problem, error), error
    assert "Traceback" not in result.output


@pytest.mark.parametrize("seed", ["0", "1", "2"])
def test_two_events_are_enough(project: Project, run: Test, seed: str) -> None:
    result = run(project(), "shop_orders", "--events", "2", "--seed", seed)
    assert result.exit_code == 0, result.output
    line(result, "ok", "shop_orders", "stream = definition")


def test_a_name_that_does_not_exist(project: Project, run: Test) -> None:
    result = run(project(), "customer_order")
    assert result.exit_code == 1
    assert "Next      refrain test customer_orders\n" in result.stderr


def test_a_table_whose_events_cannot_be_generated_is_skipped(project: Project, run: Test) -> None:
    folder = project("""
import dataframely as dy
import polars as pl

from transforms.raw.table import RawTable, Timed, key_column


class ParcelRows(Timed):
    parcel = key_column()

    @dy.rule()
    def parcel_without_a_number(cls) -> pl.Expr:
        return pl.col("parcel").str.contains("[0-9]{12}")


parcels = EventSource("parcels", columns={"parcel": "String"}, key=("parcel",))
raw_parcels = RawTable("parcels", ParcelRows, key=("parcel", "event_timestamp"))
parcel_scans = WindowedTable("parcel_scans", "Scans", parcels, ("parcel",), ("7d",), {"scans": Count()})
""")
    result = run(folder, "parcel_scans")
    assert result.exit_code == 0, result.output
    assert "parcel without a number; write examples" in line(result, "skip", "parcel_scans", "generated events")


def test_the_environment_is_as_before(project: Project, run: Test, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFRAIN_TENANT", "second")
    run(project(), "two orders")
    assert os.environ["REFRAIN_TENANT"] == "second"
    assert os.environ["REFRAIN_REDIS"] == "localhost:1"
