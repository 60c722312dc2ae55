"""The four forecasters from raw events to an HTTP response, on one small world with charts."""

import json
import shutil
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from feature_repo import clock
from feature_repo.bundle import open_bundle
from feature_repo.errors import BundleError, InputError, StoreError
from feature_repo.home import Home
from feature_repo.stores import redis_server
from inference.api.app import create_app
from inference.forecast.forecaster import (
    CapacityForecaster,
    ChartForecaster,
    TrendForecaster,
    UnknownKey,
    UserBehaviorForecaster,
    target_of,
)
from inference.security.audit import acts
from inference.security.keys import KeyRing
from refrain.cli import app as command
from tests import charts
from tests.access.restricted_music import restricted_project
from tests.music import FEATURE_TABLES
from tests.worlds import apply, copied
from training.datasets import training_set
from training.datasets.chart_weeks import grids, spine
from training.datasets.series import history, last_full_day
from training.models.find import models
from training.models.forecasting import capacity, chart_forecaster, trends
from training.models.forecasting.chart_runs import SERVICE, ChartRuns, matrix
from training.models.forecasting.user_behavior import run as user_behavior
from training.models.forecasting.user_behavior.rows import Settings as Activity
from training.promotions import promote
from training.train import forecast, train
from training.validation.evidence import EVIDENCE, MODEL_KEY, PERMUTED, Evidence
from training.validation.gates import decide
from transforms import feature_tables
from transforms.raw.ingest import Batch, ingest
from transforms.raw.read import scan

pytestmark = pytest.mark.journeys
TRENDS = trends.Settings(rolling=2, trees=30, most_statistical=0)
NAMES = ("trend_forecaster", "chart_forecaster", "user_behavior_forecaster", "capacity_forecaster")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Home, dict[str, Any]]]:
    """A world of 50 days and 180 weeks of charts, with every forecaster trained, promoted, written and online."""
    from feature_repo.materialize import materialize
    from transforms.batch.build import build
    from transforms.raw.simulate.run import simulate
    from transforms.raw.simulate.world import Size

    home = Home(tmp_path_factory.mktemp("forecasts") / "home")
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings of Feast and MLflow
        patch.setenv("REFRAIN_HOME", str(home.root))
        simulate(home, Size(users=70, tracks=120, days=50, plays=16_000), seed=5)
        ingest(home, "charts", [Batch("chart_entries", charts.entries())])
        patch.setenv(clock.NOW, clock.end_of_data(home).isoformat())
        build(home)
        apply(home)
        results = {
            "trends": trends.run(home, TRENDS),
            "charts": chart_forecaster.run(home, chart_forecaster.Settings(trees=30)),
            "user_behavior": user_behavior.run(home, Activity(trees=30)),
            "capacity": capacity.run(home, capacity.Settings(rolling=2, trees=20)),
        }
        with pytest.raises(BundleError, match="a promoted forecaster"):
            forecast(home)
        for name in NAMES:
            promote(home, name)
        results["written"] = forecast(home)
        materialize(home, None, say=lambda text: None)
        yield home, results
    redis_server.stop(home)


@pytest.fixture
def home(trained: tuple[Home, dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("REFRAIN_HOME", str(trained[0].root))
    return trained[0]


def test_what_a_run_tells(trained: tuple[Home, dict[str, Any]]) -> None:
    home, results = trained
    for name in ("trends", "charts", "user_behavior", "capacity"):
        summary = "\n".join(results[name].lines())
        assert "registered: " in summary
        assert "refrain model promote" in summary
        page = results[name].report.read_text()
        assert "<pre>" in page
        assert "<svg" in page
        assert json.loads(results[name].report.with_suffix(".json").read_text())["metrics"]
    assert set(results["trends"].metrics) == {"track", "artist", "genre", "total", "new tracks"}
    charted_tracks = scan(home, "chart_entries").select("track_id").unique().collect().height
    assert 0 < results["written"]["track_chart_forecast"] <= charted_tracks


def test_the_model_beats_the_baselines_where_there_is_something_to_learn(trained: tuple[Home, dict[str, Any]]) -> None:
    _, results = trained
    chart_metrics = results["charts"].metrics
    for weeks in (4, 13):
        metrics = chart_metrics[f"hot100 place {weeks}w"]
        assert metrics["chart_runs"].mae < min(metrics["last_value"].mae, metrics["seasonal_naive"].mae)
    activity = results["user_behavior"].metrics  # seventy listeners are too few to expect a gain
    assert set(activity) == {"plays in 7 days", "no play in 14 days"}
    tracks = results["trends"].metrics["track"]
    assert tracks["reconciled"].mase < tracks["seasonal_naive"].mase


@pytest.mark.parametrize("name", NAMES)
def test_a_fit_on_permuted_labels_stands_beside_each(name: str, home: Home) -> None:
    evidence = Evidence.from_bytes((open_bundle(name, home).folder / EVIDENCE).read_bytes())
    figures = evidence.values[PERMUTED]
    assert np.isfinite(figures).sum() >= min(20, np.isfinite(evidence.values[MODEL_KEY]).sum())
    if name == "chart_forecaster":
        assert evidence.gain(PERMUTED).low > 0


def test_a_model_of_charts_with_permuted_places_is_refused(home: Home) -> None:
    grid = grids(home)["hot100"]
    data = training_set(SERVICE, spine(grid, range(0, 170), (1, 4, 13)), home=home).data
    until = 130
    floor = ChartRuns(grid.size, trees=20).fit(chart_forecaster.permuted_places(data, until, seed=1), until)
    other = ChartRuns(grid.size, trees=20).fit(chart_forecaster.permuted_places(data, until, seed=2), until)
    rows = data.filter(pl.col("week") > until)
    decision = decide(chart_forecaster.places_evidence("hot100", floor, rows, other), chart_forecaster.MODEL.gates)
    assert not decision.may_serve
    assert any(reason.startswith("permuted labels") for reason in decision.reasons)


def test_forecasts_add_up(home: Home) -> None:
    rows_by_level = {name: feature_tables.scan(home, view).collect() for name, view in trends.VIEWS.items()}
    sums = {name: np.sum(rows["mean"].to_list(), axis=0) for name, rows in rows_by_level.items() if rows.height}
    np.testing.assert_allclose(sums["track"], sums["total"], rtol=1e-4)
    np.testing.assert_allclose(sums["artist"], sums["total"], rtol=1e-4)
    np.testing.assert_allclose(sums["genre"], sums["total"], rtol=1e-4)


@pytest.mark.parametrize("view", [name for name in FEATURE_TABLES if name.endswith("_forecast")])
def test_forecasts_are_ordered_and_stamped_with_their_origin(home: Home, view: str) -> None:
    rows = feature_tables.scan(home, view).collect()
    assert rows.height
    assert (rows["origin"] == rows["event_timestamp"].dt.timestamp("us")).all()
    quantiles = [np.array(rows[name].to_list()) for name in ("lower_95", "lower_80", "median", "upper_80", "upper_95")]
    for low, high in pairwise(quantiles):
        assert (low <= high + 1e-4).all()
    assert all(np.isfinite(quantile).all() and (quantile >= 0).all() for quantile in quantiles)
    assert set(rows["model"].unique()) <= {f"{name}:1" for name in NAMES}


def test_forecasting_again_writes_the_same(home: Home) -> None:
    before = feature_tables.scan(home, "track_streams_forecast").collect()
    trends.forecast(home)
    after = feature_tables.scan(home, "track_streams_forecast").collect()
    assert before.drop("created_timestamp").equals(after.drop("created_timestamp"))


def test_online_is_what_was_written(home: Home) -> None:
    rows = feature_tables.scan(home, "track_streams_forecast").collect()
    forecaster = TrendForecaster.load(home=home)
    for row in rows.head(5).to_dicts():
        track_forecast = forecaster.forecast("track", row["track_id"])
        assert [point.mean for point in track_forecast.points] == pytest.approx(row["mean"])
        assert [point.upper_95 for point in track_forecast.points] == pytest.approx(row["upper_95"])
        assert track_forecast.origin == row["event_timestamp"]
        assert track_forecast.points[0].start == track_forecast.origin
        assert track_forecast.points[-1].end == track_forecast.origin + timedelta(days=7)
        assert track_forecast.points[0].chance is None
    charted = feature_tables.scan(home, "track_chart_forecast").collect()
    likeliest_track = charted.sort(pl.col("chance").list.first(), descending=True)["track_id"][0]
    chart = ChartForecaster.load(home=home).forecast("track", likeliest_track)
    assert [(point.end - chart.origin).days // 7 for point in chart.points] == [1, 4, 13]
    assert all(0 <= (point.chance or 0) <= 1 for point in chart.points)
    load = CapacityForecaster.load(home=home).forecast("platform", "default", horizon=24)
    assert len(load.points) == 24
    listener = UserBehaviorForecaster.load(home=home).forecast("user", "u000001")
    assert listener.points[0].chance is not None


def test_unknown_keys_and_horizons_are_refused(home: Home) -> None:
    forecaster = TrendForecaster.load(home=home)
    with pytest.raises(UnknownKey, match="a track_id that trend_forecaster has forecast"):
        forecaster.forecast("track", "nobody")
    with pytest.raises(InputError, match="1 to 7 steps"):
        forecaster.forecast("track", "t000001", horizon=8)
    with pytest.raises(InputError, match="one of"):
        forecaster.forecast("user", "u000001")
    with pytest.raises(InputError, match="an entity and a target"):
        target_of("user", "chart")


def test_over_http(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "inference.api.recommendations.RecommendationEngine.load", lambda *_: None
    )  # no ranker in this world
    with TestClient(create_app(home=home)) as client:
        response = client.post("/v1/forecasts", json={"entity": "track", "id": "t000001", "horizon": 3})
        assert response.status_code == 200, response.text
        body = response.json()
        assert (body["model"], body["target"], len(body["points"])) == ("trend_forecaster:1", "streams", 3)
        assert body["points"][0]["lower_95"] <= body["points"][0]["median"] <= body["points"][0]["upper_95"]
        load = client.post("/v1/forecasts", json={"entity": "platform", "id": "default", "target": "load"}).json()
        assert len(load["points"]) == 168
        for request, status in (
            ({"entity": "track", "id": "nobody"}, 404),
            ({"entity": "track", "id": "t000001", "horizon": 99}, 422),
            ({"entity": "user", "id": "u000001", "target": "chart"}, 422),
            ({"entity": "album", "id": "x"}, 422),
            ({"entity": "track", "id": ""}, 422),
        ):
            problem = client.post("/v1/forecasts", json=request)
            assert problem.status_code == status, problem.text
            assert problem.headers["content-type"] == "application/problem+json"


ROLES = """
[access.roles.owner]
services = ["*"]
seen = ["*"]

[access.roles.masked]
services = ["user_activity_forecast_v1"]
seen = ["personal"]
masked = { "user_activity_forecast:chance" = "null" }

[access.roles.own]
services = ["user_activity_forecast_v1"]
seen = ["*"]
rows = { user_id = "own" }

[access.roles.tracks]
services = ["track_streams_forecast_v1"]
"""


@pytest.fixture
def restricted(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A copy of the world with roles."""
    for copy in copied(home, Home(tmp_path / "copy"), monkeypatch, "raw", "tiles", "features"):
        yield restricted_project(tmp_path / "project", copy, monkeypatch, ROLES)


def test_a_forecast_of_a_person_is_for_roles_that_see_all_of_it(
    restricted: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference.api.recommendations.RecommendationEngine.load", lambda *_: None)
    person, other = "u000001", "u000002"
    about = {"entity": "user", "id": person, "target": "activity"}
    ring = KeyRing(restricted)
    keys = {role: ring.create(person, ["predict", role])[0] for role in ("owner", "masked", "own", "tracks")}
    keys |= {"nobody": ring.create(person, ["predict"])[0]}
    with TestClient(create_app(home=restricted)) as client:

        def ask(role: str, route: str = "/v1/forecasts", **body: Any) -> Any:
            return client.post(route, json=body, headers={"x-api-key": keys[role]})

        whole = ask("owner", **about)
        assert whole.status_code == 200, whole.text
        median = str(whole.json()["points"][0]["median"])
        assert ask("own", **about).json() == whole.json()
        refused = [ask(role, **about) for role in ("masked", "tracks", "nobody")]
        refused += [ask("own", **about | {"id": other}), ask("own", **about | {"id": "nobody at all"})]
        assert [answer.status_code for answer in refused] == [403] * 5
        assert not [answer.text for answer in refused if median in answer.text]
        assert refused[3].json()["detail"] == refused[4].json()["detail"]  # nothing says who is known
        track = {"entity": "track", "id": "t000001"}
        assert [ask(role, **track).status_code for role in ("tracks", "own")] == [200, 403]
        batch = ask("own", "/v1/forecasts/batch", requests=[about, about | {"id": other}]).json()["results"]
        assert batch[0]["answer"] == whole.json()
        assert (batch[1]["answer"], batch[1]["problem"]["status"]) == (None, 403)
        client.app.state.access.audit.flush()  # type: ignore[attr-defined]
    said = [(act["act"], act.get("role"), act["keys"]) for act in acts(restricted) if "keys" in act]
    assert said.count(("forecast", "own", {"user_id": [person]})) == 2
    assert said.count(("not permitted", None, {"user_id": [other]})) == 2
    assert ("forecast", "masked", {"user_id": [person]}) not in said


def test_a_forecast_by_another_version_says_so(home: Home) -> None:
    forecaster = TrendForecaster.load(home=home)
    forecaster.bundle.manifest["version"] = 2  # type: ignore[index]
    assert "made by trend_forecaster:1, not by trend_forecaster:2" in str(forecaster.forecast("track", "t000001").note)


def test_the_command_line(home: Home) -> None:
    done = CliRunner().invoke(command, ["forecast", "genre", "jazz", "--plot", "--horizon", "3"])
    assert done.exit_code == 0, done.output
    assert "streams of genre jazz, by trend_forecaster:1" in done.stdout
    assert done.stdout.count("●") == 3
    failed = CliRunner().invoke(command, ["forecast", "track", "nobody"])
    assert failed.exit_code == 1
    assert "Next      refrain model forecast" in failed.stderr


def test_histories_are_the_plays_of_each_day(home: Home) -> None:
    end = last_full_day(home)
    assert end == datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=50)
    names, values = history(home, "track_plays_v1", "track_popularity__plays_1d", "track_id", end=end)
    plays = scan(home, "plays").collect()
    day = (pl.col("event_timestamp") - pl.lit(end - timedelta(days=values.shape[1]))).dt.total_days()
    expected = np.zeros(values.shape)
    row_of_track = {name: number for number, name in enumerate(names)}
    for track, number, count in plays.group_by("track_id", day.alias("day")).len().iter_rows():
        expected[row_of_track[track], number] = count
    actual = np.nan_to_num(values)
    np.testing.assert_array_equal(actual, expected)
    first = plays.group_by("track_id").agg(day.min().alias("day"))
    for track, number in first.iter_rows():
        assert np.isnan(values[row_of_track[track], :number]).all()


def test_features_of_a_chart_know_nothing_later(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Changes to charts after the origin leave the inputs of the model as they are."""
    from transforms.batch.build import build

    grid = grids(home)["hot100"]
    week = 100
    request = spine(grid, [week], (1, 4, 13))
    changed = Home(tmp_path / "changed")
    monkeypatch.setenv("REFRAIN_HOME", str(changed.root))
    entries = scan(home, "chart_entries").collect()
    origin = charts.START + timedelta(weeks=week)
    later = pl.col("event_timestamp") > origin
    altered = entries.with_columns(rank=pl.when(later).then(31 - pl.col("rank")).otherwise("rank"))
    altered = altered.filter(~(later & (pl.col("track_id").str.ends_with("3"))))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ingest(changed, "charts", [Batch("chart_entries", altered)])
        build(changed)
        apply(changed)
    rows = [training_set(SERVICE, request, home=world).data for world in (home, changed)]
    for weeks in (1, 4, 13):
        np.testing.assert_array_equal(*(matrix(data, weeks, grid.size) for data in rows))


def test_a_model_of_charts_uses_no_future_it_could_not_know(home: Home) -> None:
    grid = grids(home)["hot100"]
    data = training_set(SERVICE, spine(grid, range(0, 150), (1, 4, 13)), home=home).data
    until = 120
    masked = data.with_columns(
        pl.when(pl.col("week") + weeks <= until).then(f"rank_{weeks}w").otherwise(7).alias(f"rank_{weeks}w")
        for weeks in (1, 4, 13)
    )
    request = data.filter(pl.col("week") == until)
    model, model_without_future = (ChartRuns(grid.size, trees=10).fit(rows, until) for rows in (data, masked))
    for weeks in (1, 4, 13):
        np.testing.assert_array_equal(
            model.predict(request, weeks).chance, model_without_future.predict(request, weeks).chance
        )
        np.testing.assert_array_equal(
            model.predict(request, weeks).quantile(0.9), model_without_future.predict(request, weeks).quantile(0.9)
        )


def test_places_are_distributions(home: Home) -> None:
    grid = grids(home)["hot100"]
    data = training_set(SERVICE, spine(grid, range(0, 170), (1, 4, 13)), home=home).data
    model = ChartRuns(grid.size, trees=30).fit(data, 130)
    fresh = data.filter((pl.col("week") > 130) & pl.col("rank_4w").is_not_null())
    rank_forecast, truth = model.predict(fresh, 4), fresh["rank_4w"].to_numpy()
    better, not_worse = rank_forecast.cumulative(truth)
    assert ((better >= 0) & (better <= not_worse) & (not_worse <= 1 + 1e-9)).all()
    pit = better + (not_worse - better) * np.random.default_rng(0).random(len(truth))
    charted = fresh["rank"].to_numpy() > 0
    inside = ((pit >= rank_forecast.calibrated_level(0.1)) & (pit <= rank_forecast.calibrated_level(0.9)))[
        charted
    ].mean()
    assert inside == pytest.approx(0.8, abs=0.1)
    levels = [rank_forecast.quantile(level) for level in (0.1, 0.5, 0.9)]
    assert (np.diff(levels, axis=0) >= 0).all()
    assert max(map(np.max, levels)) == grid.size + 1  # at least one track leaves the chart
    assert min(map(np.min, levels)) >= 1


def test_too_little_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Home) -> None:
    with pytest.raises(InputError, match="what to train"):
        train(home, "fortune_telling")
    assert set(models()) >= {"recommendation", "trend_forecaster", "chart_forecaster", "user_behavior_forecaster"}
    with pytest.raises(InputError, match=r"at least \d+ days of plays for forecasts of 20 days"):
        trends.run(home, trends.Settings(horizon=20))
    with pytest.raises(InputError, match="days of plays for a week by the hour"):
        capacity.run(home, capacity.Settings(rolling=20))
    empty = Home(tmp_path / "empty")
    monkeypatch.setenv("REFRAIN_HOME", str(empty.root))
    with pytest.raises(StoreError, match="charts in the raw table"):
        chart_forecaster.run(empty)
    shutil.rmtree(empty.root, ignore_errors=True)
