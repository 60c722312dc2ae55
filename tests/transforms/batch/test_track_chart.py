"""Chart features against a loop over all entries, at the date of every chart."""

from datetime import timedelta
from typing import Any

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import given, settings

from tests.charts import START
from tests.music import TABLES
from transforms.batch.features.artist_chart import artist_chart
from transforms.batch.features.chart_grid import ChartGrid
from transforms.batch.features.track_chart import AHEAD, track_chart

WEEKS = 130


@st.composite
def charts(draw: st.DrawFn) -> pl.DataFrame:
    """Draws chart entries of few titles with runs and gaps; several weeks have no chart at all."""
    missing = draw(st.sets(st.integers(1, WEEKS - 2), max_size=10))
    rows = []
    for title in range(3):
        for _ in range(draw(st.integers(1, 3))):
            first, length = draw(st.integers(0, WEEKS - 1)), draw(st.integers(1, 20))
            for week in range(first, min(first + length, WEEKS)):
                if week not in missing:
                    rows.append((f"t{title}", f"a{title % 2}", draw(st.integers(1, 9)), week))
    rows += [("always", "b", 10, week) for week in range(WEEKS) if week not in missing]
    entries = pl.DataFrame(rows, schema=["track_id", "artist_id", "rank", "week"], orient="row").unique(
        ["track_id", "week"]
    )
    dated_entries = entries.with_columns(
        event_timestamp=pl.lit(START) + pl.duration(weeks=pl.col("week")), chart=pl.lit("hot100")
    )
    return TABLES["chart_entries"].conform(dated_entries)


def expected_row(entries: pl.DataFrame, title: str, week: int) -> dict[str, Any]:
    """Returns the expected features of a title as of the chart of one week."""
    rank_of = {(row["track_id"], (row["event_timestamp"] - START).days // 7): row["rank"] for row in entries.to_dicts()}
    chart_weeks = {number for _, number in rank_of}
    title_weeks = sorted(number for name, number in rank_of if name == title and number <= week)

    def rank_in(number: int) -> int:
        return rank_of.get((title, number), 0) if number in chart_weeks else -1

    runs = 0
    for number in title_weeks:
        earlier_weeks = [earlier for earlier in chart_weeks if earlier < number]
        runs += not earlier_weeks or (title, max(earlier_weeks)) not in rank_of
    best = min(rank_of[title, number] for number in title_weeks)
    micros = [int((START + timedelta(weeks=n)).timestamp() * 1e6) for n in range(WEEKS)]
    return {
        "chart": "hot100",
        "ranks_13w": [rank_in(week - back) for back in range(12, -1, -1)],
        "peak": best,
        "weeks": len(title_weeks),
        "runs": runs,
        "first_charted": micros[title_weeks[0]],
        "last_charted": micros[title_weeks[-1]],
        "peaked": micros[next(number for number in title_weeks if rank_of[title, number] == best)],
        **{f"year_ago_{ahead}w": rank_in(week + ahead - 52) for ahead in AHEAD},
    }


@settings(max_examples=30, deadline=None)
@given(entries=charts())
def test_the_newest_row_is_true_at_every_chart(entries: pl.DataFrame) -> None:
    rows = track_chart(entries)
    chart_weeks = {(date - START).days // 7 for date in entries["event_timestamp"].to_list()}
    for title in ("t0", "t1", "t2"):
        title_rows = rows.filter(pl.col("track_id") == title).sort("event_timestamp").to_dicts()
        if not title_rows:  # no week of the title has a chart
            assert title not in entries["track_id"]
            continue
        first = (title_rows[0]["event_timestamp"] - START).days // 7
        for week in sorted(chart_weeks):
            if week < first:
                continue
            newest = [row for row in title_rows if row["event_timestamp"] <= START + timedelta(weeks=week, days=1)][-1]
            expected_features = expected_row(entries, title, week)
            idle_weeks = week - (newest["event_timestamp"] - START).days // 7
            if idle_weeks:  # no newer row: the title has been off the chart for 13 weeks
                assert set(expected_features["ranks_13w"]) <= {0, -1}
                expected_features["ranks_13w"] = newest["ranks_13w"]
                expected_features |= {
                    name: newest[name]
                    for name in expected_features
                    if name.startswith("year_ago") and expected_features[name] <= 0
                }
            assert {name: newest[name] for name in expected_features} == expected_features, (title, week)


@settings(max_examples=20, deadline=None)
@given(entries=charts())
def test_what_comes_later_changes_nothing(entries: pl.DataFrame) -> None:
    cut = START + timedelta(weeks=WEEKS // 2)
    past = entries.filter(pl.col("event_timestamp") <= cut)
    rows, past_rows = (
        track_chart(chart_entries).filter(pl.col("event_timestamp") <= cut + timedelta(days=1))
        for chart_entries in (entries, past)
    )
    assert rows.sort("track_id", "event_timestamp").equals(past_rows.sort("track_id", "event_timestamp"))


@settings(max_examples=20, deadline=None)
@given(entries=charts())
def test_artists_at_every_chart(entries: pl.DataFrame) -> None:
    rows = artist_chart(entries).sort("event_timestamp").to_dicts()
    dates = entries["event_timestamp"].unique().sort().to_list()
    for artist in ("a0", "a1"):
        artist_rows = [row for row in rows if row["artist_id"] == artist]
        if not artist_rows:
            continue
        for date in dates:
            newest = [row for row in artist_rows if row["event_timestamp"] <= date + timedelta(days=1)]
            current_ranks = entries.filter((pl.col("artist_id") == artist) & (pl.col("event_timestamp") == date))[
                "rank"
            ].to_list()
            entries_so_far = entries.filter((pl.col("artist_id") == artist) & (pl.col("event_timestamp") <= date))
            if not newest:
                assert not current_ranks
                continue
            current = newest[-1]
            assert (current["singles"], current["best_single"]) == (len(current_ranks), min(current_ranks, default=0))
            assert current["titles"] == entries_so_far["track_id"].n_unique()
            assert (current["albums"], current["best_album"]) == (0, 0)


@settings(max_examples=8, deadline=None)
@given(first=charts(), second=charts(), days=st.sampled_from([0, 3]))
def test_a_title_on_several_charts_has_the_row_of_one(first: pl.DataFrame, second: pl.DataFrame, days: int) -> None:
    moved = pl.col("event_timestamp", "created_timestamp") + pl.duration(days=days)
    second = second.with_columns(moved, chart=pl.lit("uk"))
    each = {name: track_chart(entries) for name, entries in (("hot100", first), ("uk", second))}
    rows = track_chart(pl.concat([first, second]))
    assert not rows.select("track_id", "event_timestamp").is_duplicated().any()
    for track, moment in rows.select("track_id", "event_timestamp").unique().iter_rows():
        newest = {}
        for name, of_chart in each.items():
            before = of_chart.filter(pl.col("track_id") == track, pl.col("event_timestamp") <= moment)
            if not before.is_empty():
                newest[name] = before.sort("event_timestamp").to_dicts()[-1]
        expected = min(newest.values(), key=lambda row: (row["ranks_13w"][-1] <= 0, -row["weeks"], row["chart"]))
        row = rows.filter(pl.col("track_id") == track, pl.col("event_timestamp") == moment).to_dicts()[0]
        own = {"event_timestamp", "created_timestamp"}
        assert {name: row[name] for name in row if name not in own} == {
            name: expected[name] for name in expected if name not in own
        }
    moments = {frame: {*each[frame].select("track_id", "event_timestamp").iter_rows()} for frame in each}
    assert {*rows.select("track_id", "event_timestamp").iter_rows()} == moments["hot100"] | moments["uk"]


def test_no_charts_no_rows() -> None:
    no_entries = TABLES["chart_entries"].conform(
        pl.DataFrame(schema={"chart": pl.String, "track_id": pl.String, "event_timestamp": pl.Datetime("us", "UTC")})
    )
    assert track_chart(no_entries).height == 0
    assert artist_chart(no_entries).height == 0


def test_a_chart_that_is_missing_is_no_chart_without_anybody() -> None:
    rows = [("x", 1, 0), ("x", 1, 1), ("x", 1, 3)]
    frame = pl.DataFrame(rows, schema=["track_id", "rank", "week"], orient="row").with_columns(
        event_timestamp=pl.lit(START) + pl.duration(weeks=pl.col("week")), chart=pl.lit("b200")
    )
    grid = ChartGrid.of(TABLES["chart_entries"].conform(frame))
    assert grid.places.tolist() == [[1, 1, -1, 1]]
    newest = track_chart(TABLES["chart_entries"].conform(frame)).sort("event_timestamp").to_dicts()[-1]
    assert (newest["runs"], newest["weeks"]) == (1, 3)


@pytest.mark.parametrize("weeks", [1, 4, 13])
def test_the_future_of_the_newest_chart_is_not_known(weeks: int) -> None:
    frame = pl.DataFrame({"track_id": ["x"], "rank": [1], "event_timestamp": [START], "chart": ["b200"]})
    grid = ChartGrid.of(TABLES["chart_entries"].conform(frame))
    import numpy as np

    assert grid.ahead(np.array([0]), np.array([0]), weeks).tolist() == [-1]
