"""A model in one file is discovered, trained, validated, registered, compared, rolled back and explained."""

import json
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from feature_repo.errors import BundleError, InputError, RefrainError, StoreError
from feature_repo.home import Home
from training import mlflow_paths, promotions, registry, version_files
from training.compare import compare
from training.explain.explanation import explain
from training.mlflow_client import client
from training.models.base import Model
from training.models.find import PACKAGES, models, select
from training.models.served import ServedTabular
from training.models.tabular import TabularModel
from training.pipeline import triggers
from training.pipeline.models import run_key, run_model, run_models
from training.pipeline.table import table
from training.tuning.search import search
from training.validation.evidence import MODEL_KEY, PERMUTED
from training.validation.gates import Decision


def test_one_file_is_a_model(own_model: Model, own_world: Home) -> None:
    outcome = run_model(own_world, own_model)
    assert outcome.version == 1
    assert not outcome.cached
    assert outcome.figure is not None
    assert outcome.pull < max(outcome.seconds, 1)
    repeated = run_model(own_world, own_model)
    assert (repeated.version, repeated.cached) == (1, True)
    assert repeated.figure == outcome.figure
    evidence = version_files.evidence_of(own_world, "own_model", 1)
    assert evidence is not None
    # a linear model is the baseline, or serves itself where it was better
    assert set(evidence.values) - {"linear"} == {MODEL_KEY, "constant", PERMUTED}
    assert set(evidence.segments) == {"context", "plan", "gender", "age", "country"}  # its own, and of people
    lineage = version_files.lineage_of(own_world, "own_model", 1)
    assert lineage["training_sets"][0]["feature_service"] == "skip_v1"
    assert lineage["rows"]["plays"] > 0
    run = client(own_world).search_runs([client(own_world).get_experiment_by_name("own_model").experiment_id])[0]
    assert run.data.tags["training_set"] == lineage["training_sets"][0]["digest"]

    # serving predicts as training does, with features in any order
    served = ServedTabular.load(own_world, "own_model:1")
    assert isinstance(own_model, TabularModel)
    rows = own_model.pull(own_world)
    learner, parameters = served.extra["learner"], served.extra["parameters"]
    assert ("linear" in evidence.values) == (learner != "linear")
    native = own_model.fit(rows, served.layout, learner, parameters).predict(served.layout.matrix(rows.features))
    np.testing.assert_allclose(served.predict(rows), native, atol=1e-5)
    reversed_rows = replace(rows, features=dict(reversed(rows.features.items())))
    np.testing.assert_array_equal(served.predict(reversed_rows), served.predict(rows))
    without_feature = {name: values for name, values in rows.features.items() if name != served.layout.names[3]}
    with pytest.raises(InputError, match=served.layout.names[3]):
        served.layout.matrix(without_feature)


def test_versions_are_compared_promoted_rolled_back_and_explained(own_model: Model, own_world: Home) -> None:
    run_model(own_world, own_model)
    second = run_model(own_world, own_model, parameters={"trees": 5})
    assert second.version == 2
    promotions.promote(own_world, "own_model", 1)
    promotions.promote(own_world, "own_model", 2, reason="better")
    lines = "\n".join(compare(own_world, "own_model", 2, 1))
    assert "that both tests share" in lines
    assert promotions.rollback(own_world, "own_model") == 1
    assert version_files.champion_of(own_world, "own_model") == 1
    assert [promotion["version"] for promotion in version_files.promotions(own_world, "own_model")] == [1, 2, 1]
    assert version_files.rolled_back(own_world, "own_model") == {2}  # automatic promotion skips this version
    assert "was rolled back" in promotions.promote_by_itself(own_world, "own_model", 2, Decision(()), "nightly")
    with pytest.raises(BundleError, match="before the one that serves"):
        promotions.rollback(own_world, "own_model")
    assert promotions.promote(own_world, "own_model", 2, alias=registry.SHADOW) == 2
    assert version_files.champion_of(own_world, "own_model") == 1

    # changed parameters train a new version, which is compared with the champion
    third = run_model(own_world, own_model, parameters={"learner": "linear"})
    assert third.decision is not None
    assert third.decision.champion == 1
    # both versions have the same data
    assert [check.passed for check in third.decision.checks if check.name == "drift"] == [True]

    explanation = explain(own_world, "own_model", rows=2)
    assert sum(explanation.importance.values()) == pytest.approx(1)
    assert "track_popularity" in explanation.worth
    assert explanation.cost.keys() <= explanation.worth.keys()
    assert max(cost.row_bytes for cost in explanation.cost.values()) > 0
    assert len(explanation.rows) == 2
    assert explanation.page.is_file()
    assert "\n".join(explanation.lines())


def test_names_are_unique_and_packages_exist(own_model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    second = tmp_path / "models" / "somebodys_models" / "second.py"
    second.write_text((second.parent / "own_model.py").read_text())

    with pytest.raises(InputError, match="a second 'own_model'"):
        models()
    monkeypatch.setenv(PACKAGES, "nobodys_models")
    with pytest.raises(InputError, match="nobodys_models"):
        models()
    monkeypatch.delenv(PACKAGES)
    with pytest.raises(InputError, match="a model, one of"):
        select("fortune_telling")
    assert {model.family for model in select("all")} >= {"recommendation", "text", "audio", "anomaly", "forecasting"}


@pytest.mark.parametrize(
    "method",
    [
        "log_artifacts",
        "set_registered_model_alias",
        *(
            pytest.param(name, marks=pytest.mark.soak)
            for name in ("create_run", "create_model_version", "set_terminated")
        ),
    ],
)
def test_killed_anywhere_and_repeated_it_ends_the_same(
    own_model: Model, own_world: Home, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    from mlflow import MlflowClient

    class Killed(BaseException):
        pass

    def raise_killed(*arguments: Any, **keywords: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, method, raise_killed)
        with pytest.raises(Killed):
            run_model(own_world, own_model)
    outcome = run_model(own_world, own_model)
    assert outcome.version == 1
    assert registry.challenger_of(own_world, "own_model") == 1
    assert [path.name for path in own_world.bundles("own_model").iterdir()] == ["1"]
    assert run_model(own_world, own_model).cached


def test_the_key_follows_what_the_model_is_made_of(own_model: Model, own_world: Home) -> None:
    from training.pipeline.digests import Digests

    before = run_key(own_world, own_model, Digests(own_world))
    assert run_key(own_world, own_model, Digests(own_world), {"trees": 7}) != before
    file = next(own_world.features("track_popularity").rglob("*.parquet"))
    pl.read_parquet(file).head(1).write_parquet(file)
    assert run_key(own_world, own_model, Digests(own_world)) != before


def test_models_whose_data_are_missing_are_told_and_the_others_go_on(own_model: Model, own_world: Home) -> None:
    outcomes = run_models(own_world, [*select("audio"), own_model])
    by_name = {outcome.model.name: outcome for outcome in outcomes}
    assert by_name["own_model"].version == 1
    error = by_name["audio_classifier"].error
    assert error is not None
    assert "refrain " in error.next_command
    assert table(outcomes).row_count == 2


@pytest.mark.journeys
def test_models_in_processes_of_their_own_are_the_same(own_model: Model, own_world: Home) -> None:
    without_data = [*select("audio"), *select("system_anomaly_detector")]
    outcomes = run_models(own_world, [*without_data, own_model], jobs=2)
    assert [outcome.model for outcome in outcomes] == [*without_data, own_model]
    for outcome in outcomes[:-1]:
        assert outcome.error is not None
        assert "refrain " in outcome.error.next_command
    assert outcomes[-1].version == 1
    assert outcomes[-1].figure is not None
    assert run_model(own_world, own_model).cached


def _with_changes(model: Model, **changes: Any) -> TabularModel:
    assert isinstance(model, TabularModel)
    return replace(model, **changes)


def test_a_gone_or_changed_feature_service_is_an_error(own_model: Model, own_world: Home) -> None:
    with pytest.raises(RefrainError, match="gone_v9"):
        run_model(own_world, _with_changes(own_model, services=("gone_v9",)))
    document = json.loads(own_world.manifest.read_text())
    document["services"]["skip_v1"]["fingerprint"] = "another"
    own_world.manifest.write_text(json.dumps(document))
    with pytest.raises(BundleError, match="skip_v1 as it was when own_model was trained"):
        run_model(own_world, own_model)
    assert registry.challenger_of(own_world, "own_model") is None
    assert not any(path.name.isdigit() for path in own_world.bundles("own_model").iterdir())


def test_rows_without_a_label_column_are_an_error(own_model: Model, own_world: Home) -> None:
    assert isinstance(own_model, TabularModel)
    rows = own_model.rows
    with pytest.raises(InputError, match="a column 'label'"):
        run_model(own_world, _with_changes(own_model, rows=lambda home: rows(home).drop("label")))
    with pytest.raises(InputError, match="at least 50 labelled rows"):
        run_model(own_world, _with_changes(own_model, rows=lambda home: rows(home).head(10)))
    with pytest.raises(InputError, match="of both classes"):
        run_model(own_world, _with_changes(own_model, rows=lambda home: rows(home).with_columns(label=pl.lit(1))))
    with pytest.raises(InputError, match="a learner, one of"):
        run_model(own_world, own_model, parameters={"learner": "magic"})
    with pytest.raises(InputError, match="parameters of own_model, which are trees"):
        run_model(own_world, own_model, parameters={"magic": 1})
    assert registry.versions(own_world)[0].name == "recommendation"


def test_a_full_disk_leaves_nothing_half_registered(
    own_model: Model, own_world: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    from training import bundle

    write_bytes = Path.write_bytes

    def raise_disk_full(self: Path, content: bytes) -> int:
        if own_world.bundles("own_model") in self.parents:
            raise OSError(errno.ENOSPC, "No space left on device", str(self))
        return write_bytes(self, content)

    with monkeypatch.context() as patch:
        patch.setattr(bundle.Path, "write_bytes", raise_disk_full)
        with pytest.raises(OSError, match="No space left"):
            run_model(own_world, own_model)
    assert registry.challenger_of(own_world, "own_model") is None
    assert not any(own_world.bundles("own_model").iterdir())
    assert run_model(own_world, own_model).version == 1


def test_an_mlflow_that_is_gone_is_one_clear_error(own_model: Model, own_world: Home) -> None:
    (own_world.mlflow / "mlflow.db").write_bytes(b"this is no database, and has never been one" * 100)
    with pytest.raises(StoreError) as error:
        run_model(own_world, own_model)
    assert "MLflow's database" in str(error.value)
    assert not own_world.bundles("own_model").is_dir() or not any(own_world.bundles("own_model").iterdir())


def test_a_locked_mlflow_is_one_clear_error(own_model: Model, own_world: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlflow_paths, "LOCK_SECONDS", 0.5)  # instead of half a minute
    connection = sqlite3.connect(own_world.mlflow / "mlflow.db", isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(StoreError) as error:
            run_model(own_world, own_model)
    finally:
        connection.execute("ROLLBACK")
        connection.close()
    assert "MLflow's database" in str(error.value)
    assert run_model(own_world, own_model).version == 1


@pytest.mark.journeys
def test_a_search_beats_the_default_or_says_that_it_does_not(own_model: Model, own_world: Home) -> None:
    result = search(own_world, "own_model", minutes=0.05, jobs=1, learners=("linear", "lightgbm"))
    assert result.trials >= 1
    assert (result.version is None) == (
        result.gain.mean <= 0 or (result.parameters["learner"] == "lightgbm" and result.trials == 1)
    )
    continued = search(own_world, "own_model", minutes=0.05, jobs=1, learners=("linear", "lightgbm"))
    assert continued.trials > result.trials  # the search continues with the earlier trials
    assert continued.validation <= result.validation
    with pytest.raises(InputError, match="has parameters to search"):
        search(own_world, "capacity_forecaster", minutes=0.05)


def test_retraining_is_decided_and_the_reasons_are_kept(own_model: Model, own_world: Home) -> None:
    assert triggers.watch(own_world, [own_model]) == []
    run_model(own_world, own_model)
    promotions.promote(own_world, "own_model", 1)
    unchanged, policy = (
        triggers.watch(own_world, [own_model], triggers.Policy(days=1e9, growth=1e9))[0],
        triggers.Policy(days=-1),
    )
    assert not unchanged.due
    retrained = triggers.retrain(own_world, [own_model], policy)
    assert retrained[0].due
    assert "schedule" in retrained[0].reasons[0]
    assert triggers.decisions(own_world)[-1]["came"] == "kept 1: it was trained with the same code and data"
    # a worse challenger does not replace the champion
    worse_model = _with_changes(own_model, parameters={"trees": 1, "learning_rate": 0.001})
    triggers.retrain(own_world, [worse_model], policy)
    assert "may not serve" in str(triggers.decisions(own_world)[-1]["came"])
    assert version_files.champion_of(own_world, "own_model") == 1


def test_features_are_left_out_and_listeners_told_apart(own_model: Model, own_world: Home) -> None:
    grouped_model = _with_changes(own_model, horizon=None, name="apart_model")
    outcome = run_model(own_world, grouped_model, parameters={"without": "user_profile,track_catalogue__explicit"})
    served = ServedTabular.load(own_world, "apart_model:1")
    assert not [name for name in served.layout.names if name.startswith("user_profile__")]
    assert "track_catalogue__explicit" not in served.layout.names
    assert "track_catalogue__duration_ms" in served.layout.names
    assert "of other user_ids asked about" in outcome.lines[0]
    rows = grouped_model.leaving_out(served.extra["without"]).pull(own_world)
    train_rows, test_rows = grouped_model.split(rows)
    assert not set(rows.clusters[train_rows]) & set(rows.clusters[test_rows])
    assert len(grouped_model.periods(rows.take(train_rows))) == 3
