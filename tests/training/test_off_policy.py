"""Off-policy estimates: unbiased on simulated logs, equal to their definitions, and in agreement on real logs."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from feature_repo.errors import InputError
from training.evaluate.off_policy import (
    Impressions,
    by_exploration,
    cross_fitted_rewards,
    doubly_robust,
    ips,
    on_policy,
    snips,
)

RATES = np.array([0.1, 0.3, 0.6, 0.2])
LOGGING, EVALUATED = np.array([0.4, 0.3, 0.1, 0.2]), np.array([0.1, 0.1, 0.7, 0.1])


def simulate_log(size: int, seed: int) -> Impressions:
    rng = np.random.default_rng(seed)
    action = rng.choice(4, size=size, p=LOGGING)
    reward = (rng.random(size) < RATES[action]).astype(float)
    return Impressions(action, reward, LOGGING[action], np.zeros(size, int))


def test_the_truth_lies_within_the_intervals_as_often_as_they_say() -> None:
    truth, runs = float(EVALUATED @ RATES), 300
    covered = dict.fromkeys(("ips", "snips", "doubly robust", "on policy"), 0)
    values: dict[str, list[float]] = {name: [] for name in covered}
    for seed in range(runs):
        log = simulate_log(800, seed)
        chance = EVALUATED[log.action]
        rewards = cross_fitted_rewards(log, 4)
        policy_rewards, action_rewards = rewards @ EVALUATED, rewards[np.arange(800), log.action]
        estimates = {
            "ips": ips(log, chance),
            "snips": snips(log, chance),
            "doubly robust": doubly_robust(log, chance, policy_rewards, action_rewards),
            "on policy": on_policy(log.reward),
        }
        for name, estimate in estimates.items():
            target = float(LOGGING @ RATES) if name == "on policy" else truth
            covered[name] += abs(estimate.value - target) <= estimate.interval
            values[name].append(estimate.value)
    for name, count in covered.items():
        assert 0.9 < count / runs < 0.99, name
    for name in ("ips", "snips", "doubly robust"):
        assert np.mean(values[name]) == pytest.approx(truth, abs=0.01)
    assert np.std(values["doubly robust"]) < np.std(values["ips"])


def test_estimates_are_their_definitions() -> None:
    log = Impressions(np.array([0, 1]), np.array([1.0, 0.0]), np.array([0.5, 0.25]), np.zeros(2, int))
    policy = np.array([0.25, 0.75])
    assert ips(log, policy).value == pytest.approx((0.5 * 1 + 3 * 0) / 2)
    assert ips(log, policy, largest=0.1).value == pytest.approx(0.05)
    assert snips(log, policy).value == pytest.approx(0.5 / 3.5)
    assert ips(log, policy).effective == pytest.approx(3.5**2 / (0.25 + 9))
    estimate = doubly_robust(log, policy, np.array([0.2, 0.2]), np.array([0.3, 0.1]))
    assert estimate.value == pytest.approx((0.2 + 0.5 * 0.7 + 0.2 + 3 * -0.1) / 2)


def test_a_small_effective_sample_is_refused() -> None:
    log = simulate_log(3_000, 2)
    only_a_few = np.where(np.arange(3_000) < 2, 0.5, 0.0)
    for estimate in (ips(log, only_a_few), snips(log, only_a_few)):
        assert estimate.refusal.startswith("refused: an effective sample of ")
        assert np.isnan(estimate.interval)
        assert not abs(estimate.value - 0.2) <= estimate.interval
    assert on_policy(log.reward).refusal == ""


def test_the_same_policy_gets_what_it_earned() -> None:
    log = simulate_log(500, 1)
    for estimate in (ips(log, log.propensity), snips(log, log.propensity)):
        assert estimate.value == pytest.approx(log.reward.mean())
        assert estimate.effective == pytest.approx(500)


@pytest.mark.parametrize("propensity", [[0.0, 0.5], [1.2, 0.5], [float("nan"), 0.5]])
def test_chances_that_are_none_are_refused(propensity: list[float]) -> None:
    with pytest.raises(InputError, match="propensities above 0"):
        Impressions(np.arange(2), np.zeros(2), np.array(propensity), np.zeros(2, int))


def test_lengths_that_differ_are_refused() -> None:
    with pytest.raises(InputError, match="lengths"):
        Impressions(np.arange(3), np.zeros(2), np.ones(2), np.zeros(2, int))


def test_exploration_is_told_apart_from_the_ranking() -> None:
    rng = np.random.default_rng(3)
    explored = rng.random(20_000) < 0.2
    chance = np.where(explored, 0.2 * rng.choice([0.3, 0.7], 20_000), 0.8)
    reward = (rng.random(20_000) < np.where(explored, 0.05, 0.3)).astype(float)
    impressions = pl.DataFrame({"explored": explored, "propensity": chance, "reward": reward, "position": 0})
    estimates = by_exploration(impressions)
    assert estimates["as it was"].value == pytest.approx(0.25, abs=0.02)
    assert estimates["never explored (SNIPS)"].value == pytest.approx(0.3, abs=0.02)
    assert estimates["only explored (SNIPS)"].value == pytest.approx(0.05, abs=0.02)


def test_the_real_logs_agree_within_their_intervals(real_data: Path) -> None:
    """Open Bandit: the click rate of each policy, estimated from the log of the other policy."""
    from benchmarks.off_policy import estimates, policy_of, read

    if not (real_data / "open-bandit").is_dir():
        pytest.skip(f"no {real_data / 'open-bandit'}")
    logs = {name: read(real_data / "open-bandit" / name / "men" / "men.csv") for name in ("random", "bts")}
    for logging, evaluated in (("random", "bts"), ("bts", "random")):
        truth = on_policy(logs[evaluated].reward)
        by_estimator = estimates(logs[logging], policy_of(logs[evaluated], evaluated, 34))
        for name in ("ips", "snips", "doubly robust"):
            assert abs(by_estimator[name].value - truth.value) <= np.hypot(by_estimator[name].interval, truth.interval)
        error = abs(by_estimator["doubly robust"].value - truth.value)
        assert error < abs(by_estimator["the logging policy's own"].value - truth.value)
