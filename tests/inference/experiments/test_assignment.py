"""Assignment of users to arms: stable, in the declared shares, and independent between experiments and layers."""

from datetime import UTC, datetime
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from scipy import stats

from feature_repo import experiments
from feature_repo.errors import InputError
from feature_repo.experiments import BUCKETS, Experiment, Experiments, Guardrail, Variant
from feature_repo.home import Home
from inference.experiments.assignment import arm_of, is_held_out, is_in, place, uniform

NOW = datetime(2026, 1, 1, tzinfo=UTC)
USERS = [f"u{number:06}" for number in range(20_000)]
TWO_VARIANTS = (Variant("control"), Variant("new"))


def _running_experiment(name: str = "one", **fields: object) -> Experiment:
    return Experiment(**{"name": name, "variants": TWO_VARIANTS, "state": "running", **fields})  # type: ignore[arg-type]


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_number_is_always_the_same_and_within(salt: str, unit: str) -> None:
    assert 0 <= uniform(salt, unit) < 1
    assert uniform(salt, unit) == uniform(salt, unit)


def test_it_is_the_same_everywhere() -> None:
    """The expected number was recorded once, so that every machine, run and version must give the same."""
    assert uniform("arm/one", "u000042") == pytest.approx(0.5721001641638452, abs=1e-12)


def test_numbers_are_uniform_and_salts_are_independent() -> None:
    first = np.array([uniform("a", user) for user in USERS])
    second = np.array([uniform("b", user) for user in USERS])
    assert stats.kstest(first, "uniform").pvalue > 0.001
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.03


@pytest.mark.parametrize("weights", [(1, 1), (1, 9), (3, 2, 5)])
def test_arms_have_the_sizes_that_were_declared(weights: tuple[float, ...]) -> None:
    variants = tuple(Variant(f"v{number}", weight) for number, weight in enumerate(weights))
    counts = np.bincount(
        [arm_of(_running_experiment(variants=variants), user) for user in USERS], minlength=len(weights)
    )
    assert stats.chisquare(counts, np.array(weights) / sum(weights) * len(USERS)).pvalue > 0.001


def test_arms_of_two_experiments_are_independent() -> None:
    first, second = _running_experiment("one"), _running_experiment("other")
    table = np.zeros((2, 2))
    for user in USERS:
        table[arm_of(first, user), arm_of(second, user)] += 1
    assert stats.chi2_contingency(table).pvalue > 0.001


def test_ramping_up_adds_listeners_and_moves_none() -> None:
    previous_members: set[str] = set()
    for share in (0.01, 0.1, 0.5, 1.0):
        members = {user for user in USERS if is_in(_running_experiment(share=share), user)}
        assert abs(len(members) / len(USERS) - share) < 0.01
        assert previous_members <= members
        previous_members = members
    assert previous_members == set(USERS)


def test_experiments_of_one_layer_share_nobody_and_fill_it() -> None:
    low, high = _running_experiment("low", buckets=(0, 4_000)), _running_experiment("high", buckets=(4_000, BUCKETS))
    for user in USERS[:5_000]:
        assert is_in(low, user) != is_in(high, user)
    assert abs(np.mean([is_in(low, user) for user in USERS]) - 0.4) < 0.015


def test_layers_are_independent() -> None:
    first, second = (
        _running_experiment("a", buckets=(0, 5_000)),
        _running_experiment("b", layer="other", buckets=(0, 5_000)),
    )
    share_in_both = np.mean([is_in(first, user) and is_in(second, user) for user in USERS])
    assert abs(share_in_both - 0.25) < 0.015


def test_the_holdout_is_in_none() -> None:
    declared = Experiments(holdout=0.05)
    share = np.mean([is_held_out(declared, user) for user in USERS])
    assert abs(share - 0.05) < 0.006
    assert not any(is_held_out(Experiments(), user) for user in USERS[:100])


@pytest.mark.parametrize("state", ["draft", "stopped"])
def test_nobody_is_in_what_does_not_run(state: str) -> None:
    assert not any(is_in(_running_experiment(state=state), user) for user in USERS[:500])


@given(st.floats(0, 1, exclude_max=True), st.lists(st.floats(0.001, 1_000), min_size=1, max_size=20))
def test_a_place_is_one_of_the_arms(number: float, weights: list[float]) -> None:
    assert 0 <= place(number, weights) < len(weights)


def test_a_file_is_written_whole_and_read_again(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert experiments.read(home) == Experiments()
    declared = Experiment("one", TWO_VARIANTS, guardrails=(Guardrail("skip_rate", "up"),), buckets=(0, 5_000))
    experiments.add(home, declared)
    running = experiments.start(home, "one", NOW, 0.1)
    assert (running.state, running.share, running.started) == ("running", 0.1, NOW)
    assert experiments.start(home, "one", NOW, 0.5).share == 0.5
    experiments.hold_out(home, 0.02)
    assert experiments.read(home).holdout == 0.02
    assert experiments.stop(home, "one", NOW, "enough").reason == "enough"
    assert experiments.stop(home, "one", NOW, "again").reason == "enough"
    stored_experiment = experiments.read(home).experiments["one"]
    assert (stored_experiment.state, stored_experiment.guardrails[0].metric, stored_experiment.buckets) == (
        "stopped",
        "skip_rate",
        (0, 5_000),
    )


@pytest.mark.parametrize(
    ("experiment", "message"),
    [
        (Experiment("One", TWO_VARIANTS), "name"),
        (Experiment("one", TWO_VARIANTS[:1]), "2 to 20 variants"),
        (Experiment("one", (Variant("a"), Variant("a"))), "names of their own"),
        (Experiment("one", (Variant("a"), Variant("b", 0.0))), "weight above 0"),
        (Experiment("one", (Variant("a"), Variant("b", float("inf")))), "weight above 0"),
        (Experiment("one", (Variant("a"), Variant("b", settings={"colour": 1}))), "colour"),
        (Experiment("one", (Variant("a"), Variant("b", settings={"model": "../../etc"}))), "model"),
        (Experiment("one", (Variant("a"), Variant("b", settings={"explore": 1.5}))), "explore as a number from 0 to 1"),
        (Experiment("one", (Variant("a"), Variant("b", settings={"explore": True}))), "explore as"),
        (Experiment("one", (Variant("a"), Variant("b", settings={"strategy": "magic"}))), "strategy as"),
        (Experiment("one", (Variant("a"), Variant("b", settings={"most_by_artist": 0}))), "most_by_artist as"),
        (Experiment("one", TWO_VARIANTS, buckets=(5, 5)), "buckets"),
        (Experiment("one", TWO_VARIANTS, buckets=(0, 10_001)), "buckets"),
        (Experiment("one", TWO_VARIANTS, share=1.5), "share"),
        (Experiment("one", TWO_VARIANTS, metric="fun"), "metrics among"),
        (Experiment("one", TWO_VARIANTS, guardrails=(Guardrail("fun"),)), "metrics among"),
    ],
)
def test_what_is_no_experiment_is_refused_and_nothing_written(
    tmp_path: Path, experiment: Experiment, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        experiments.add(Home(tmp_path), experiment)
    assert not Home(tmp_path).experiments.exists()


def test_what_cannot_be(tmp_path: Path) -> None:
    home = Home(tmp_path)
    for name in ("one", "other"):
        experiments.add(home, Experiment(name, TWO_VARIANTS))
    experiments.start(home, "one", NOW, 0.5)
    with pytest.raises(InputError, match="share no bucket"):
        experiments.start(home, "other", NOW)
    with pytest.raises(InputError, match=r"would be out"):
        experiments.start(home, "one", NOW, 0.4)
    with pytest.raises(InputError, match="a new name"):
        experiments.add(home, Experiment("one", TWO_VARIANTS))
    with pytest.raises(InputError, match="an experiment, one of"):
        experiments.stop(home, "nothing", NOW, "x")
    experiments.stop(home, "one", NOW, "x")
    with pytest.raises(InputError, match="was not stopped"):
        experiments.start(home, "one", NOW)
    experiments.start(home, "other", NOW)
    home.experiments.write_text('{"holdout": 0.1, "experiments": {"one": ')
    with pytest.raises(InputError, match="experiments as JSON"):
        experiments.read(home)
    home.experiments.write_text('{"colour": 1}')
    with pytest.raises(InputError, match="colour"):
        experiments.read(home)
