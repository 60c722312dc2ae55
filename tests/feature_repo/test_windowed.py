"""Declarations of windowed tables: the views derived from them, and the declarations that are refused."""

from typing import Any

import pytest

from feature_repo.definitions.events.plays import plays
from feature_repo.errors import InputError
from feature_repo.windows import (
    Aggregate,
    Count,
    DecayedSum,
    Distinct,
    EventSource,
    First,
    Last,
    LastN,
    Max,
    Mean,
    Min,
    Rate,
    Ratio,
    Std,
    Sum,
    TopK,
    WindowedTable,
    column,
)
from feature_repo.windows.table import duration
from tests.music import EVENTS, WINDOWED


def table_with(features: dict[str, Any] | None = None, **changes: Any) -> WindowedTable:
    arguments = {"keys": ("user_id",), "windows": ("1d",), "source": plays, **changes}
    return WindowedTable(
        "example", "An example", features={"n": Count()} if features is None else features, **arguments
    )


@pytest.mark.parametrize("name", WINDOWED)
def test_the_view_follows_from_the_declaration(name: str) -> None:
    from tests.music import FEATURE_TABLES

    table, view = WINDOWED[name], FEATURE_TABLES[name]
    assert [(field.name, str(field.dtype)) for field in view.features] == list(table.fields)
    assert sorted(view.join_keys) == sorted(table.keys)
    assert view.stream_source is not None
    assert view.batch_source is not None


@pytest.mark.parametrize("name", EVENTS)
def test_events_are_rows_of_their_raw_table(name: str) -> None:
    from tests.music import TABLES
    from transforms.feature_tables import TYPES

    raw, source = TABLES[name], EVENTS[name]
    of_imports = {"recording", "reported_by", "precision_s"}  # which play it is where two exports report it
    others = {"event_timestamp", "created_timestamp"} | (of_imports if name == "plays" else set())
    assert {name: TYPES[dtype] for name, dtype in source.columns.items()} == {
        name: dtype for name, dtype in raw.columns.items() if name not in others
    }
    assert (*source.key, "event_timestamp") == raw.key


class Median(Aggregate):
    """An aggregate whose partial results cannot be merged."""

    def fields(self, name: str, suffix: str, dtype: str) -> list[tuple[str, str]]:
        return [(name + suffix, "Float64")]

    def refusal(self, lifetime: bool) -> str | None:
        return "the median of two parts does not follow from the medians of the parts"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"features": {"n": len}}, "cannot be kept up to date event by event"),
        ({"features": {"m": Median("ms_played")}}, "does not follow from the medians"),
        ({"features": {"top": TopK("artist_id")}, "windows": ("lifetime",)}, "counts of all past values"),
        ({"features": {"s": Sum("track_id")}}, r"s over 'track_id' \(String\)"),
        ({"features": {"s": Sum("loudness")}}, "which is not there"),
        ({"features": {"s": Mean()}}, "s without a column"),
        ({"features": {"r": Rate()}}, "a column or a condition"),
        ({"features": {"d": Distinct("track_id", exact=3)}}, "16 to 65,536"),
        ({"features": {"l": LastN("track_id", n=5_000)}}, "1 to 1,000"),
        ({"features": {"f": DecayedSum(half_life="soon")}}, "'soon'"),
        ({"features": {"n": Count(over=("7d",))}}, "some of the windows"),
        ({"features": {"r": Rate(where=column("mood") == "sad")}}, "a condition on 'mood'"),
        ({"features": {"n": Count(), "r": Ratio("n", "m")}}, "a ratio of two features .*r of 'm'"),
        ({"features": {"n": Count(), "r": Ratio("n", "r")}}, "r of 'r'"),
        ({"features": {"n": Count(), "t": TopK("artist_id"), "r": Ratio("t", "n")}}, "r of 't'"),
        ({"features": {"n": Count(), "d": DecayedSum(), "r": Ratio("n", "d")}}, "r of 'd'"),
        ({"features": {"n": Count(), "l": LastN("track_id", times=False), "r": Ratio("n", "l")}}, "r of 'l'"),
        (
            {
                "features": {"n": Count(over=("1d",)), "m": Count(over=("7d",)), "r": Ratio("n", "m")},
                "windows": ("1d", "7d"),
            },
            "windows that n and m both have",
        ),
        ({"where": lambda event: True}, "the engines must be able to translate them"),
        ({"windows": ("90m",), "every": "1h"}, "the window 90m"),
        ({"windows": ("1h",)}, "the window 1h"),
        ({"windows": ("500d",)}, "400 days at most"),
        ({"windows": ()}, "one at least"),
        ({"windows": ("1d", "1d")}, "each window once"),
        ({"every": "10m"}, 'every "event", "1h" or "1d"'),
        ({"keys": ("skipped",)}, r"keys of type String or Int64 or Date .*the key 'skipped' \(Bool\)"),
        (
            {"features": {"a": Count(), "a_1d": Count()}, "windows": ("1d", "lifetime")},
            "two features that give one column",
        ),
    ],
)
def test_what_cannot_be_computed_event_by_event_is_refused(more: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        table_with(**more)


ORDERS = EventSource(
    "orders",
    columns={"user_id": "String", "price": "Float64", "score": "Float64"},
    key=("user_id",),
    resolution={"price": 0.01},
)


@pytest.mark.parametrize("aggregate", [Sum, Mean, Std, DecayedSum])
def test_floats_are_computed_with_in_units(aggregate: type[Aggregate]) -> None:
    table_with({"x": aggregate("price")}, source=ORDERS)
    with pytest.raises(InputError, match=r'EventSource\("orders", …, resolution=\{"score": 0.01\}\)'):
        table_with({"x": aggregate("score")}, source=ORDERS)


@pytest.mark.parametrize("aggregate", [Min, Max, First, Last])
def test_floats_are_compared_without_units(aggregate: type[Aggregate]) -> None:
    assert table_with({"x": aggregate("score")}, source=ORDERS).fields == (("x_1d", "Float64"),)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"columns": {"price": "Decimal"}}, "columns of type String, Int64, Float64, Bool"),
        ({"key": ("price",)}, "the key 'price' of type Float64"),
        ({"resolution": {"user_id": 0.01}}, r"a resolution of 'user_id' \(String\)"),
        ({"resolution": {"cents": 0.01}}, r"a resolution of 'cents' \(which is not there\)"),
        ({"resolution": {"price": 0.0}}, "resolutions above 0"),
        ({"resolution": {"price": float("nan")}}, "resolutions above 0"),
    ],
)
def test_a_source_that_cannot_be_is_refused(more: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"columns": {"user_id": "String", "price": "Float64"}, **more}
    with pytest.raises(InputError, match=message):
        EventSource("orders", **arguments)


def test_the_fingerprint_changes_with_the_resolution() -> None:
    def fingerprint(resolution: float) -> str:
        source = EventSource("orders", ORDERS.columns, key=ORDERS.key, resolution={"price": resolution})
        return table_with({"x": Sum("price")}, source=source).fingerprint

    assert len({fingerprint(0.01), fingerprint(0.1)}) == 2
    assert fingerprint(0.1) == fingerprint(0.1)


def test_the_fingerprints_of_tables_without_floats_stay() -> None:
    assert table_with({"s": Sum("ms_played"), "f": First("artist_id")}).fingerprint == "13830856dcbca15e"


@pytest.mark.parametrize(
    "change",
    [
        {"windows": ("7d",)},
        {"every": "event"},
        {"keys": ("track_id",)},
        {"where": column("skipped") == True},  # noqa: E712
        {"features": {"n": Rate("skipped")}},
        {"features": {"n": Rate(where=column("ms_played") > 1)}},
        {"features": {"n": Rate(where=column("ms_played") > 2)}},
    ],
)
def test_the_fingerprint_changes_with_every_part(change: dict[str, Any]) -> None:
    others = [table_with(), table_with({"n": Rate(where=column("ms_played") > 3)})]
    assert table_with(**change).fingerprint not in {other.fingerprint for other in others}
    assert table_with(**change).fingerprint == table_with(**change).fingerprint


def test_conditions_hold_for_what_is_told() -> None:
    long = column("ms_played") >= 30
    assert long.holds({"ms_played": 30})
    assert not long.holds({"ms_played": None})
    assert (~long).holds({"ms_played": None})
    assert (long & column("device").is_in(["tv"])).holds({"ms_played": 31, "device": "tv"})
    assert (long | column("device").is_missing()).holds({"ms_played": 1})
    with pytest.raises(TypeError, match="join conditions with"):
        assert long and long


def test_durations() -> None:
    assert [duration(text) for text in ("5m", "1h", "28d")] == [300_000_000, 3_600_000_000, 28 * 86_400_000_000]
    for text in ("", "d", "0d", "1w", "1.5h", "-1d"):
        with pytest.raises(InputError):
            duration(text)
