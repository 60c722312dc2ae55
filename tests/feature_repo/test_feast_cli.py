"""Plain `feast` on the definitions: apply, plan, list, materialize-incremental."""

import json
import os
import subprocess
import sys
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
    """Feast's own program, in its repository's folder."""
    told = {
        **os.environ,
        "REFRAIN_HOME": str(home.root),
        "FEAST_FS_YAML_FILE_PATH": str(config_file(home)),
        **environment,
    }
    if as_program:
        return subprocess.run([FEAST, *arguments], cwd=FOLDER, env=told, capture_output=True, text=True, check=False)
    return run_python("-m", "feast.cli.cli", *arguments, environment=told, folder=FOLDER)


def test_apply_plan_and_list_on_an_empty_folder(home: Home) -> None:
    applied = feast(home, "apply", as_program=True)
    assert applied.returncode == 0, applied.stderr
    listed = feast(home, "feature-views", "list").stdout.splitlines()[1:]
    names = sorted(line.split()[0] for line in listed if line.strip())
    from feature_repo.on_demand import ON_DEMAND
    from feature_repo.views import FEATURE_TABLES

    assert names == sorted([*FEATURE_TABLES, *ON_DEMAND])  # each once: Feast did not find a module twice
    planned = feast(home, "plan")
    assert planned.returncode == 0, planned.stderr
    assert "Created" not in planned.stdout


def test_materialize_incremental_brings_new_rows_online(own_world: Home) -> None:
    from inference.features import OnlineFeatures

    def newest_online() -> float:
        everybody = [f"u{number:06}" for number in range(150)]
        times = OnlineFeatures("listener_v1", own_world).get({"user_id": everybody}).event_times["user_history"]
        return 0.0 if np.isnan(times).all() else float(np.nanmax(times))

    redis_server.ensure(own_world).flushall()
    own_world.registry.unlink()
    assert feast(own_world, "apply").returncode == 0
    assert newest_online() == 0
    for command, moment in (
        ("materialize", datetime(2026, 1, 20, tzinfo=UTC)),
        ("materialize-incremental", datetime(2026, 2, 1, tzinfo=UTC)),
    ):
        begin = ["2025-01-01T00:00:00"] if command == "materialize" else []
        done = feast(own_world, command, *begin, moment.strftime("%Y-%m-%dT%H:%M:%S"))
        assert done.returncode == 0, done.stderr
        assert newest_online() == moment.timestamp()


def test_another_folder_needs_our_front_door(home: Home) -> None:
    refused = feast(home, "apply", FEAST_FS_YAML_FILE_PATH=str(FOLDER / "feature_store.yaml"))
    assert refused.returncode != 0
    assert "python -m feature_repo feast" in refused.stderr


def test_our_front_door_applies_and_compiles_the_manifest_twice_at_once(home: Home) -> None:
    environment = {**os.environ, "REFRAIN_HOME": str(home.root)}
    call = [sys.executable, "-m", "feature_repo", "apply"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    both = [subprocess.Popen(call, env=environment, **quiet) for _ in range(2)]  # type: ignore[call-overload]
    errors = [one.communicate()[1] for one in both]
    assert [one.returncode for one in both] == [0, 0], errors
    assert load_service(home, "recommendation_v1").join_keys == (
        "artist_id",
        "platform_id",
        "track_id",
        "user_id",
    )


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"REFRAIN_PROFILE": "moon"}, "REFRAIN_PROFILE to be unset or one of"),
        ({"REFRAIN_PROFILE": "redis"}, "export REFRAIN_REDIS="),
        ({"REFRAIN_TENANT": "../x"}, "REFRAIN_TENANT of lower-case"),
    ],
)
def test_a_wrong_environment_is_told(home: Home, environment: dict[str, str], told: str) -> None:
    call = [sys.executable, "-m", "feature_repo", "manifest"]
    done = subprocess.run(call, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_the_registry_is_dumped_with_on_demand_views(in_world: Home) -> None:
    dumped = feast(in_world, "registry-dump")
    assert dumped.returncode == 0, dumped.stderr
    from feature_repo.on_demand import ON_DEMAND

    found = json.loads(dumped.stdout[dumped.stdout.index("{") :])["onDemandFeatureViews"]
    assert sorted(view["spec"]["name"] for view in found) == sorted(ON_DEMAND)


def test_a_part_of_feast_that_needs_grpc_says_so(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    from feast.cli import cli
    from typer.testing import CliRunner

    from feature_repo.__main__ import app

    def start(*_: object, **__: object) -> None:
        raise ModuleNotFoundError("No module named 'grpc'", name="grpc")

    monkeypatch.setattr(cli.cli, "main", start)
    monkeypatch.setattr(sys, "path", [*sys.path])
    told = CliRunner().invoke(app, ["feast", "ui"], env={"FEAST_FS_YAML_FILE_PATH": ""})
    assert told.exit_code == 1
    assert "pip install grpcio" in told.output
