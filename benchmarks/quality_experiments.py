"""Whether the statistics of experiments tell the truth: a published experiment, and some whose truth is known.

- **Cookie Cats** (90,189 players, gate at level 30 or 40): the sizes of the arms and their chi-squared test, retention
  after one day and seven, as published (44,700 and 45,489 players; .4482/.4423; .1902/.1820).
- **A/A**: 2,000 experiments without an effect, 400 listeners an arm, whose values are drawn with replacement from the
  rounds of Cookie Cats: how often a difference is found at 5 %, at the end (Welch, with and without CUPED) and if
  somebody looks 20 times (Welch, and the confidence sequence).
- **Power**: the same with 10 % more in one arm: how often it is found, with and without CUPED, and the listeners that
  ``power.listeners`` says are needed.

Seed 0. What is known before is the metric with noise, correlated by .7.
"""

import argparse
import csv
import json
from typing import Any

import numpy as np

from benchmarks.surroundings import DATA, MACHINE, judged
from training.experiments import cuped, fixed, sequential
from training.experiments.power import listeners
from training.experiments.sample_ratio import sample_ratio

PUBLISHED = {"gate_30": (44_700, 0.4482, 0.1902), "gate_40": (45_489, 0.4423, 0.1820)}


def cookie_cats() -> tuple[dict[str, dict[str, np.ndarray]], np.ndarray]:
    """Arm → metric → one number a player; and rounds of all players."""
    with (DATA / "cookie-cats-ab" / "cookie_cats.csv").open() as handle:
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
    """What we find beside what was published."""
    ratio = sample_ratio([len(arm["retention_1"]) for arm in arms.values()], [1, 1])
    print(f"Cookie Cats: {ratio.found[0]:,} and {ratio.found[1]:,} players, p {ratio.p_value:.4f}: {ratio.verdict}")
    cases = [{"case": "Cookie Cats, sizes", "metric": "p of the chi-squared test", "value": round(ratio.p_value, 4)}]
    for (arm, told), found in zip(PUBLISHED.items(), ratio.found, strict=True):
        goal = f"== {told[0]}"
        cases.append({"case": f"Cookie Cats, {arm}", "metric": "players", "value": found, "goal": goal})
    for place, metric in enumerate(("retention_1", "retention_7"), start=1):
        one = fixed.compare(arms["gate_30"][metric], arms["gate_40"][metric])
        always = sequential.compare(arms["gate_30"][metric], arms["gate_40"][metric], tuned=90_000)
        print(
            f"{metric}: {one.control:.4f} and {one.treated:.4f}, {one.relative:+.2%} "
            f"({one.relative_low:+.2%} to {one.relative_high:+.2%}), p {one.p_value:.4f}; "
            f"at any time p {always.p_value:.4f}"
        )
        for arm, value in (("gate_30", one.control), ("gate_40", one.treated)):
            goal = f"== {PUBLISHED[arm][place]}"
            cases.append({"case": f"Cookie Cats, {arm}", "metric": metric, "value": round(value, 4), "goal": goal})
        cases.append({"case": "Cookie Cats", "metric": f"p of {metric}", "value": round(one.p_value, 4)})
    return cases


def simulated(rounds: np.ndarray, count: int, size: int = 400) -> list[dict[str, Any]]:
    """How often a difference is found where there is none, and where there is one."""
    rng = np.random.default_rng(0)
    looks = [size * step // 20 for step in range(1, 21)]
    none = ("A/A at the end", "A/A at the end, CUPED", "A/A, 20 looks", "A/A, 20 looks, sequence")
    found: dict[str, int] = dict.fromkeys((*none, "+10 %", "+10 %, CUPED"), 0)
    spread = float(rounds.std())
    for _ in range(count):
        arms = [rng.choice(rounds, size) for _ in range(2)]
        before = [arm + rng.normal(0, spread, size) for arm in arms]
        adjusted, _ = cuped.adjusted(arms, before)
        found["A/A at the end"] += fixed.compare(*arms).p_value < 0.05
        found["A/A at the end, CUPED"] += fixed.compare(*adjusted).p_value < 0.05
        found["A/A, 20 looks"] += any(fixed.compare(arms[0][:n], arms[1][:n]).p_value < 0.05 for n in looks)
        found["A/A, 20 looks, sequence"] += any(
            sequential.compare(arms[0][:n], arms[1][:n], tuned=2 * size).p_value < 0.05 for n in looks[1:]
        )
        treated = [arms[0], arms[1] * 1.1]
        helped, _ = cuped.adjusted(treated, before)
        found["+10 %"] += fixed.compare(*treated).p_value < 0.05
        found["+10 %, CUPED"] += fixed.compare(*helped).p_value < 0.05
    goals = {name: "<= 0.06" for name in found if name.startswith("A/A") and name != "A/A, 20 looks"}
    cases = []
    for name, times in found.items():
        print(f"{name:28}{times / count:8.1%} of {count:,} experiments find a difference")
        goal = {"goal": goals[name]} if name in goals else {}
        cases.append({"case": name, "metric": "share that find a difference", "value": round(times / count, 4), **goal})
    needed = listeners(float(rounds.mean()), spread, 0.1)
    print(f"to find +10 % in four of five: {needed:,} listeners in each arm")
    return [*cases, {"case": "+10 %", "metric": "listeners an arm for 80 % power", "value": needed}]


def main() -> None:
    """Print the tables and the line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, default=2_000)
    options = parser.parse_args()
    arms, rounds = cookie_cats()
    cases = [*published(arms), *simulated(rounds, options.experiments)]
    print(json.dumps({"benchmark": "quality_experiments", "machine": MACHINE, "cases": judged(cases)}))


if __name__ == "__main__":
    main()
