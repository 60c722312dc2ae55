"""The simulated telemetry, and the baselines per hour of the week."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.music import TABLES
from transforms.batch.features.endpoint_baseline import endpoint_baseline
from transforms.batch.features.hour_of_week import hour_of_week
from transforms.raw.simulate.telemetry.run import _days
from transforms.raw.simulate.telemetry.schedule import DAY, KINDS, TelemetrySize, draw_schedule
from transforms.raw.validate import validate

SMALL = TelemetrySize(hosts=2, endpoints=2, rate=4.0, accounts=20, masters=5, days=4, quiet_days=2, incidents=1)
HOUR = 3_600_000_000
START = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp()) * 1_000_000


def tables(seed: int) -> dict[str, pl.DataFrame]:
    batches: dict[str, list[pl.DataFrame]] = {}
    for batch in _days(SMALL, seed):
        batches.setdefault(batch.table, []).append(batch.rows)
    return {name: pl.concat(rows, how="vertical_relaxed") for name, rows in batches.items()}


def test_the_same_seed_gives_the_same_service_and_another_another() -> None:
    first, repeated, other = tables(3), tables(3), tables(4)
    assert set(first) == {"incidents", "host_metrics", "requests", "logins", "plays", "audio_measurements"}
    for name, rows in first.items():
        assert_frame_equal(rows, repeated[name])
        assert not rows.equals(other[name])


def test_every_row_keeps_the_rules_of_its_table() -> None:
    for name, rows in tables(3).items():
        accepted, refused = validate(TABLES[name], rows)
        assert refused.is_empty(), refused
        assert accepted.height == rows.height


def test_incidents_come_after_the_quiet_days_and_never_overlap_for_one_entity() -> None:
    size = TelemetrySize(incidents=8)
    schedule = draw_schedule(size, np.random.default_rng(0))
    assert {event.kind for event in schedule} == set(KINDS)
    assert min(event.start for event in schedule) >= size.begin + size.quiet_days * DAY
    assert max(event.end for event in schedule) <= size.begin + size.days * DAY
    by_entity: dict[str, list[tuple[int, int]]] = {}
    for event in schedule:
        by_entity.setdefault(event.entity_id, []).append((event.start, event.end))
    for spans in by_entity.values():
        ordered = sorted(spans)
        assert all(first[1] < second[0] for first, second in pairwise(ordered))


def test_an_incident_shows_in_the_raw_rows() -> None:
    raw_tables = tables(3)
    incident = raw_tables["incidents"].filter(pl.col("kind") == "saturation").row(0, named=True)
    rows = raw_tables["host_metrics"].filter(pl.col("host_id") == incident["entity_id"])
    during_incident = pl.col("event_timestamp").is_between(
        incident["event_timestamp"], incident["ended"] - timedelta(minutes=1)
    )
    assert rows.filter(during_incident)["cpu_permille"].mean() > 880
    assert rows.filter(~during_incident)["cpu_permille"].mean() < 500


def naive_baseline(hourly: pl.DataFrame, hour: int) -> tuple[float, float] | None:
    """Returns the median and spread for one hour, or None, by a simple computation."""
    value_of_hour = dict(zip(hourly["hour"].to_list(), hourly["x"].to_list(), strict=True))
    weeks = [value_of_hour[hour - 168 * HOUR * k] for k in range(1, 5) if hour - 168 * HOUR * k in value_of_hour]
    days = [value_of_hour[hour - 24 * HOUR * k] for k in range(1, 8) if hour - 24 * HOUR * k in value_of_hour]

    def spread(values: list[float]) -> float:
        return float(1.4826 * np.median(np.abs(np.array(values) - np.median(values)))) if values else float("nan")

    if len(weeks) >= 2:
        return float(np.median(weeks)), float(np.fmax(spread(weeks), spread(days)))
    if len(days) >= 2:
        return float(np.median(days)), spread(days)
    return None


def test_an_hour_of_the_week_is_what_the_plain_way_finds_and_uses_only_hours_before() -> None:
    rng = np.random.default_rng(0)
    hours = [START + number * HOUR for number in range(24 * 40) if rng.random() > 0.2]
    created = [hour + HOUR + int(rng.integers(0, 3)) * HOUR for hour in hours]
    hourly = pl.DataFrame(
        {
            "host_id": ["a"] * len(hours),
            "hour": hours,
            "created_timestamp": pl.Series(created).cast(pl.Datetime("us", "UTC")),
            "x": rng.normal(100, 10, len(hours)),
        }
    )
    baseline = hour_of_week(hourly, "host_id", ["x"])
    baseline_of_hour = {
        int(row["event_timestamp"].timestamp()) * 1_000_000: (row["x_usual"], row["x_spread"])
        for row in baseline.iter_rows(named=True)
    }
    last = max(hours)
    for moment in range(START, last + 2 * HOUR, HOUR):
        expected = naive_baseline(hourly, moment)
        assert (moment in baseline_of_hour) == (expected is not None), moment
        if expected:
            assert baseline_of_hour[moment] == (pytest.approx(expected[0]), pytest.approx(expected[1]))
    assert (baseline["created_timestamp"] >= baseline["event_timestamp"]).all()
    early_baseline = hour_of_week(hourly.filter(pl.col("hour") < START + 500 * HOUR), "host_id", ["x"])
    early_times = early_baseline["event_timestamp"]
    assert_frame_equal(baseline.filter(pl.col("event_timestamp").is_in(early_times.implode())), early_baseline)


def test_no_events_give_no_baseline() -> None:
    empty = pl.DataFrame(schema=TABLES["requests"].columns)
    assert endpoint_baseline(empty).is_empty()
    assert "latency_spread" in endpoint_baseline(empty).columns
