"""Model families on the common pipeline: searched, explained, checked and monitored."""

import json
import pickle
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from feature_repo.bundle import open_bundle
from feature_repo.errors import BundleError, InputError
from feature_repo.home import Home
from feature_repo.stores import redis_server
from tests.worlds import apply_once, made_once
from training import promotions, version_files
from training.background import Background
from training.explain.explanation import explain
from training.models.base import Model
from training.models.find import models
from training.models.lightgbm_onnx import OnnxBooster
from training.models.problem import Problem
from training.models.recommendation.problem import RankerProblem, ndcg_of_groups
from training.models.recommendation.ranker import HYBRID
from training.pipeline import triggers
from training.pipeline.models import Outcome, run_model
from training.tuning.search import search
from training.tuning.shared_problem import digest

NEEDS_LONG_WORLD = ("churn_model", "user_behavior_forecaster")
"""Models that need more days than the small world has."""
SEARCHED = sorted(name for name, model in models().items() if model.searchable)
RUN_MATCHES_PROBLEM = ("user_behavior_forecaster", "sentiment_model", "emotion_model", "skip_model")
"""Models whose run and whose search problem measure the same loss for each unit."""


@pytest.fixture(scope="session")
def long_world(request: pytest.FixtureRequest) -> Home:
    """A read-only world of seventy days and few listeners, built and applied; workers share it."""
    from transforms.batch.build import build
    from transforms.raw.simulate.run import simulate
    from transforms.raw.simulate.world import Size

    def make(home: Home, patch: pytest.MonkeyPatch) -> None:
        simulate(home, Size(users=110, tracks=150, days=70, plays=24_000), seed=6)
        build(home)
        apply_once(home)

    return made_once(request, "long", make)


def _copied(world: Home, folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Home]:
    home = Home(folder)
    shutil.copytree(world.root, home.root)
    patch.setenv("REFRAIN_HOME", str(home.root))
    yield home
    redis_server.stop(home)


@pytest.fixture
def long(long_world: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A copy of the long world that a test may change."""
    yield from _copied(long_world, tmp_path / "long", monkeypatch)


@pytest.fixture(scope="module")
def trained_once(long_world: Home, tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Outcome]:
    """The long world with version 1 of the forecaster of user behavior, and the outcome of its run. Read only."""
    home = Home(tmp_path_factory.mktemp("trained") / "long")
    shutil.copytree(long_world.root, home.root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REFRAIN_HOME", str(home.root))
        outcome = run_model(home, models()["user_behavior_forecaster"])
    redis_server.stop(home)
    return home, outcome


@pytest.fixture
def trained(trained_once: tuple[Home, Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A copy of the long world with version 1 of the forecaster of user behavior, which a test may change."""
    yield from _copied(trained_once[0], tmp_path / "long", monkeypatch)


@pytest.fixture
def home(request: pytest.FixtureRequest) -> Home:
    """The world with enough history for the model."""
    return request.getfixturevalue("long" if request.node.callspec.params["name"] in NEEDS_LONG_WORLD else "own_world")


def test_four_families_can_be_searched() -> None:
    assert {models()[name].family for name in SEARCHED} == {"behavior", "forecasting", "recommendation", "text"}


@pytest.mark.journeys
@pytest.mark.parametrize("name", sorted({*SEARCHED} - {"recommendation"}))
def test_a_problem_is_the_same_however_often_it_is_pulled(name: str, home: Home) -> None:
    model = models()[name]
    problem = model.problem(home)
    assert digest(problem) == digest(model.problem(home))  # a search continues with its earlier trials
    _assert_sound(problem, problem.default)
    losses, _ = problem.test({})  # parameters that are left out have their defaults
    np.testing.assert_array_equal(losses, problem.test(problem.default)[0])


@pytest.mark.journeys
def test_a_ranker_is_searched_listener_by_listener(own_world: Home) -> None:
    problem = models()["recommendation"].problem(own_world)
    _assert_sound(problem, {**problem.default, "most_trees": 20})
    assert isinstance(problem, RankerProblem)
    test = problem.moments[-1]
    perfect = ndcg_of_groups(test.groups.labels.astype(float), test.groups, test.wanted)
    relevant_candidates = np.add.reduceat(test.groups.labels, np.cumsum([0, *test.groups.sizes[:-1]]))
    np.testing.assert_allclose(perfect[relevant_candidates == test.wanted], 1)  # every played track was a candidate
    assert (perfect[relevant_candidates < np.minimum(test.wanted, 10)] < 1).all()


def _assert_sound(problem: Problem, parameters: dict[str, Any]) -> None:
    """Checks finite losses for each unit, folds to search on, equality after pickling, and the effect of a view."""
    assert problem.folds
    losses, groups = problem.test(parameters)
    assert np.isfinite(losses).all()
    assert len(losses) == len(groups) > 10
    loss = problem.loss(0, parameters)
    assert np.isfinite(loss)
    copy = pickle.loads(pickle.dumps(problem))
    assert digest(copy) == digest(problem)
    assert copy.loss(0, parameters) == loss
    for view in problem.views[:1]:
        assert (problem.test(parameters, without=(view,))[0] != losses).any()


@pytest.mark.journeys
@pytest.mark.parametrize("name", RUN_MATCHES_PROBLEM)
def test_a_search_and_a_run_measure_the_same(name: str, home: Home) -> None:
    outcome = run_model(home, models()[name])
    problem = models()[name].problem(home)
    assert outcome.figure is not None
    assert problem.test(problem.default)[0].mean() == pytest.approx(outcome.figure.mean, rel=1e-6)


@pytest.mark.journeys
def test_parameters_reach_the_models_of_a_family(trained: Home, trained_once: tuple[Home, Outcome]) -> None:
    model, first = models()["user_behavior_forecaster"], trained_once[1]
    second = run_model(trained, model, parameters={"trees": 3, "leaves": 2})
    assert (first.version, second.version) == (1, 2)
    assert first.figure is not None
    assert second.figure is not None
    assert first.figure.mean != second.figure.mean
    assert version_files.lineage_of(trained, model.name, 2)["parameters"] == {"trees": 3, "leaves": 2}
    with pytest.raises(InputError, match="which are trees"):
        run_model(trained, model, parameters={"magic": 1})
    for invalid in ("many", -3, True, float("nan")):
        with pytest.raises(InputError, match="a positive number for trees"):
            run_model(trained, model, parameters={"trees": invalid})
    with pytest.raises(InputError, match="no parameters"):
        run_model(trained, models()["system_anomaly_detector"], parameters={"magic": 1})
    with pytest.raises(InputError, match="a choice of lightgbm"):
        search(trained, model.name, minutes=0.05, learners=("lightgbm",))


@pytest.mark.journeys
def test_a_family_is_searched(own_world: Home) -> None:
    result = search(own_world, "sentiment_model", minutes=0.1, jobs=1)
    assert result.trials >= 1
    assert "fewest" in result.parameters
    assert (result.version is None) == (result.gain.mean <= 0 or result.trials == 1)


@pytest.mark.journeys
def test_a_family_is_explained(trained: Home) -> None:
    explanation = explain(trained, "user_behavior_forecaster:1")
    assert sum(explanation.importance.values()) == pytest.approx(1)
    assert explanation.worth.keys() == {"user_listening", "user_history", "user_profile"}
    assert explanation.worth.keys() <= explanation.cost.keys()
    assert len(explanation.dependence) == 6
    assert len(explanation.rows) == 3
    assert explanation.page.is_file()
    run_model(trained, models()["sentiment_model"])
    with pytest.raises(InputError, match="computes its inputs from raw data"):
        explain(trained, "sentiment_model:1")
    with pytest.raises(BundleError):
        explain(trained, "recommendation")


def test_a_ranker_keeps_what_moved_it(world: Home) -> None:
    background = Background.read(open_bundle("recommendation", world).folder)
    assert background is not None
    assert background.model == "hybrid.onnx"
    assert set(background.importance) == set(HYBRID.inputs)
    booster = OnnxBooster(open_bundle("recommendation", world).read("hybrid.onnx"))
    answers = background.answer(np.asarray(booster.predict(background.inputs)), background.inputs)
    np.testing.assert_allclose(background.contributions.sum(axis=1), answers, rtol=1e-3, atol=1e-3)


def _move_cutoff_back(home: Home, model: Model, days: int) -> None:
    """Moves the cutoff of version 1 back by some days."""
    path = home.bundles(model.name) / "1" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["cutoff"] = (datetime.fromisoformat(manifest["cutoff"]) - timedelta(days=days)).isoformat()
    path.write_text(json.dumps(manifest))


@pytest.mark.journeys
def test_a_family_is_looked_at_and_watched(trained: Home, trained_once: tuple[Home, Outcome]) -> None:
    model, outcome = models()["user_behavior_forecaster"], trained_once[1]
    assert outcome.decision is not None
    checks = {check.name: check for check in outcome.decision.checks}
    assert checks["leak"].passed
    assert not checks["missing values"].binding
    promotions.promote(trained, model.name, 1)
    second = run_model(trained, model, again=True)
    assert second.decision is not None
    assert "as the champion's" in {check.name: check for check in second.decision.checks}["drift"].summary
    _move_cutoff_back(trained, model, 40)
    status = triggers.watch(trained, [model], triggers.Policy(days=1e9, growth=1e9, drifted=1.0, decay=1e9))[0]
    assert not status.due
    assert any("features drifted" in finding for finding in status.found)
    assert any(finding.startswith("brier") for finding in status.found)
    strict_status = triggers.watch(trained, [model], triggers.Policy(days=1e9, growth=1e9, drifted=-1.0, decay=-1e9))[0]
    assert [reason.partition(":")[0] for reason in strict_status.reasons] == ["drift", "decay"]


@pytest.mark.journeys
def test_a_model_whose_labels_come_late_is_not_due_when_it_was_just_trained(long: Home) -> None:
    model = models()["churn_model"]
    run_model(long, model)
    promotions.promote(long, model.name, 1)
    status = triggers.watch(long, [model])[0]  # its newest label is two weeks older than the newest play
    assert not status.due
    assert any(finding.startswith("0.0 days of events") for finding in status.found)


def test_a_detector_is_watched_by_the_rows_that_came_since(in_telemetry: Home) -> None:
    model = models()["system_anomaly_detector"]
    champion = version_files.champion_of(in_telemetry, model.name)
    assert champion is not None
    new_sample = model.fresh(in_telemetry, champion)
    assert new_sample is not None
    training_features = version_files.learned_from(in_telemetry, model.name, champion)
    assert training_features is not None
    assert training_features.keys() == new_sample.features.keys() == {"system_anomaly_v1"}
    assert training_features["system_anomaly_v1"].keys() <= new_sample.features["system_anomaly_v1"].keys()
