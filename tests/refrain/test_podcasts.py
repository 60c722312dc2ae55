"""The page docs/podcasts.md: every command on it, from a table to an answer over HTTP."""

import os
from pathlib import Path

import pytest

from benchmarks import podcasts
from feature_repo.contract import contract_of
from feature_repo.home import REPOSITORY, Home
from feature_repo.manifest import load_views
from tests.processes import run_python
from training.datasets import training_set


def run_refrain(words: list[str], folder: Path) -> None:
    run_python("-m", "refrain", *words, folder=folder, check=True)


@pytest.mark.journeys
def test_a_strangers_table_becomes_features_a_model_and_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REFRAIN_HOME", raising=False)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")]))
    performed = podcasts.perform(tmp_path, 4_000, run_refrain)
    project = performed["project"]
    assert len(performed["seconds"]) <= 15
    files = {path.name for path in project.iterdir() if path.is_file() and path.name[0] != "."}
    assert files == {"refrain.toml", "podcasts_features.py", "podcasts_models.py"}
    features, predictions = performed["answers"]
    assert features["values"]["listener_plays__plays_28d"][0] >= 0
    assert 0 < predictions["values"][0] < 1
    home = Home(project / "data", project_folder=project)
    contract = contract_of(home)
    assert set(contract.feature_tables) == {"listener_plays", "show_plays"}
    assert set(contract.services) == {"plays_v1"}
    assert load_views(home) == ("podcasts_default", ["listener_plays", "show_plays"])
    monkeypatch.setenv("REFRAIN_PROJECT", str(project))
    spine = {"listener": ["l00007"], "show": ["s0003"], "event_timestamp": ["2026-03-01T12:00:00Z"]}
    assert training_set("plays_v1", spine, home=home).to_polars().height == 1
