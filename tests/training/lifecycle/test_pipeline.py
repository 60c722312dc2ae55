"""``MLPipeline`` from raw data to a promoted model: it survives a kill, continues, and repeats no finished stage."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from feature_repo.errors import InputError, StoreError
from feature_repo.home import Home
from feature_repo.stores import redis_server
from tests.serving import wait_until
from training import version_files
from training.mlflow_client import client
from training.models.base import Model
from training.pipeline import MLPipeline


@pytest.fixture
def pipeline(own_model: Model, own_world: Home) -> MLPipeline:
    return MLPipeline(feature_store=own_world, models=["own_model"])


def _stages(home: Home) -> dict[str, dict[str, str]]:
    try:
        return dict(json.loads((home.pipeline / "stages.json").read_text()))
    except (FileNotFoundError, ValueError):
        return {}


@pytest.mark.soak
def test_killed_and_repeated_it_ends_the_same(own_model: Model, own_world: Home, pipeline: MLPipeline) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(sys.modules["somebodys_models"].__file__ or "").parent.parent)}
    command = [sys.executable, "-W", "ignore", "-m", "training", "lifecycle", "own_model", "--deploy"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    wait_until(lambda: "features" in _stages(own_world), 120)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    first = pipeline.run("nightly", auto_deploy=True)
    assert [stage.name for stage in first.stages] == ["features", "apply", "train own_model", "deploy", "monitor"]
    assert first.stages[0].cached
    assert first.deployed == {"own_model": 1}
    assert version_files.champion_of(own_world, "own_model") == 1
    assert first.watched[0].model == "own_model"
    run = client(own_world).get_run(first.mlflow_run)
    assert run.data.metrics["log_loss_own_model"] == pytest.approx(first.outcomes[0].figure.mean)  # type: ignore[union-attr]
    assert run.data.params["deployment_target"] == "local"

    second = pipeline.run("nightly", auto_deploy=True)
    assert all(stage.cached for stage in second.stages if stage.name in ("features", "apply", "deploy"))
    assert second.outcomes[0].cached
    assert second.deployed == {"own_model": 1}
    assert [promotion["version"] for promotion in version_files.promotions(own_world, "own_model")] == [1]
    redis_server.stop(own_world)


def test_a_stage_that_fails_says_so_and_keeps_what_was_done(own_world: Home, pipeline: MLPipeline) -> None:
    file = next(own_world.raw("plays").rglob("*.parquet"))
    file.write_bytes(b"no parquet")
    with pytest.raises(StoreError) as error:
        pipeline.run()
    assert "'refrain build' to end well" in str(error.value)
    assert error.value.next_command == "refrain build"


def test_what_nobody_knows_is_an_error(own_world: Home) -> None:
    with pytest.raises(InputError, match="a data source"):
        MLPipeline(data_source="moon", feature_store=own_world, models=["recommendation"]).run()
    with pytest.raises(InputError, match="a deployment target"):
        MLPipeline(deployment_target="moon", feature_store=own_world, models=["recommendation"]).run()
    with pytest.raises(InputError, match="a model, one of"):
        MLPipeline(feature_store=own_world, models=["moon"]).run()
