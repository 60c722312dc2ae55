"""An experiment from exposures to a verdict on a small world; plain counts of the plays check its metrics."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from msgspec.structs import replace
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


def _expose(home: Home, moment: datetime, users: list[str], arm_of_user: dict[str, str]) -> None:
    folder = home.exposures / f"date={moment.date()}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "x.jsonl").open("a") as file:
        for number, user in enumerate(users):
            exposure = {
                "at": round(moment.timestamp() * 1e6) + number,
                "user_id": user,
                "experiment": "one",
                "variant": arm_of_user[user],
                "chance": 0.5,
                "answer_id": f"{user}-{moment:%d}",
            }
            file.write(json.dumps(exposure) + "\n")


@pytest.fixture
def exposed(own_world: Home) -> tuple[Home, datetime, dict[str, str]]:
    """A home in which every listener with plays was exposed ten days before the last play, and the arm of each user."""
    plays = scan(own_world, "plays").collect()
    users = sorted(plays["user_id"].unique())
    newest = plays["event_timestamp"].max()
    assert isinstance(newest, datetime)
    moment = (newest - timedelta(days=10)).replace(hour=12, minute=0)
    arms = {user: ARMS[arm_of(EXPERIMENT, user)] for user in users}
    _expose(own_world, moment, users, arms)
    return own_world, moment, arms


def test_metrics_are_what_was_done_in_the_seven_days(exposed: tuple[Home, datetime, dict[str, str]]) -> None:
    home, moment, arms = exposed
    measurements = measure(home, EXPERIMENT)
    assert sum(measurements.sizes.values()) == len(arms)
    assert (measurements.mixed, measurements.waiting) == (0, 0)
    window_start = moment.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    plays = scan(home, "plays").collect()
    for start, values_by_metric in (
        (window_start, measurements.values),
        (window_start - timedelta(days=8), measurements.before),
    ):
        counts = dict(
            plays.filter(pl.col("event_timestamp").is_between(start, start + timedelta(days=7), closed="left"))
            .group_by("user_id")
            .len()
            .iter_rows()
        )
        for arm in ARMS:
            expected = sorted(counts.get(user, 0) for user, assigned_arm in arms.items() if assigned_arm == arm)
            assert sorted(np.nan_to_num(values_by_metric["plays"][arm]).tolist()) == expected
    last_day = plays.filter(
        pl.col("event_timestamp").is_between(window_start + timedelta(days=6), window_start + timedelta(days=7))
    )
    active = set(last_day["user_id"])
    for arm in ARMS:
        share = np.mean([user in active for user, assigned_arm in arms.items() if assigned_arm == arm])
        assert measurements.values["retention"][arm].mean() == pytest.approx(share)


def test_who_saw_both_arms_and_who_is_not_done_is_left_out(exposed: tuple[Home, datetime, dict[str, str]]) -> None:
    home, moment, arms = exposed
    users = sorted(arms)
    _expose(home, moment + timedelta(hours=1), users[:3], dict.fromkeys(users[:3], "new"))
    exposed_to_both = sum(arms[user] == "control" for user in users[:3])
    late_users = [f"late{number}" for number in range(4)]
    _expose(home, moment + timedelta(days=6), late_users, dict.fromkeys(late_users, "new"))
    measurements = measure(home, EXPERIMENT)
    assert measurements.mixed == exposed_to_both
    assert measurements.waiting == 4
    assert sum(measurements.sizes.values()) == len(arms) + 4 - exposed_to_both
    assert sum(len(values) for values in measurements.values["plays"].values()) == len(arms) - exposed_to_both


def test_who_was_exposed_before_the_start_by_a_clock_that_went_back_is_left_out(
    exposed: tuple[Home, datetime, dict[str, str]],
) -> None:
    home, moment, arms = exposed
    users = sorted(arms)
    _expose(home, moment - timedelta(days=365), users[:3], arms)
    measurements = measure(home, replace(EXPERIMENT, started=moment))
    assert measurements.misdated == 3
    assert sum(measurements.sizes.values()) == len(arms) - 3
    report_lines = "\n".join(report.lines(analyse_measurements(EXPERIMENT, measurements)))
    assert "3 listeners were exposed before the start" in report_lines


def test_the_command_tells_and_writes_a_page(exposed: tuple[Home, datetime, dict[str, str]], tmp_path: Path) -> None:
    home, moment, _ = exposed
    experiments.add(home, Experiment("one", EXPERIMENT.variants, metric="plays"))
    experiments.start(home, "one", moment)
    page = tmp_path / "page.html"
    result = CliRunner().invoke(app, ["experiment", "one", "--html", str(page)], env={"REFRAIN_HOME": str(home.root)})
    assert result.exit_code == 0, result.output
    assert "plays" in result.output
    assert "retention" in result.output
    content = page.read_text()
    assert "Experiment one" in content
    assert "<script" not in content
    assert "http://" not in content.replace("http://www.w3.org", "")
    unknown_experiment = CliRunner().invoke(app, ["experiment", "other"], env={"REFRAIN_HOME": str(home.root)})
    assert unknown_experiment.exit_code == 1


def test_nobody_exposed_is_an_error(own_world: Home) -> None:
    with pytest.raises(InputError, match="experiments start one"):
        measure(own_world, EXPERIMENT)


def _measurements(sizes: tuple[int, int] = (2_000, 2_000), **shifts: float) -> Measurements:
    rng = np.random.default_rng(0)
    values, before = {}, {}
    for metric in ("plays", "skip_rate"):
        before_by_arm = {arm: rng.normal(10, 2, size) for arm, size in zip(ARMS, sizes, strict=True)}
        shift = shifts.get(metric, 0.0)
        values[metric] = {
            arm: before_by_arm[arm] + rng.normal(0, 1, len(before_by_arm[arm])) + shift * (arm == "new") for arm in ARMS
        }
        before[metric] = before_by_arm
    return Measurements(dict(zip(ARMS, sizes, strict=True)), 0, 0, values, before)


def _experiment_with(*guardrails: Guardrail) -> Experiment:
    return Experiment("one", EXPERIMENT.variants, metric="plays", guardrails=guardrails)


@pytest.mark.parametrize(
    ("shifts", "rails", "expected"),
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
def test_verdicts(shifts: dict[str, float], rails: tuple[Guardrail, ...], expected: str, always: bool) -> None:
    assert expected in analyse_measurements(_experiment_with(*rails), _measurements(**shifts), always=always).verdict


def test_nothing_is_read_from_arms_of_the_wrong_size() -> None:
    analysis = analyse_measurements(_experiment_with(), _measurements((2_000, 2_400), plays=5.0))
    assert "sizes" in analysis.verdict
    assert "higher" not in analysis.verdict


def test_one_arm_is_an_error() -> None:
    alone = Experiment("one", (Variant("control"),), metric="plays")
    with pytest.raises(InputError, match="two arms of one"):
        analyse_measurements(alone, Measurements({"control": 100}, 0, 0))


def test_effects_are_shown_by_listeners() -> None:
    measurements = _measurements(plays=0.5)
    for arm in ARMS:
        measurements.before["plays"][arm][::3] = np.nan
    analysis = analyse_measurements(_experiment_with(), measurements)
    assert set(analysis.segments["new"].effects) == {"new", "less before", "more before"}
    assert "By listeners" in report.page(analysis)
    assert any("plays of new by listeners: new +" in line for line in report.lines(analysis))


def test_many_metrics_are_corrected_together() -> None:
    """Of 40 metrics without a difference one or two differ at 5 % by chance alone."""
    rng = np.random.default_rng(1)
    values = {f"metric {number}": {arm: rng.normal(10, 2, 300) for arm in ARMS} for number in range(40)}
    analysis = analyse_measurements(_experiment_with(), Measurements(dict.fromkeys(ARMS, 300), 0, 0, values))
    assert min(comparison.effect.p_value for comparison in analysis.comparisons) < 0.05
    assert {comparison.verdict for comparison in analysis.comparisons} == {"no difference found"}


def test_too_few_say_nothing() -> None:
    analysis = analyse_measurements(_experiment_with(), _measurements((20, 20), plays=5.0))
    assert analysis.verdict.startswith("Too early")
    assert analysis.comparisons == []
    assert "Too early" in report.page(analysis)


def test_names_are_escaped() -> None:
    analysis = analyse_measurements(_experiment_with(), _measurements())
    object.__setattr__(analysis, "verdict", "<script>alert(1)</script>")
    assert "<script>" not in report.page(analysis)
