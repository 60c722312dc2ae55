"""Private models of rows: no person changes another's rows, sums are bounded, and ONNX is the model that was fitted."""

import math
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_repo.contract import Contract
from feature_repo.errors import InputError
from feature_repo.project import Project
from training.models.behavior import churn_model, skip_model
from training.models.lightgbm_onnx import OnnxBooster
from training.models.tabular import TabularModel
from training.private.differential import zcdp
from training.private.differential.rows import fit
from training.private.differential.rows.column_ranges import (
    BINS,
    BITS,
    Scale,
    bins_of,
    edges_of,
    people_in_bins,
    publish_ranges,
    scaled,
)
from training.private.differential.rows.fit import PrivateRows, RowsRelease
from training.private.differential.rows.own_features import check_people, own_features
from training.private.differential.rows.person_rows import choose_rows
from training.private.differential.rows.run import layout_of
from training.private.differential.rows.scale_onnx import with_scales
from training.private.leaks import private_rows

START = datetime(2026, 1, 1, tzinfo=UTC)
numbers = st.one_of(st.floats(width=32), st.sampled_from([0.0, -0.0, 1.0, 1e-30, 3e38, -3e38]))


def plays_of(people: int) -> pl.DataFrame:
    """Plays of people on random days; the first and last day are those of the first person."""
    rng = np.random.default_rng(0)
    rows = [
        {"user_id": f"u{person}", "day": int(day), "skipped": bool(rng.random() < 0.5)}
        for person in range(people)
        for day in (*rng.integers(0, 90, 12), *((0, 90) if person == 0 else ()))
    ]
    return pl.DataFrame(rows).with_columns(
        event_timestamp=pl.lit(START) + pl.duration(days=pl.col("day"), hours=pl.col("day") % 7),
        track_id=pl.lit("t"),
        artist_id=pl.lit("a"),
        device=pl.lit("phone"),
        context=pl.lit("album"),
    )


@pytest.mark.parametrize("module", [churn_model, skip_model])
def test_nobody_changes_the_rows_of_another(module: object, monkeypatch: pytest.MonkeyPatch) -> None:
    everybody = plays_of(30)
    chosen = []
    for plays in (everybody, everybody.filter(pl.col("user_id") != "u7")):
        monkeypatch.setattr(module, "plays", lambda home, plays=plays: plays.lazy())
        rows = module.MODEL.rows(None)  # type: ignore[attr-defined]
        chosen.append(choose_rows(rows, "user_id", 3).filter(pl.col("user_id") != "u7").sort(pl.all()))
    assert chosen[0].equals(chosen[1])
    assert chosen[0].height > 60
    assert chosen[0]["user_id"].value_counts()["count"].max() == 3


def test_rows_without_a_person_or_a_label_are_left_out() -> None:
    rows = pl.DataFrame({"user_id": ["a", None, "b", "c", "d"], "label": [1.0, 1.0, None, math.nan, 0.0]})
    assert sorted(choose_rows(rows, "user_id")["user_id"]) == ["a", "d"]
    assert choose_rows(rows.clear(), "user_id").is_empty()


def test_features_of_others_are_left_out() -> None:
    contract = Contract(Project())
    own = own_features(contract, skip_model.MODEL)
    assert set(own.left_out) == {"track_popularity", "artist_popularity"}
    assert {"user_profile", "user_artist_affinity", "track_catalogue", "request_context"} <= set(own.views)
    assert own.bounds["user_listening__skip_rate_7d"] == (0.0, 1.0)
    assert "user_listening__plays_7d" not in own.bounds
    ranker = own_features(contract, replace(skip_model.MODEL, services=("recommendation_v1",)))
    assert ranker.left_out["popularity_share"].startswith("it reads")
    assert {"taste_match", "content_match", "artist_popularity"} <= set(ranker.left_out)
    with pytest.raises(InputError, match="skip_model, whose rows belong together by track_id"):
        check_people(contract, replace(skip_model.MODEL, cluster="track_id"))
    with pytest.raises(InputError, match="none: track_popularity"):
        own_features(contract, replace(skip_model.MODEL, services=("track_plays_v1",)))


def test_texts_of_people_name_no_column() -> None:
    """What the data has decides no column: neither a text that one person has, nor that a column is empty."""
    values = {
        "user_profile__plan": np.array(["gold", None], object),
        "user_profile__country": np.array(["DE", "XX"], object),
        "user_listening__plays_7d": np.array([np.nan, np.nan]),
    }
    layout, unknown = layout_of(SimpleNamespace(features=values), churn_model.MODEL)  # type: ignore[arg-type]
    plans = [f"user_profile__plan={plan}" for plan in ("family", "free", "premium")]
    assert layout.outputs == [*plans, "user_listening__plays_7d"]
    assert list(unknown) == ["user_profile__country"]


@given(st.lists(st.tuples(st.integers(0, 4), numbers, numbers), min_size=1, max_size=30))
def test_a_person_adds_a_bounded_vector(rows: list[tuple[int, float, float]]) -> None:
    people, inputs = np.array([row[0] for row in rows]), np.array([row[1:] for row in rows], np.float64)
    others = people != people[0]
    difference = people_in_bins(inputs, people) - people_in_bins(inputs[others], people[others])
    assert np.linalg.norm(np.ldexp(difference.astype(float), -BITS)) <= math.sqrt(inputs.shape[1] + 1)
    assert difference[0] == 1 << BITS


@given(numbers.filter(math.isfinite))
def test_a_value_is_within_its_bin(value: float) -> None:
    place = int(bins_of(np.array([value]))[0])
    low, high = edges_of(place)
    assert 0 <= place < BINS
    if 2.0**-10 <= abs(value) < 2.0**52:
        assert low <= value <= high
    elif abs(value) < 2.0**-10:
        assert (low, high) == (0.0, 0.0)
    else:
        assert (low > 0) == (value > 0)


def test_ranges_are_where_people_are() -> None:
    rng = np.random.default_rng(0)
    years, plays = rng.integers(1950, 2010, 5_000), np.exp(rng.normal(4, 2, 5_000)).round()
    inputs = np.column_stack([years, plays, np.full(5_000, np.nan), rng.random(5_000), np.full(5_000, np.inf)])
    names = ["year", "plays", "empty", "share", "endless"]
    ranges = publish_ranges(inputs, np.arange(5_000), names, {"share": (0.0, 1.0)}, 0.05, rng)
    year, count, empty, share, endless = ranges.scales
    assert (year.low, year.high, year.unit) == (1792.0, 2048.0, 0.0)
    assert count.unit > 0
    assert 500 < count.high < 20_000
    assert empty == endless == Scale(0.0, 0.0)
    assert share == Scale(0.0, 1.0)
    assert ranges.people == pytest.approx(5_000, abs=100)
    places = scaled(inputs, ranges.scales)
    assert np.nanmax(np.abs(places)) <= 1
    assert np.isnan(places[:, 2]).all()
    alone = publish_ranges(inputs[:1], np.zeros(1), names, {}, 0.05, rng)  # noise alone
    assert len(alone.scales) == 5


@settings(max_examples=30)
@given(st.lists(st.tuples(numbers, numbers, numbers), min_size=1, max_size=20))
def test_onnx_scales_as_the_fit_did(rows: list[tuple[float, float, float]]) -> None:
    from training.estimators.linear_onnx import weighted_sum

    scales = (Scale(-3.0, 1024.0, 2.0), Scale(0.0, 1.0), Scale(5.0, 5.0))
    weights = np.array([1.0, -2.0, 0.5])
    inputs = np.array(rows, np.float32)
    model = with_scales(scales, weighted_sum(np.zeros(3), weights, np.zeros(3), 0.25, False))
    expected = np.nan_to_num(scaled(inputs, scales)) @ weights + 0.25
    assert OnnxBooster(model).predict(inputs) == pytest.approx(expected, abs=1e-5)
    back = scales[0].values(scales[0].apply(np.clip(inputs[:, 0], -3, 1024)))
    assert back == pytest.approx(np.clip(inputs[:, 0], -3, 1024), rel=1e-6, abs=1e-6, nan_ok=True)


def test_a_release_learns_and_is_drawn_anew() -> None:
    inputs, labels, people = private_rows.simulate(np.random.default_rng(0))
    columns = [str(column) for column in range(inputs.shape[1])]
    accuracy = []
    for epsilon in (0.01, 4.0, 500.0):
        release = PrivateRows(epsilon).release(inputs, labels, people, columns, {}, np.random.default_rng(1))
        assert RowsRelease.from_bytes(release.to_bytes()) == release
        accuracy.append(((OnnxBooster(release.onnx).predict(inputs) > 0.5) == labels).mean())
    assert accuracy[0] < 0.65
    assert accuracy[1] > 0.72
    assert accuracy[2] > 0.77
    again = [PrivateRows(4.0).release(inputs, labels, people, columns, {}) for _ in range(2)]
    assert again[0].onnx != again[1].onnx


@pytest.mark.parametrize("learner", fit.LEARNERS)
def test_the_parts_of_a_release_cost_what_is_paid(learner: fit.LearnerName, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit, "find_spec", lambda name: name)
    private, people = PrivateRows(2.0, 1e-6, learner), 10.0
    costs = []

    def ranges(*arguments: object) -> fit.Ranges:
        costs.append(arguments[4])
        return fit.Ranges((Scale(0.0, 1.0),), people)

    def sums(*arguments: object) -> SimpleNamespace:
        costs.append(arguments[4])
        return SimpleNamespace(weights=np.zeros(2))

    monkeypatch.setattr(fit, "publish_ranges", ranges)
    monkeypatch.setattr(fit.linear, "fit", sums)
    if learner == "network":  # the sum of steps of everybody: steps / (2 sigma^2)
        costs += [private.rho * fit.RANGES_SHARE, fit.STEPS * zcdp.rho_of(private.sigma, 1.0)]
    else:
        private.release(np.zeros((2, 1)), np.ones(2), np.arange(2), ["a"], {})
    assert sum(costs) == pytest.approx(zcdp.rho(2.0, 1e-6))  # type: ignore[arg-type]


def test_the_network_needs_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="the extra deep, which the learner network needs"):
        PrivateRows(4.0, learner="network")
    monkeypatch.setattr(private_rows, "find_spec", lambda name: None)
    extra = {"learner": "private_network", "privacy": {"epsilon": 4.0, "delta": 1e-6}}
    leaks, left_out = private_rows.measure_version(extra, None)  # type: ignore[arg-type]
    assert leaks == []
    assert "deep" in left_out["lira on simulated people"]


def test_a_network_of_steps_of_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="the extra deep is not installed: pip install torch opacus")
    pytest.importorskip("opacus", reason="the extra deep is not installed: pip install opacus")
    from training.private.differential.sgd import PrivateNetwork

    inputs, labels, people = private_rows.simulate(np.random.default_rng(0))
    columns = [str(column) for column in range(inputs.shape[1])]
    monkeypatch.setattr(fit, "STEPS", 20)
    statements = []
    train = PrivateNetwork.fit

    def watched(self: PrivateNetwork, *arguments: object) -> object:
        result = train(self, *arguments)  # type: ignore[arg-type]
        statements.append(result[1])
        return result

    monkeypatch.setattr(PrivateNetwork, "fit", watched)
    private = PrivateRows(4.0, learner="network")
    release = private.release(inputs, labels, people, columns, {}, np.random.default_rng(1))
    inputs[::7, 0] = np.nan
    chances = OnnxBooster(release.onnx).predict(inputs)
    assert ((chances > 0.5) == labels).mean() > 0.72
    assert "sampling 1" in statements[0].mechanism  # everybody in each step
    assert statements[0].rho == pytest.approx(private.rho * (1 - fit.RANGES_SHARE))
    monkeypatch.setattr(fit, "MOST_PEOPLE", 500)
    assert np.isfinite(OnnxBooster(private.release(inputs, labels, people, columns, {}).onnx).predict(inputs)).all()
    assert 350 < statements[1].people <= 500


def test_declared_bounds_are_of_the_models_features() -> None:
    contract = Contract(Project())
    for model in (churn_model.MODEL, skip_model.MODEL):
        assert isinstance(model, TabularModel)
        service = contract.services[model.service]
        names = {f"{view.name}__{field.name}" for view in service.feature_view_projections for field in view.features}
        assert set(model.bounds) <= names
