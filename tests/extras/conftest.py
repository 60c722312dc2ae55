"""The wheel, and environments that are made of it one after another."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.environments import Environment, build_wheel, copy_data

NOW = "2026-02-05T00:00:00"
"""The end of the tiny world."""
WORLD = ("--users", "150", "--tracks", "400", "--days", "35", "--plays", "20000")

TRAIN = """
from datetime import UTC, datetime

from refrain import Home, training_set
from training.models.recommendation.run import Settings, run

moments = [datetime(2026, 2, 1, tzinfo=UTC)] * 2
rows = training_set("listener_v1", {"user_id": ["u000001", "nobody"], "event_timestamp": moments}).to_polars()
assert len(rows) == 2 and rows["user_id"].to_list() == ["u000001", "nobody"], rows
run(Home.from_env(), Settings(folds=3, users_per_fold=60, users_measured=100))
"""
"""A training set and a small recommender, with the SDK."""

Make = Callable[[str], Environment]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the working copy, built once."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def make(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Make]:
    """Makes an environment with an extra; afterwards nothing may have been written into it."""
    made: list[Environment] = []

    def make_environment(extra: str) -> Environment:
        environment = Environment.make(tmp_path_factory.mktemp(extra.replace(",", "-") or "none"))
        environment.install(requirement(wheel, extra))
        made.append(environment)
        return environment

    yield make_environment
    for environment in made:
        written = environment.written()
        environment.remove()
        assert not written, written[:10]


def requirement(wheel: Path, extra: str) -> str:
    """Returns the requirement of the wheel with an extra."""
    return f"refrain{f'[{extra}]' if extra else ''} @ {wheel.as_uri()}"


@pytest.fixture(scope="session")
def trained(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a tiny world, made with the extra ``training``: trained, promoted, materialized."""
    environment = Environment.make(tmp_path_factory.mktemp("trained"))
    environment.install(requirement(wheel, "training"))
    variables = {"REFRAIN_NOW": NOW}
    environment.refrain("simulate", *WORLD, **variables)
    environment.refrain("build", **variables)
    environment.refrain("apply", **variables)
    environment.run("python", "-W", "ignore", "-c", TRAIN, **variables)
    environment.refrain("model", "promote", "recommendation", "--anyway", **variables)  # too tiny to decide
    environment.refrain("materialize", **variables)
    environment.refrain("redis", "stop")
    folder = tmp_path_factory.mktemp("data") / "refrain"
    copy_data(environment.home, folder)
    environment.remove()
    return folder
