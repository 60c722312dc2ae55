"""On-demand features: their values, and the views that Feast computes them with."""

from datetime import UTC, datetime

import numpy as np
import pytest

from feature_repo.definitions.on_demand.affinity_share import affinity_share
from feature_repo.definitions.on_demand.popularity_share import popularity_share
from feature_repo.definitions.on_demand.request_context import request_context
from feature_repo.definitions.on_demand.taste_match import taste_match
from feature_repo.definitions.on_demand.track_age import track_age
from tests.music import FEATURE_TABLES, ON_DEMAND, ON_DEMAND_VIEWS, REQUEST_FIELDS

NAN = np.nan


def test_taste_match_never_mixes_fits() -> None:
    user = np.array([[1, 2], [1, 2], [NAN, NAN]], np.float32)
    track = np.array([[3, 4], [3, 4], [3, 4]], np.float32)
    score = taste_match(user, np.array([5.0, 5.0, NAN]), track, np.array([5.0, 6.0, 5.0]))["score"]
    np.testing.assert_array_equal(score, [11, NAN, NAN])
    assert np.isnan(taste_match(user, np.ones(3), track[:, :1], np.ones(3))["score"]).all()


def test_shares_of_nothing_are_missing_and_of_strangers_zero() -> None:
    counts, totals = np.array([2.0, NAN, 1.0, NAN]), np.array([8.0, 8.0, 0.0, NAN])
    expected = [0.25, 0, NAN, NAN]
    np.testing.assert_array_equal(affinity_share(counts, counts, totals, totals)["share_7d"], expected)
    plays, wholes, listeners = [counts] * 3, [totals] * 3, [counts] * 3
    np.testing.assert_array_equal(popularity_share(*plays, *wholes, *listeners)["share_28d"], expected)


def test_a_few_accounts_that_repeat_a_track_count_for_little() -> None:
    plays, listeners, whole = np.array([9_000.0, 30.0, 31.0, 9.0]), np.array([3.0, 3.0, 3.0, NAN]), np.full(4, 1e4)
    expected = [0.003, 0.003, 0.003, 0.0009]
    for window in range(3):
        columns = [np.zeros(4)] * 9
        columns[window], columns[3 + window], columns[6 + window] = plays, whole, listeners
        np.testing.assert_allclose(list(popularity_share(*columns).values())[window], expected)


def test_track_age_is_in_days() -> None:
    released = np.array([0.0, NAN])
    np.testing.assert_array_equal(track_age(released, np.array([43_200.0, 1.0]))["days"], [0.5, NAN])


@pytest.mark.parametrize(
    ("moment", "hour", "weekday"),
    [
        (datetime(1970, 1, 1, 0, 30, tzinfo=UTC), 0, 3),
        (datetime(2024, 2, 29, 23, 59, tzinfo=UTC), 23, 3),
        (datetime(2026, 3, 29, 2, 30, tzinfo=UTC), 2, 6),
        (datetime(1969, 12, 31, 23, 0, tzinfo=UTC), 23, 2),
    ],
)
def test_hour_and_weekday_are_utc(moment: datetime, hour: int, weekday: int) -> None:
    context = request_context(np.array([moment.timestamp()]), np.array(["phone"], object), np.array([None], object))
    assert (context["hour_of_day"][0], context["day_of_week"][0]) == (hour, weekday) == (moment.hour, moment.weekday())
    assert (context["device_code"][0], context["context_code"][0]) == (1, 0)


def test_an_unknown_time_is_marked() -> None:
    context = request_context(np.array([NAN]), np.array(["toaster"], object), np.array(["radio"], object))
    assert (context["hour_of_day"][0], context["device_code"][0], context["context_code"][0]) == (-1, 0, 3)


def test_inputs_exist_and_views_carry_the_declared_schema() -> None:
    for name, definition in ON_DEMAND.items():
        for column in definition.inputs.values():
            view, _, feature = column.partition("__")
            if feature:
                assert feature in [field.name for field in FEATURE_TABLES[view].features]
            else:
                assert column in REQUEST_FIELDS
        assert {field.name: str(field.dtype) for field in ON_DEMAND_VIEWS[name].schema} == dict(definition.outputs)
