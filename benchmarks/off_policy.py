"""How well off-policy estimates tell what a policy really earned: Open Bandit, men's campaign.

ZOZOTOWN logged the same slots under two policies: ``random`` (each of 34 items alike) and ``bts`` (Bernoulli Thompson
sampling), 10,000 impressions each in the public sample (Saito, Aihara, Matsutani, Narita: Open Bandit Dataset and
Pipeline, NeurIPS 2021 datasets track). From the log of one policy the click rate of the other is estimated, and held
beside what the other really earned in its own log, which is an estimate, too: with 46 to 69 clicks its interval is
wide.

The evaluated policy's chance of an item in a slot is: for ``random`` one in 34; for ``bts``, whose draws depend on no
feature of the user, the mean of the logged chances of that item and slot in its own log. The reward model of the doubly
robust estimate is each item's mean click rate, drawn to that of all, from the other folds.

    REFRAIN_TEST_DATA=../shared/data python -m benchmarks.off_policy [--campaign men]
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.protocols.row import folder
from benchmarks.surroundings import MACHINE
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
    """One log; items and slots are numbered from 0."""
    rows = pl.read_csv(path, columns=["item_id", "position", "click", "propensity_score"])
    return Impressions(
        rows["item_id"].to_numpy(),
        rows["click"].to_numpy().astype(float),
        rows["propensity_score"].to_numpy(),
        rows["position"].to_numpy() - 1,
    )


def policy_of(log: Impressions, name: str, items: int) -> np.ndarray:
    """(slots, items) chances, rows adding up to 1."""
    slots = int(log.position.max()) + 1
    if name == "random":
        return np.full((slots, items), 1 / items)
    total, count = np.zeros((slots, items)), np.zeros((slots, items))
    np.add.at(total, (log.position, log.action), log.propensity)
    np.add.at(count, (log.position, log.action), 1)
    mean = np.where(count > 0, total / np.maximum(count, 1), 0)
    return np.asarray(mean / mean.sum(axis=1, keepdims=True))


def estimates(log: Impressions, policy: np.ndarray) -> dict[str, Estimate]:
    """All of them, of a policy (slots, items), from another's log."""
    chance = policy[log.position, log.action]
    rewards = cross_fitted_rewards(log, policy.shape[1])
    expected = (policy[log.position] * rewards).sum(axis=1)
    shown = rewards[np.arange(len(log.action)), log.action]
    return {
        "ips": ips(log, chance),
        "snips": snips(log, chance),
        "doubly robust": doubly_robust(log, chance, expected, shown),
        "reward model alone": on_policy(expected),
        "the logging policy's own": on_policy(log.reward),
    }


def main() -> None:
    """Print the table and the line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--campaign", default="men")
    campaign = parser.parse_args().campaign
    logs = {name: read(folder("open-bandit") / name / campaign / f"{campaign}.csv") for name in POLICIES}
    items = 1 + max(int(log.action.max()) for log in logs.values())
    cases: list[dict[str, Any]] = []
    for logged, wanted in (POLICIES, POLICIES[::-1]):
        truth = on_policy(logs[wanted].reward)
        print(f"\n{wanted} from the log of {logged}: really {truth.value:.5f} ± {truth.interval:.5f}")
        print(f"{'estimate':28}{'click rate':>11}{'± 95 %':>9}{'off by':>9}{'effective n':>13}  within")
        for name, found in estimates(logs[logged], policy_of(logs[wanted], wanted, items)).items():
            away = found.value / truth.value - 1
            within = abs(found.value - truth.value) <= np.hypot(found.interval, truth.interval)
            print(
                f"{name:28}{found.value:11.5f}{found.interval:9.5f}{away:+9.1%}{found.effective:13,.0f}"
                f"  {'yes' if within else 'NO'}"
            )
            case = {"case": f"{wanted} from {logged}", "metric": name, "value": round(found.value, 6)}
            truths = {"really": round(truth.value, 6), "interval": round(found.interval, 6)}
            cases.append({**case, **truths, "relative_error": round(away, 4), "within": bool(within)})
    print(json.dumps({"benchmark": "off_policy", "machine": MACHINE, "cases": cases}))


if __name__ == "__main__":
    main()
