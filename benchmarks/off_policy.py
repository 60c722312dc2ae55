"""Accuracy of off-policy estimates: Open Bandit, men's campaign.

ZOZOTOWN logged the same slots under two policies: ``random`` (uniform over 34 items) and ``bts`` (Bernoulli Thompson
sampling), 10,000 impressions each in the public sample (Saito, Aihara, Matsutani, Narita: Open Bandit Dataset and
Pipeline, NeurIPS 2021 datasets track). The click rate of each policy is estimated from the log of the other, and
compared with the click rate in its own log, which is an estimate, too: with 46 to 69 clicks its interval is wide.

The probability of an item in a slot under the evaluated policy is one in 34 for ``random``. For ``bts``, whose draws do
not depend on features of the user, it is the mean logged propensity of that item and slot in its own log. The reward
model of the doubly robust estimate is each item's mean click rate, shrunk to the overall mean, from the other folds.

Judged on: held out: the log of the other policy, which no estimate reads.

    REFRAIN_TEST_DATA=../shared/data python -m benchmarks.off_policy [--campaign men]
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.surroundings import MACHINE, data_set
from training.evaluate.off_policy import (
    Estimate,
    Impressions,
    cross_fitted_rewards,
    doubly_robust,
    ips,
    on_policy,
    snips,
)

POLICIES = ("random", "bts")


def read(path: Path) -> Impressions:
    """Read one log; items and slots are numbered from 0."""
    rows = pl.read_csv(path, columns=["item_id", "position", "click", "propensity_score"])
    return Impressions(
        rows["item_id"].to_numpy(),
        rows["click"].to_numpy().astype(float),
        rows["propensity_score"].to_numpy(),
        rows["position"].to_numpy() - 1,
    )


def policy_of(log: Impressions, name: str, items: int) -> np.ndarray:
    """Return the policy's probabilities (slots, items); rows sum to 1."""
    slots = int(log.position.max()) + 1
    if name == "random":
        return np.full((slots, items), 1 / items)
    total, count = np.zeros((slots, items)), np.zeros((slots, items))
    np.add.at(total, (log.position, log.action), log.propensity)
    np.add.at(count, (log.position, log.action), 1)
    mean = np.where(count > 0, total / np.maximum(count, 1), 0)
    return np.asarray(mean / mean.sum(axis=1, keepdims=True))


def estimates(log: Impressions, policy: np.ndarray) -> dict[str, Estimate]:
    """Estimate the click rate of a policy (slots, items) from another policy's log, by every estimator."""
    propensity = policy[log.position, log.action]
    rewards = cross_fitted_rewards(log, policy.shape[1])
    expected = (policy[log.position] * rewards).sum(axis=1)
    shown_rewards = rewards[np.arange(len(log.action)), log.action]
    return {
        "ips": ips(log, propensity),
        "snips": snips(log, propensity),
        "doubly robust": doubly_robust(log, propensity, expected, shown_rewards),
        "reward model alone": on_policy(expected),
        "the logging policy's own": on_policy(log.reward),
    }


def main() -> None:
    """Print the table and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--campaign", default="men")
    campaign = parser.parse_args().campaign
    logs = {name: read(data_set("open-bandit") / name / campaign / f"{campaign}.csv") for name in POLICIES}
    items = 1 + max(int(log.action.max()) for log in logs.values())
    cases: list[dict[str, Any]] = []
    for logged, target in (POLICIES, POLICIES[::-1]):
        truth = on_policy(logs[target].reward)
        print(f"\n{target} from the log of {logged}: really {truth.value:.5f} ± {truth.interval:.5f}")
        print(f"{'estimate':28}{'click rate':>11}{'± 95 %':>9}{'off by':>9}{'effective n':>13}  within")
        for name, estimate in estimates(logs[logged], policy_of(logs[target], target, items)).items():
            relative_error = estimate.value / truth.value - 1
            within = abs(estimate.value - truth.value) <= np.hypot(estimate.interval, truth.interval)
            print(
                f"{name:28}{estimate.value:11.5f}{estimate.interval:9.5f}{relative_error:+9.1%}{estimate.effective:13,.0f}"
                f"  {estimate.refusal or ('yes' if within else 'NO')}"
            )
            case = {"case": f"{target} from {logged}", "metric": name, "value": round(estimate.value, 6)}
            half = None if estimate.refusal else round(estimate.interval, 6)
            truths = {"really": round(truth.value, 6), "interval": half}
            cases.append(
                {
                    **case,
                    **truths,
                    "relative_error": round(relative_error, 4),
                    "within": None if estimate.refusal else bool(within),
                }
            )
    print(json.dumps({"benchmark": "off_policy", "machine": MACHINE, "cases": cases}))


if __name__ == "__main__":
    main()
