"""Lists of plays that are hard on windows, tables of every aggregate, and moments at which to look."""

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import hypothesis.strategies as st
import polars as pl

from feature_repo.definitions.events.plays import plays
from feature_repo.home import Home
from feature_repo.windows import (
    Aggregate,
    Count,
    CountIf,
    DecayedSum,
    Distinct,
    EventSource,
    First,
    Last,
    LastN,
    Max,
    Mean,
    Min,
    Previous,
    Quantile,
    Rate,
    Ratio,
    Slope,
    Std,
    Sum,
    TimeSinceLast,
    TopK,
    WindowedTable,
    column,
)
from tests.music import WINDOWED
from tests.oracles import windows as oracle
from transforms.raw.declared import table_of
from transforms.raw.read import scan
from transforms.raw.simulate.run import simulate
from transforms.raw.simulate.world import Size

START = datetime(2024, 2, 26, tzinfo=UTC)  # a leap day and, in much of the world, a clock change lie ahead
DAYS = 45
DAY = timedelta(days=1)

listens = EventSource(
    "listens",
    columns={
        **plays.columns,
        **{"price": "Float64", "weight": "Float64", "score": "Float64", "number": "Int64", "due": "Date"},
    },
    key=plays.key,
    ranges=plays.ranges,
    resolution={"price": 0.01, "weight": 0.25},
)
"""Plays with floats, days, and integers of any size."""

EVERYTHING = {
    "n": Count(),
    "total": Sum("ms_played"),
    "mean": Mean("ms_played"),
    "least": Min("ms_played"),
    "most": Max("ms_played"),
    "spread": Std("ms_played"),
    "skipped": Rate("skipped"),
    "skips": CountIf("skipped"),
    "short": CountIf(where=column("ms_played") < 60_000),
    "long": Rate(where=(column("ms_played") >= 200_000) & ~column("skipped").is_missing()),
    "tracks": Distinct("track_id"),
    "top": TopK("artist_id", k=2),
    "first": First("artist_id"),
    "last": Last("artist_id"),
    "recent": LastN("track_id", n=3),
    "fresh": LastN("track_id", n=2, distinct=True),
    "idle": TimeSinceLast(),
    "rarely": Count(over=("1d",)),
    "faded": DecayedSum(half_life="6h"),
    "faded_ms": DecayedSum("ms_played", half_life="30d"),
    "skipped_share": Ratio("skips", "n"),
    "paid_mean": Ratio("paid", "price"),
    "rare_share": Ratio("skips", "rarely"),
    "artist_before": Previous("artist_id"),
    "ms_before": Previous("ms_played"),
    "price_before": Previous("price"),
    "score_before": Previous("score"),
    "trend": Slope("weight"),
    "ms_trend": Slope("ms_played"),
    "median_ms": Quantile("ms_played"),
    "high_price": Quantile("price", q=0.9),
    "low_weight": Quantile("weight", q=0.1),
    "first_ms": First("ms_played"),
    "last_ms": Last("ms_played"),
    "paid": Sum("price"),
    "price": Mean("price"),
    "cheapest": Min("price"),
    "dearest": Max("price"),
    "price_spread": Std("price"),
    "first_price": First("price"),
    "last_price": Last("price"),
    "expensive": CountIf(where=(column("price") > 9.99) | column("score").is_in([0, 1.5])),
    "faded_weight": DecayedSum("weight", half_life="6h"),
    "worst": Min("score"),
    "best": Max("score"),
    "first_score": First("score"),
    "last_score": Last("score"),
}

VALUES = {
    "numbers": Distinct("number"),
    "top_numbers": TopK("number", k=2),
    "recent_numbers": LastN("number", n=3),
    "fresh_numbers": LastN("number", n=2, distinct=True),
    "first_number": First("number"),
    "last_number": Last("number"),
    "number_before": Previous("number"),
    "number_total": Sum("number"),
    "number_mean": Mean("number"),
    "number_spread": Std("number"),
    "number_trend": Slope("number"),
    "number_median": Quantile("number"),
    "least_number": Min("number"),
    "most_number": Max("number"),
    "odd_numbers": CountIf(where=column("number").between(-7, 7) & (column("number") != 2)),
    "days": Distinct("due"),
    "top_days": TopK("due", k=2),
    "recent_days": LastN("due", n=3),
    "fresh_days": LastN("due", n=2, distinct=True, times=False),
    "first_day": First("due"),
    "last_day": Last("due"),
    "day_before": Previous("due"),
    "earliest_day": Min("due"),
    "latest_day": Max("due"),
    "leap_days": CountIf(where=(column("due") >= "2024-02-29") & (column("due") < date(2024, 3, 1))),
    "recent_skips": LastN("skipped", n=3),
    "fresh_skips": LastN("skipped", n=1, distinct=True),
    "first_skip": First("skipped"),
    "last_skip": Last("skipped"),
    "skip_before": Previous("skipped"),
    "recent_prices": LastN("price", n=2),
    "fresh_scores": LastN("score", n=2, distinct=True),
}
"""Features of days, booleans, and integers of any size."""


def everything(
    every: str,
    windows: tuple[str, ...],
    *,
    keys: tuple[str, ...] = ("user_id",),
    features: Mapping[str, Aggregate] = EVERYTHING,
    **more: Any,
) -> WindowedTable:
    features = {
        name: feature
        for name, feature in features.items()
        if set(feature.over) <= set(windows)
        and (name != "rare_share" or "1d" in windows)
        and (not isinstance(feature, TopK) or "lifetime" not in windows)
    }
    return WindowedTable("everything", "All of it", listens, keys, windows, features, every=every, **more)


TABLES_TESTED = {
    **{name: table for name, table in WINDOWED.items() if table.source is plays},
    "daily": everything("1d", ("1d", "7d", "28d")),
    "hourly": everything("1h", ("1h", "1d", "7d")),
    "live": everything("event", ("10m", "1h", "1d", "14d")),
    "live_lifetime": everything("event", ("1h", "lifetime")),
    "daily_lifetime": everything("1d", ("7d", "lifetime")),
    "values_live": everything("event", ("1h", "14d"), features=VALUES),
    "values_lifetime": everything("1d", ("7d", "lifetime"), features=VALUES),
    "values_by_number": everything("event", ("1d",), keys=("number",), features=VALUES),
    "values_by_day_and_number": everything("1d", ("7d",), keys=("due", "number"), features=VALUES),
    "conditional": everything("event", ("1d",), where=(column("device") != "tv") | column("ms_played").is_in([1, 2])),
}


PRICES = st.one_of(
    st.integers(-3_000, 3_000).map(lambda cents: cents / 100),
    st.integers(-3_000, 3_000).map(lambda cents: cents / 100 + 0.003),
    st.integers(0, 99).map(lambda cents: 1_000_000_000 + cents / 100),
    st.sampled_from([9.99, 10.0, -0.0, 11_258_999_068_426.24, -11_258_999_068_426.24]),
)
"""Multiples of the resolution, values between them, large ones that differ little, and the largest."""


NUMBERS = st.one_of(
    st.sampled_from([-7, 0, 1, 2, 7]),
    st.sampled_from([2**63 - 1, -(2**63), 2**62, 2**53 + 1, -(2**62) - 1]),
    st.integers(-(2**63), 2**63 - 1),
)
"""Few small integers, so that they are repeated, and some of any size."""


@st.composite
def play_lists(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Few users, tracks and artists, in bursts and on edges, so that windows fill, empty and fill again."""
    edge = st.one_of(
        st.integers(0, DAYS * 24 * 12 - 1).map(lambda step: step * 300_000_000),  # the edge of a hop
        st.integers(0, DAYS - 1).map(lambda day: day * 86_400_000_000),
    )
    near = st.tuples(edge, st.sampled_from([-1, 0, 1, 250_000])).map(lambda pair: max(sum(pair), 0))
    rows = draw(
        st.lists(
            st.tuples(
                st.sampled_from("uv"),
                st.sampled_from("xyz"),
                st.sampled_from(["a", "b", None]),
                st.one_of(st.integers(0, DAYS * 86_400_000_000 - 1), edge, near, st.integers(0, 3_600_000_000)),
                st.one_of(st.none(), st.integers(0, 500_000)),
                st.sampled_from([None, True, False]),
                st.sampled_from(["phone", "tv", None]),
                st.sampled_from([0, 0, 0, 60, 3 * 86_400, 20 * 86_400]),
                st.one_of(st.none(), PRICES),
                st.one_of(st.none(), st.integers(-40, 40).map(lambda units: units / 4)),
                st.one_of(st.none(), st.sampled_from([0.5, 1.5, -0.0, 0.0, -1e300, 1e-300]), st.floats(-9.0, 9.0)),
                st.one_of(st.none(), NUMBERS),
                st.sampled_from(
                    [None, "2024-02-28", "2024-02-29", "2024-03-01", "1969-12-31", "0001-01-01", "9999-12-31"]
                ),
            ),
            min_size=1,
            max_size=30,
        )
    )
    found = {}
    for user, track, artist, micro, ms, skipped, device, late, price, weight, score, number, due in rows:
        moment = START + timedelta(microseconds=micro)
        found[user, track, moment] = {
            "user_id": user,
            "track_id": track,
            "artist_id": artist,
            "event_timestamp": moment,
            "created_timestamp": moment + timedelta(seconds=late),
            "ms_played": ms,
            "skipped": skipped,
            "device": device,
            "context": None,
            "platform_id": "default",
            "price": price,
            "weight": weight,
            "score": score,
            "number": number,
            "due": due,
        }
    return list(found.values())


def frame(events: list[dict[str, Any]]) -> pl.DataFrame:
    raw = table_of(listens)
    return raw.conform(pl.DataFrame(events, schema_overrides=raw.columns, strict=False, infer_schema_length=None))


def moments(table: WindowedTable, events: list[dict[str, Any]]) -> list[int]:
    """Just before, at and after each event and each end of a window; the table's own moments alone."""
    widths = {"m": 60, "h": 3_600, "d": 86_400}
    found = set()
    for event in events:
        time = oracle.micros(event["event_timestamp"])
        found |= {time, time + 1, time + 86_400_000_000}
        for window in table.windows:
            if window != "lifetime":
                width = int(window[:-1]) * widths[window[-1]]
                hop = oracle.hop_of(table, timedelta(seconds=width))
                gone = oracle.floor(time, hop) + hop + width * 1_000_000
                found |= {gone - 1, gone, gone + 1, gone + 7 * hop // 5}
    step = 1 if table.every == "event" else oracle.hop_of(table, DAY)
    return sorted({-(-moment // step) * step for moment in found})


def same(found: Any, expected: Any) -> bool:
    if isinstance(found, float) and isinstance(expected, float | int):
        return math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-2 if expected > 1 else 1e-6)
    return found == expected


def plays_of_a_small_world(home: Home) -> list[dict[str, Any]]:
    """Simulated plays in the order of their time."""
    simulate(home, Size(users=25, tracks=60, days=12, plays=1_200), seed=9)
    return scan(home, "plays").sort("event_timestamp", "user_id").collect().to_dicts()
