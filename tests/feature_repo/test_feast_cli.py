"""Feast's own command line on the definitions: apply, plan, list, materialize-incremental."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from feature_repo.home import Home
from feature_repo.manifest import load_service
from feature_repo.store import FOLDER, config_file
from feature_repo.stores import redis_server
from tests.processes import run_python

FEAST = Path(sys.executable).with_name("feast")


def feast(
    home: Home, *arguments: str, as_program: bool = False, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Runs Feast's own program in the folder of its repository."""
    variables = {
        **os.environ,
        "REFRAIN_HOME": str(home.root),
        "FEAST_FS_YAML_FILE_PATH": str(config_file(home)),
        **environment,
    }
    if as_program:
        call = [FEAST, *arguments]
        return subprocess.run(call, cwd=FOLDER, env=variables, capture_output=True, text=True, check=False)
    return run_python("-m", "feast.cli.cli", *arguments, environment=variables, folder=FOLDER)


@pytest.mark.journeys
def test_apply_plan_and_list_on_an_empty_folder(home: Home) -> None:
    apply_process = feast(home, "apply", as_program=True)
    assert apply_process.returncode == 0, apply_process.stderr
    lines = feast(home, "feature-views", "list").stdout.splitlines()[1:]
    names = sorted(line.split()[0] for line in lines if line.strip())
    from tests.music import FEATURE_TABLES, ON_DEMAND

    assert names == sorted([*FEATURE_TABLES, *ON_DEMAND])  # each once: Feast did not import a module twice
    plan_process = feast(home, "plan")
    assert plan_process.returncode == 0, plan_process.stderr
    assert "Created" not in plan_process.stdout


@pytest.mark.journeys
def test_materialize_incremental_brings_new_rows_online(own_world: Home) -> None:
    from inference.features import OnlineFeatures

    def newest_online() -> float:
        user_ids = [f"u{number:06}" for number in range(150)]
        times = OnlineFeatures("listener_v1", own_world).get({"user_id": user_ids}).event_times["user_history"]
        return 0.0 if np.isnan(times).all() else float(np.nanmax(times))

    redis_server.ensure(own_world).flushall()
    own_world.registry.unlink()
    assert feast(own_world, "apply").returncode == 0
    assert newest_online() == 0
    for command, moment in (
        ("materialize", datetime(2026, 1, 20, tzinfo=UTC)),
        ("materialize-incremental", datetime(2026, 2, 1, tzinfo=UTC)),
    ):
        start_time = ["2025-01-01T00:00:00"] if command == "materialize" else []
        process = feast(own_world, command, *start_time, moment.strftime("%Y-%m-%dT%H:%M:%S"))
        assert process.returncode == 0, process.stderr
        assert newest_online() == moment.timestamp()


def test_another_folder_needs_our_front_door(home: Home) -> None:
    process = feast(home, "apply", FEAST_FS_YAML_FILE_PATH=str(FOLDER / "feature_store.yaml"))
    assert process.returncode != 0
    assert "refrain feast" in process.stderr


@pytest.mark.journeys
def test_our_front_door_applies_and_compiles_the_manifest_twice_at_once(home: Home) -> None:
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(run_python, "-m", "feature_repo", "apply") for _ in range(2)]
    processes = [future.result() for future in futures]
    assert [process.returncode for process in processes] == [0, 0], [process.stderr for process in processes]
    assert load_service(home, "recommendation_v1").join_keys == (
        "artist_id",
        "platform_id",
        "track_id",
        "user_id",
    )


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"REFRAIN_PROFILE": "moon"}, "REFRAIN_PROFILE to be unset or one of"),
        ({"REFRAIN_PROFILE": "redis"}, "export REFRAIN_REDIS="),
        ({"REFRAIN_TENANT": "../x"}, "REFRAIN_TENANT of lower-case"),
    ],
)
def test_a_wrong_environment_is_told(home: Home, environment: dict[str, str], message: str) -> None:
    process = run_python("-m", "feature_repo", "manifest", environment={**os.environ, **environment})
    assert process.returncode == 1
    assert message in process.stderr
    assert "Traceback" not in process.stderr


@pytest.mark.journeys
def test_the_registry_is_dumped_with_on_demand_views(in_world: Home) -> None:
    process = feast(in_world, "registry-dump")
    assert process.returncode == 0, process.stderr
    from tests.music import ON_DEMAND

    views = json.loads(process.stdout[process.stdout.index("{") :])["onDemandFeatureViews"]
    assert sorted(view["spec"]["name"] for view in views) == sorted(ON_DEMAND)


def test_a_part_of_feast_that_needs_grpc_says_so(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    from feast.cli import cli
    from typer.testing import CliRunner

    from feature_repo.__main__ import app

    def fail_without_grpc(*_: object, **__: object) -> None:
        raise ModuleNotFoundError("No module named 'grpc'", name="grpc")

    monkeypatch.setattr(cli.cli, "main", fail_without_grpc)
    monkeypatch.setattr(sys, "path", [*sys.path])
    result = CliRunner().invoke(app, ["feast", "ui"], env={"FEAST_FS_YAML_FILE_PATH": ""})
    assert result.exit_code == 1
    assert "pip install grpcio" in result.output
