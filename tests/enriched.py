"""Podcast plays with three dimensions, tables of them, and histories in which dimensions come late, tie and change."""

from datetime import UTC, datetime, timedelta
from typing import Any

import hypothesis.strategies as st

from feature_repo.windows import (
    Count,
    CountIf,
    DecayedSum,
    Distinct,
    Enrich,
    EventSource,
    First,
    Last,
    LastN,
    Mean,
    Min,
    Previous,
    Quantile,
    Rate,
    Slope,
    Std,
    Sum,
    TimeSinceLast,
    TopK,
    WindowedTable,
    column,
)
from refrain.checking.generate import Reports
from transforms.raw.declared import table_of

START = datetime(2026, 2, 26, tzinfo=UTC)
DAYS = 6

plays = EventSource(
    "plays",
    columns={"listener": "String", "heard": "Int64", "ms": "Int64"},
    key=("listener",),
)
episodes = EventSource(
    "episodes",
    columns={
        "episode": "Int64",
        "show": "String",
        "category": "String",
        "price": "Float64",
        "score": "Float64",
        "minutes": "Int64",
        "explicit": "Bool",
        "remark": "String",
    },
    key=("episode",),
    resolution={"price": 0.01},
)
shows = EventSource("shows", columns={"show": "String", "publisher": "String"}, key=("show",))
ratings = EventSource(
    "ratings",
    columns={"stars": "Int64", "episode": "Int64", "rater": "String"},
    key=("rater", "episode"),
)
SOURCES = (plays, episodes, shows, ratings)
RAW = {source.name: table_of(source) for source in SOURCES}

EPISODE = Enrich(
    episodes,
    on={"heard": "episode"},
    take={"show": "show", "category": "category", "price": "price", "score": "score", "length": "minutes"}
    | {"explicit": "explicit"},
)
SHOW = Enrich(shows, on="show", take=("publisher",))
FEATURES = {
    "plays": Count(),
    "ms": Sum("ms"),
    "news": CountIf(where=column("category") == "news"),
    "unknown": CountIf(where=column("show").is_missing()),
    "explicit": Rate("explicit"),
    "spent": Sum("price"),
    "price": Mean("price"),
    "spread": Std("price"),
    "cheapest": Min("price"),
    "worst": Min("score"),
    "median": Quantile("price"),
    "trend": Slope("length"),
    "faded": DecayedSum("length", half_life="6h"),
    "categories": TopK("category", k=2),
    "shows": Distinct("show"),
    "publishers": LastN("publisher", n=3),
    "fresh": LastN("category", n=2, distinct=True),
    "first": First("price"),
    "last": Last("category"),
    "last_score": Last("score"),
    "before": Previous("length"),
    "idle": TimeSinceLast(),
}
RATING = Enrich(ratings, on={"heard": "episode", "listener": "rater"}, take="stars")
NO_TOP = {name: feature for name, feature in FEATURES.items() if name != "categories"}
BOTH = (EPISODE, SHOW)
TABLES = {
    "live": WindowedTable(
        "live", "", plays, ("listener",), ("1h", "1d", "3d"), FEATURES, every="event", enrich=BOTH
    ),
    "by_show": WindowedTable("by_show", "", plays, ("show",), ("1d", "lifetime"), NO_TOP, enrich=BOTH),
    "by_publisher": WindowedTable(
        "by_publisher", "", plays, ("listener", "publisher"), ("1h", "1d"), FEATURES, every="1h", enrich=BOTH
    ),
    "free": WindowedTable(
        "free", "", plays, ("listener",), ("1h", "lifetime"), NO_TOP, every="event", where=~(column("price") > 0.5),
        enrich=BOTH,
    ),
    "rated": WindowedTable(
        "rated", "", plays, ("listener",), ("1h", "1d"), {"stars": Sum("stars"), "plays": Count()}, every="event",
        enrich=(RATING,),
    ),
}  # fmt: skip

_TIMES = st.one_of(
    st.integers(0, DAYS * 24 - 1).map(lambda hour: hour * 3_600_000_000),
    st.integers(0, DAYS * 86_400_000_000 - 1),
    st.integers(0, 3).map(lambda step: 2 * 86_400_000_000 + step),  # ties, and neighbours
)
_LATE = st.sampled_from([0, 0, 60, 2 * 86_400])


def _timed(columns: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    def row(time: int, late: int, values: dict[str, Any]) -> dict[str, Any]:
        moment = START + timedelta(microseconds=time)
        return {"event_timestamp": moment, "created_timestamp": moment + timedelta(seconds=late), **values}

    return st.builds(row, _TIMES, _LATE, st.fixed_dictionaries(columns))


_ROWS = {
    "plays": _timed(
        {
            "listener": st.sampled_from("uv"),
            "heard": st.sampled_from([1, 1, 2, 3, None]),
            "ms": st.one_of(st.none(), st.integers(0, 9)),
        }
    ),
    "episodes": _timed(
        {
            "episode": st.sampled_from([1, 2]),
            "show": st.sampled_from(["s", "t", None]),
            "category": st.sampled_from(["news", "music", None]),
            "price": st.sampled_from([0.0, 0.1, 0.2, 0.7, None]),
            "score": st.sampled_from([-0.0, 0.3, -1e300, None]),
            "minutes": st.sampled_from([1, 20, None]),
            "explicit": st.sampled_from([True, False, None]),
            "remark": st.sampled_from(["", "a"]),
        }
    ),
    "shows": _timed({"show": st.sampled_from("st"), "publisher": st.sampled_from(["p", "q", None])}),
    "ratings": _timed({"stars": st.integers(1, 5), "episode": st.sampled_from([1, 2]), "rater": st.sampled_from("uv")}),
}


@st.composite
def histories(draw: st.DrawFn) -> Reports:
    """Reports of plays and of all dimensions; no two reports of one event or row have both times equal."""
    reports = {}
    for source, size in zip(SOURCES, (20, 8, 4, 6), strict=True):
        rows = draw(st.lists(_ROWS[source.name], min_size=source is plays, max_size=size))
        identity = ("event_timestamp", *source.key)
        if source is not plays:
            identity = (*identity, "created_timestamp")
        reports[source.name] = list({tuple(row[name] for name in identity): row for row in rows}.values())
    return reports
