"""The definition of columns of a windowed table: what changes their values changes it, and nothing else does."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import pytest

from feature_repo.home import REPOSITORY
from feature_repo.windows import (
    Count,
    CountIf,
    DecayedSum,
    Distinct,
    EventSource,
    Last,
    LastN,
    Quantile,
    Rate,
    Ratio,
    Sum,
    TopK,
    WindowedTable,
    column,
)
from feature_repo.windows.definition import fingerprint_of

ORDERS = EventSource(
    "orders",
    columns={"user_id": "String", "order_id": "String", "shop": "String", "cents": "Int64", "price": "Float64"},
    key=("user_id", "order_id"),
    ranges={"cents": (0, 10_000)},
    resolution={"price": 0.01},
)
LARGE = CountIf(where=(column("cents") >= 500) & column("shop").is_in(["a", "b"]))
FEATURES = {
    "n": Count(),
    "large": LARGE,
    "share": Ratio("large", "n"),
    "spent": Sum("price"),
    "shops": Distinct("shop"),
}
TABLE = WindowedTable(
    "spending", "What a person spends", ORDERS, ("user_id",), ("1d", "7d"), FEATURES, where=column("cents") > 0
)
TAKEN = ("n_7d", "share_7d", "spent_1d")
"""Columns that a service takes; it reads the events' cents, price and shop, not the order of columns or windows."""

Change = Callable[[WindowedTable], WindowedTable]


def of_source(**changes: Any) -> Change:
    return lambda table: replace(table, source=replace(table.source, **changes))


def of_features(**changes: Any) -> Change:
    return lambda table: replace(table, features={**table.features, **changes})


OTHER: dict[str, Change] = {
    "the name of the source": of_source(name="returns"),
    "what identifies an event": of_source(key=("order_id",)),
    "a range": of_source(ranges={"cents": (0, 99)}),
    "the range of another column": of_source(ranges={**ORDERS.ranges, "price": (0.0, 1.0)}),
    "a resolution": of_source(resolution={"price": 0.1}),
    "the type of a column that is read": of_source(columns={**ORDERS.columns, "cents": "Float64"}),
    "shared columns": of_source(shared=("region_id",)),
    "a key more": lambda table: replace(table, keys=("user_id", "shop")),
    "another key": lambda table: replace(table, keys=("shop",)),
    "when rows are written": lambda table: replace(table, every="event"),
    "the condition": lambda table: replace(table, where=column("cents") > 1),
    "no condition": lambda table: replace(table, where=None),
    "an aggregate": of_features(n=Rate(where=column("cents") > 0)),
    "the column of an aggregate": of_features(spent=Sum("cents")),
    "the condition of a part of a ratio": of_features(large=CountIf(where=column("cents") >= 501)),
    "the parts of a ratio": of_features(share=Ratio("n", "large")),
}

SAME: dict[str, Change] = {
    "nothing": lambda table: table,
    "the description": lambda table: replace(table, about="Something else"),
    "the order of features": lambda table: replace(table, features=dict(reversed(table.features.items()))),
    "the order of windows": lambda table: replace(table, windows=("7d", "1d")),
    "a window that is not taken": lambda table: replace(table, windows=("1d", "7d", "28d")),
    "a feature more": of_features(last=Last("shop")),
    "a feature that is not taken": of_features(shops=Distinct("shop", exact=64)),
    "where a feature is computed besides": of_features(spent=Sum("price", over=("1d",))),
    "a column more": of_source(columns={**ORDERS.columns, "device": "String"}),
    "the order of columns": of_source(columns=dict(reversed(ORDERS.columns.items()))),
    "the order of ranges": of_source(ranges=dict(reversed(ORDERS.ranges.items()))),
    "a set of values": of_features(large=CountIf(where=(column("cents") >= 500) & column("shop").is_in({"b", "a"}))),
    "the order of values in a list": of_features(
        large=CountIf(where=(column("cents") >= 500) & column("shop").is_in(["b", "a"]))
    ),
    "the names of the parts of a ratio": lambda table: replace(
        table,
        features={**table.features, "big": LARGE, "large": Count(), "share": Ratio("big", "n")},
    ),
}


@pytest.mark.parametrize("change", OTHER)
def test_what_changes_values_changes_the_definition(change: str) -> None:
    assert fingerprint_of(OTHER[change](TABLE), TAKEN) != fingerprint_of(TABLE, TAKEN)


@pytest.mark.parametrize("change", SAME)
def test_what_changes_no_value_keeps_the_definition(change: str) -> None:
    assert fingerprint_of(SAME[change](TABLE), reversed(TAKEN)) == fingerprint_of(TABLE, TAKEN)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (TopK("shop", k=2), TopK("shop", k=3)),
        (Distinct("shop"), Distinct("shop", exact=64)),
        (Quantile("cents"), Quantile("cents", q=0.9)),
        (DecayedSum(half_life="1d"), DecayedSum(half_life="7d")),
        (LastN("shop"), LastN("shop", distinct=True)),
        (Last("shop"), Last("order_id")),
    ],
)
def test_every_setting_of_an_aggregate_belongs_to_its_definition(one: Any, other: Any) -> None:
    tables = [replace(TABLE, features={"x": feature}) for feature in (one, other)]
    columns = [name for name, _ in tables[0].fields]
    assert columns == [name for name, _ in tables[1].fields]
    assert fingerprint_of(tables[0], columns) != fingerprint_of(tables[1], columns)


def test_columns_of_one_feature_in_two_windows_have_two_definitions() -> None:
    assert fingerprint_of(TABLE, ["n_1d"]) != fingerprint_of(TABLE, ["n_7d"])
    assert fingerprint_of(TABLE, ["n_1d"]) != fingerprint_of(TABLE, ["n_1d", "n_7d"])


@dataclass(frozen=True)
class Weighed(Count):
    """An aggregate with fields that other aggregates do not have."""

    by: str | None = None
    limits: tuple[int, ...] = ()


@dataclass(frozen=True)
class Joined(WindowedTable):
    """A table with a field that others do not have."""

    joined: tuple[EventSource, ...] = ()


def test_a_new_field_takes_part_where_it_is_given() -> None:
    @dataclass(frozen=True)
    class Later(Weighed):
        more: str | None = None
        others: tuple[str, ...] = ()

    def of_feature(feature: Count) -> str:
        return fingerprint_of(replace(TABLE, features={"n": feature}), ["n_1d"])

    Later.__name__ = "Weighed"
    assert of_feature(Weighed()) == of_feature(Later())
    assert (
        len({of_feature(one) for one in (Weighed(), Weighed(by="cents"), Weighed(limits=(1,)), Later(more="x"))}) == 4
    )

    arguments = {field.name: getattr(TABLE, field.name) for field in fields(TABLE)}
    shops, others = (EventSource("shops", columns={"shop": "String", "size": dtype}) for dtype in ("Int64", "Float64"))
    tables = [Joined(**arguments, joined=joined) for joined in ((), (shops,), (others,))]
    assert len({fingerprint_of(table, TAKEN) for table in tables}) == 3


def test_a_value_without_a_text_of_its_own_is_refused() -> None:
    table = replace(TABLE, features={"n": Weighed(by=len)})  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="no definition of <built-in function len>"):
        fingerprint_of(table, ["n_1d"])


def test_every_process_computes_the_same() -> None:
    script = (
        "from tests.feature_repo.test_window_definitions import SAME, TABLE, TAKEN, fingerprint_of\n"
        "table = SAME['a set of values'](TABLE)\n"
        "print(fingerprint_of(table, TAKEN), table.fingerprint)"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(REPOSITORY)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "5")
    }
    assert len(outputs) == 1
    assert outputs.pop().split()[0] == fingerprint_of(TABLE, TAKEN)
