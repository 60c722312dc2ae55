"""Statistics of experiments: a published experiment reproduced, and error rates where the truth is known.

- **Cookie Cats** (90,189 players, gate at level 30 or 40): the sizes of the arms and their chi-squared test, retention
  after one day and seven, as published (44,700 and 45,489 players; .4482/.4423; .1902/.1820).
- **A/A**: 2,000 experiments without an effect, 400 listeners per arm, whose values are drawn with replacement from the
  rounds of Cookie Cats: how often a difference is found at 5 %, at the end (Welch, with and without CUPED) and with 20
  interim looks (Welch, and the confidence sequence).
- **Power**: the same with 10 % more in one arm: how often the effect is found, with and without CUPED, and the sample
  size by ``power.listeners``.

Seed 0. The covariate of CUPED is the metric with noise, with a correlation of .7.

Judged on: published figures, and simulations whose truth is known; nothing is fitted.
"""

import argparse
import csv
import json
from typing import Any

import numpy as np

from benchmarks.surroundings import MACHINE, data_set, judged
from training.experiments import cuped, fixed, sequential
from training.experiments.power import listeners
from training.experiments.sample_ratio import sample_ratio

PUBLISHED = {"gate_30": (44_700, 0.4482, 0.1902), "gate_40": (45_489, 0.4423, 0.1820)}


def cookie_cats() -> tuple[dict[str, dict[str, np.ndarray]], np.ndarray]:
    """Read arm → metric → one value per player, and the rounds of all players."""
    with data_set("cookie-cats-ab/cookie_cats.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    arms = {
        arm: {
            metric: np.array([float(row[metric] == "TRUE") for row in rows if row["version"] == arm])
            for metric in ("retention_1", "retention_7")
        }
        for arm in PUBLISHED
    }
    return arms, np.minimum(np.array([float(row["sum_gamerounds"]) for row in rows]), 1_000)


def published(arms: dict[str, dict[str, np.ndarray]]) -> list[dict[str, Any]]:
    """Compare our statistics with the published ones."""
    ratio = sample_ratio([len(arm["retention_1"]) for arm in arms.values()], [1, 1])
    print(f"Cookie Cats: {ratio.found[0]:,} and {ratio.found[1]:,} players, p {ratio.p_value:.4f}: {ratio.verdict}")
    cases = [{"case": "Cookie Cats, sizes", "metric": "p of the chi-squared test", "value": round(ratio.p_value, 4)}]
    for (arm, figures), players in zip(PUBLISHED.items(), ratio.found, strict=True):
        goal = f"== {figures[0]}"
        cases.append({"case": f"Cookie Cats, {arm}", "metric": "players", "value": players, "goal": goal})
    for index, metric in enumerate(("retention_1", "retention_7"), start=1):
        comparison = fixed.compare(arms["gate_30"][metric], arms["gate_40"][metric])
        sequential_comparison = sequential.compare(arms["gate_30"][metric], arms["gate_40"][metric], tuned=90_000)
        print(
            f"{metric}: {comparison.control:.4f} and {comparison.treated:.4f}, {comparison.relative:+.2%} "
            f"({comparison.relative_low:+.2%} to {comparison.relative_high:+.2%}), p {comparison.p_value:.4f}; "
            f"at any time p {sequential_comparison.p_value:.4f}"
        )
        for arm, value in (("gate_30", comparison.control), ("gate_40", comparison.treated)):
            goal = f"== {PUBLISHED[arm][index]}"
            cases.append({"case": f"Cookie Cats, {arm}", "metric": metric, "value": round(value, 4), "goal": goal})
        cases.append({"case": "Cookie Cats", "metric": f"p of {metric}", "value": round(comparison.p_value, 4)})
    return cases


def simulated(rounds: np.ndarray, count: int, size: int = 400) -> list[dict[str, Any]]:
    """Count how often a difference is found without and with an effect."""
    rng = np.random.default_rng(0)
    look_sizes = [size * step // 20 for step in range(1, 21)]
    without_effect = ("A/A at the end", "A/A at the end, CUPED", "A/A, 20 looks", "A/A, 20 looks, sequence")
    detections: dict[str, int] = dict.fromkeys((*without_effect, "+10 %", "+10 %, CUPED"), 0)
    spread = float(rounds.std())
    for _ in range(count):
        arms = [rng.choice(rounds, size) for _ in range(2)]
        covariates = [arm + rng.normal(0, spread, size) for arm in arms]
        adjusted, _ = cuped.adjusted(arms, covariates)
        detections["A/A at the end"] += fixed.compare(*arms).p_value < 0.05
        detections["A/A at the end, CUPED"] += fixed.compare(*adjusted).p_value < 0.05
        detections["A/A, 20 looks"] += any(fixed.compare(arms[0][:n], arms[1][:n]).p_value < 0.05 for n in look_sizes)
        detections["A/A, 20 looks, sequence"] += any(
            sequential.compare(arms[0][:n], arms[1][:n], tuned=2 * size).p_value < 0.05 for n in look_sizes[1:]
        )
        treated = [arms[0], arms[1] * 1.1]
        adjusted_treated, _ = cuped.adjusted(treated, covariates)
        detections["+10 %"] += fixed.compare(*treated).p_value < 0.05
        detections["+10 %, CUPED"] += fixed.compare(*adjusted_treated).p_value < 0.05
    goals = {name: "<= 0.06" for name in detections if name.startswith("A/A") and name != "A/A, 20 looks"}
    cases = []
    for name, detected in detections.items():
        print(f"{name:28}{detected / count:8.1%} of {count:,} experiments find a difference")
        goal = {"goal": goals[name]} if name in goals else {}
        cases.append(
            {"case": name, "metric": "share that find a difference", "value": round(detected / count, 4), **goal}
        )
    needed = listeners(float(rounds.mean()), spread, 0.1)
    print(f"to find +10 % in four of five: {needed:,} listeners in each arm")
    return [*cases, {"case": "+10 %", "metric": "listeners an arm for 80 % power", "value": needed}]


def main() -> None:
    """Print the tables and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, default=2_000)
    options = parser.parse_args()
    arms, rounds = cookie_cats()
    cases = [*published(arms), *simulated(rounds, options.experiments)]
    print(json.dumps({"benchmark": "quality_experiments", "machine": MACHINE, "cases": judged(cases)}))


if __name__ == "__main__":
    main()
