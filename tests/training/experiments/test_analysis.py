"""An experiment from exposures to a verdict, on a small world, its metrics against a count by hand."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from feature_repo import experiments
from feature_repo.errors import InputError
from feature_repo.experiments import Experiment, Guardrail, Variant
from feature_repo.home import Home
from inference.experiments.assignment import arm_of
from training.__main__ import app
from training.experiments import report
from training.experiments.analysis import analyse_measurements
from training.experiments.metrics import Measurements, measure
from transforms.raw.read import scan

ARMS = ("control", "new")
EXPERIMENT = Experiment("one", (Variant("control"), Variant("new")), metric="plays", state="running")


def _expose(home: Home, at: datetime, users: list[str], arm_of_user: dict[str, str]) -> None:
    folder = home.exposures / f"date={at.date()}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "x.jsonl").open("a") as file:
        for number, user in enumerate(users):
            told = {
                "at": round(at.timestamp() * 1e6) + number,
                "user_id": user,
                "experiment": "one",
                "variant": arm_of_user[user],
                "chance": 0.5,
                "answer_id": f"{user}-{at:%d}",
            }
            file.write(json.dumps(told) + "\n")


@pytest.fixture
def exposed(own_world: Home) -> tuple[Home, datetime, dict[str, str]]:
    """Every listener who played, exposed ten days before the end of the plays."""
    plays = scan(own_world, "plays").collect()
    users = sorted(plays["user_id"].unique())
    newest = plays["event_timestamp"].max()
    assert isinstance(newest, datetime)
    at = (newest - timedelta(days=10)).replace(hour=12, minute=0)
    arms = {user: ARMS[arm_of(EXPERIMENT, user)] for user in users}
    _expose(own_world, at, users, arms)
    return own_world, at, arms


def test_metrics_are_what_was_done_in_the_seven_days(exposed: tuple[Home, datetime, dict[str, str]]) -> None:
    home, at, arms = exposed
    found = measure(home, EXPERIMENT)
    assert sum(found.sizes.values()) == len(arms)
    assert (found.mixed, found.waiting) == (0, 0)
    begins = at.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    plays = scan(home, "plays").collect()
    for low, told in ((begins, found.values), (begins - timedelta(days=8), found.before)):
        counts = dict(
            plays.filter(pl.col("event_timestamp").is_between(low, low + timedelta(days=7), closed="left"))
            .group_by("user_id")
            .len()
            .iter_rows()
        )
        for arm in ARMS:
            expected = sorted(counts.get(user, 0) for user, one in arms.items() if one == arm)
            assert sorted(np.nan_to_num(told["plays"][arm]).tolist()) == expected
    last = plays.filter(pl.col("event_timestamp").is_between(begins + timedelta(days=6), begins + timedelta(days=7)))
    active = set(last["user_id"])
    for arm in ARMS:
        share = np.mean([user in active for user, one in arms.items() if one == arm])
        assert found.values["retention"][arm].mean() == pytest.approx(share)


def test_who_saw_both_arms_and_who_is_not_done_is_left_out(exposed: tuple[Home, datetime, dict[str, str]]) -> None:
    home, at, arms = exposed
    users = sorted(arms)
    _expose(home, at + timedelta(hours=1), users[:3], dict.fromkeys(users[:3], "new"))
    mixed = sum(arms[user] == "control" for user in users[:3])
    late = [f"late{number}" for number in range(4)]
    _expose(home, at + timedelta(days=6), late, dict.fromkeys(late, "new"))
    found = measure(home, EXPERIMENT)
    assert found.mixed == mixed
    assert found.waiting == 4
    assert sum(found.sizes.values()) == len(arms) + 4 - mixed
    assert sum(len(values) for values in found.values["plays"].values()) == len(arms) - mixed


def test_the_command_tells_and_writes_a_page(exposed: tuple[Home, datetime, dict[str, str]], tmp_path: Path) -> None:
    home, _, _ = exposed
    experiments.add(home, Experiment("one", EXPERIMENT.variants, metric="plays"))
    experiments.start(home, "one", datetime.now(UTC))
    page = tmp_path / "page.html"
    done = CliRunner().invoke(app, ["experiment", "one", "--html", str(page)], env={"REFRAIN_HOME": str(home.root)})
    assert done.exit_code == 0, done.output
    assert "plays" in done.output
    assert "retention" in done.output
    content = page.read_text()
    assert "Experiment one" in content
    assert "<script" not in content
    assert "http://" not in content.replace("http://www.w3.org", "")
    missing = CliRunner().invoke(app, ["experiment", "other"], env={"REFRAIN_HOME": str(home.root)})
    assert missing.exit_code == 1


def test_nobody_exposed_is_an_error(own_world: Home) -> None:
    with pytest.raises(InputError, match="experiments start one"):
        measure(own_world, EXPERIMENT)


def _measured(sizes: tuple[int, int] = (2_000, 2_000), **shifts: float) -> Measurements:
    rng = np.random.default_rng(0)
    values, before = {}, {}
    for metric in ("plays", "skip_rate"):
        known = {arm: rng.normal(10, 2, size) for arm, size in zip(ARMS, sizes, strict=True)}
        shift = shifts.get(metric, 0.0)
        values[metric] = {arm: known[arm] + rng.normal(0, 1, len(known[arm])) + shift * (arm == "new") for arm in ARMS}
        before[metric] = known
    return Measurements(dict(zip(ARMS, sizes, strict=True)), 0, 0, values, before)


def _with(*rails: Guardrail) -> Experiment:
    return Experiment("one", EXPERIMENT.variants, metric="plays", guardrails=rails)


@pytest.mark.parametrize(
    ("shifts", "rails", "told"),
    [
        ({}, (), "No difference of plays was found"),
        ({"plays": 0.5}, (), "Plays is higher in new by"),
        ({"plays": -0.5}, (), "Plays is lower in new by"),
        ({"plays": 0.5, "skip_rate": 1.0}, (Guardrail("skip_rate", "up", 0.02),), "breaks the guardrail skip_rate"),
        ({"plays": 0.5}, (Guardrail("skip_rate", "up", 0.02),), "Plays is higher in new by"),
        ({"plays": 0.5}, (Guardrail("skip_rate", "up", 0.0001),), "not yet known: skip_rate"),
        ({"skip_rate": -3.0}, (Guardrail("skip_rate", "up", 0.02),), "No difference of plays"),
        ({"skip_rate": -3.0}, (Guardrail("skip_rate", "down", 0.02),), "breaks the guardrail"),
    ],
)
@pytest.mark.parametrize("always", [False, True])
def test_verdicts(shifts: dict[str, float], rails: tuple[Guardrail, ...], told: str, always: bool) -> None:
    assert told in analyse_measurements(_with(*rails), _measured(**shifts), always=always).verdict


def test_nothing_is_read_from_arms_of_the_wrong_size() -> None:
    found = analyse_measurements(_with(), _measured((2_000, 2_400), plays=5.0))
    assert "sizes" in found.verdict
    assert "higher" not in found.verdict


def test_too_few_say_nothing() -> None:
    found = analyse_measurements(_with(), _measured((20, 20), plays=5.0))
    assert found.verdict.startswith("Too early")
    assert found.comparisons == []
    assert "Too early" in report.page(found)


def test_names_are_escaped() -> None:
    found = analyse_measurements(_with(), _measured())
    object.__setattr__(found, "verdict", "<script>alert(1)</script>")
    assert "<script>" not in report.page(found)
