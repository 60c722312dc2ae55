"""Speed of scoring metrics live, memory per series, and equality of scores after a restart.

One core. Series arrive in ticks, as from scrapes: one value of each series, then the next. The library baseline is
river's half-space trees, which take one value at a time; it is timed if river is installed. Memory is that of the
state, measured before and after 10,000 more ticks of one series.

    python -m benchmarks.anomaly_speed
"""

import json
import time
from typing import Any

import numpy as np

from benchmarks.surroundings import MACHINE
from transforms.pure.anomaly.series import SeriesDetector

GOAL = 50_000
MINUTE = 60_000_000
TICKS, WARM = 300, 100


def main() -> None:
    """Print progress, then one line of JSON."""
    figures: dict[str, Any] = {str(series): round(points_a_second(series)) for series in (1, 10, 100, 1_000, 5_000)}
    print(json.dumps(figures), flush=True)
    state = growth()
    is_same = restart()
    river_rate = half_space_trees()
    best = figures["1000"]
    cases = [
        {
            "case": "1,000 series, one core",
            "metric": "points_a_second",
            "value": best,
            "goal": f">={GOAL}",
            "met": best >= GOAL,
        },
        *(
            {"case": f"{int(series):,} series, one core", "metric": "points_a_second", "value": value}
            for series, value in figures.items()
            if series != "1000"
        ),
        {"case": "one series", "metric": "bytes", "value": state["bytes"]},
        {
            "case": "one series after 10,000 more values",
            "metric": "bytes_more",
            "value": state["more"],
            "goal": "0",
            "met": state["more"] == 0,
        },
        {
            "case": "snapshot, restored in the middle",
            "metric": "same_scores",
            "value": is_same,
            "goal": "1",
            "met": is_same == 1,
        },
    ]
    if river_rate:
        cases.append({"case": "river's half-space trees", "metric": "points_a_second", "value": river_rate})
    print(
        json.dumps(
            {
                "benchmark": "anomaly_speed",
                "machine": MACHINE,
                "figures": figures,
                "cases": cases,
            }
        )
    )


def points_a_second(series: int) -> float:
    """Measure values per second, in ticks of one value per series; the best of three runs."""
    values = np.random.default_rng(0).normal(100, 5, (TICKS, series))
    names = [f"host-{number}/cpu" for number in range(series)]
    best = 0.0
    for _ in range(3):
        detector = SeriesDetector()
        for tick in range(WARM):
            detector.update(names, np.full(series, tick * MINUTE), values[tick])
        started = time.perf_counter()
        for tick in range(WARM, TICKS):
            detector.update(names, np.full(series, tick * MINUTE), values[tick])
        best = max(best, series * (TICKS - WARM) / (time.perf_counter() - started))
    return best


def growth() -> dict[str, int]:
    """Measure the bytes of a series' state, and its growth after 10,000 values."""
    detector = SeriesDetector()
    rng = np.random.default_rng(0)

    def state_bytes() -> int:
        return sum(array.nbytes for array in detector._state.values())

    detector.update(["a/x"], np.array([0]), np.array([1.0]))
    before_bytes = state_bytes()
    detector.replay(["a/x"] * 10_000, np.arange(1, 10_001) * MINUTE, rng.normal(size=10_000))
    return {"bytes": detector.bytes_per_series, "more": state_bytes() - before_bytes}


def restart() -> int:
    """Return 1 if a detector restored from a snapshot gives the same scores as one without a restart, else 0."""
    rng = np.random.default_rng(1)
    names, times, values = ["a/x"] * 2_000, np.arange(2_000) * MINUTE, rng.normal(size=2_000)
    all_scores = SeriesDetector().replay(names, times, values).score
    first_detector = SeriesDetector()
    first_detector.replay(names[:1_000], times[:1_000], values[:1_000])
    restored_scores = (
        SeriesDetector.restore(first_detector.snapshot()).replay(names[1_000:], times[1_000:], values[1_000:]).score
    )
    return int(np.array_equal(all_scores[1_000:], restored_scores, equal_nan=True))


def half_space_trees() -> float | None:
    """Measure values per second of river's half-space trees, learning and scoring; None without river."""
    try:
        from river.anomaly import HalfSpaceTrees
    except ImportError:
        return None
    trees = HalfSpaceTrees(seed=0, limits={"x": (70, 130)})
    values = np.random.default_rng(0).normal(100, 5, 5_000).tolist()
    started = time.perf_counter()
    for value in values:
        trees.score_one({"x": value})
        trees.learn_one({"x": value})
    return round(len(values) / (time.perf_counter() - started))


if __name__ == "__main__":
    main()
