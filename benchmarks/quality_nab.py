"""How well anomalies in single metrics are found: the Numenta Anomaly Benchmark, by its own scoring rules.

Every series is streamed through ``SeriesDetector`` with the settings and the alarm policy that it has by default: one
configuration for all series, nothing fitted, alarms as they are raised (``training.evaluate.nab`` has the rules).
Beside it, on the same series in the same run:

- *windowed Gaussian*, one of the detectors that NAB publishes (39.6 on its whole corpus), with the threshold that is
  best on these series, which is NAB's rule;
- *timer*, an alarm every 300 values, whatever they are: what the rules give for nothing;
- *ours, best threshold*: our scores by NAB's rule, with the silence after an alarm but without the raised threshold.

The default threshold was chosen on the series that lie in the data folder. How much that flatters is shown by *half*:
the threshold chosen on one half of the series and measured on the other, over twenty random halves.

    REFRAIN_TEST_DATA=../shared/data python -m benchmarks.quality_nab [--data FOLDER]
"""

import argparse
import json
import math
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.surroundings import DATA, MACHINE
from training.evaluate.nab import LOW_FALSE_NEGATIVES, LOW_FALSE_POSITIVES, STANDARD, NabScore, NabSeries, nab_score
from transforms.pure.anomaly.alarms import AlarmPolicy
from transforms.pure.anomaly.series import DEFAULT_POLICY, SeriesDetector

GOAL = 60.0
HALVES = 20
THRESHOLDS = np.arange(3.5, 8.01, 0.25)


@dataclass(frozen=True)
class Labelled:
    """One series of the corpus.

    Attributes:
        name: folder and file.
        times: (n,) microseconds.
        values: (n,).
        windows: first and last place of each window of anomalies.
    """

    name: str
    times: np.ndarray
    values: np.ndarray
    windows: list[tuple[int, int]]


def load(data: Path) -> list[Labelled]:
    """Every series in the folder."""
    labels = json.loads((data / "labels" / "combined_windows.json").read_text())
    found = []
    for file in sorted(data.glob("data/*/*.csv")):
        frame = pl.read_csv(file, schema_overrides={"value": pl.Float64})
        times = frame["timestamp"].str.to_datetime("%Y-%m-%d %H:%M:%S").dt.timestamp("us").to_numpy()
        told = pl.DataFrame(labels[f"{file.parent.name}/{file.name}"], schema=["from", "to"], orient="row")
        edges = told.select(pl.all().cast(pl.String).str.to_datetime("%Y-%m-%d %H:%M:%S%.f").dt.timestamp("us"))
        windows = [
            (int(np.flatnonzero(times == a)[0]), int(np.flatnonzero(times == b)[0])) for a, b in edges.iter_rows()
        ]
        found.append(Labelled(f"{file.parent.name}/{file.name}", times, frame["value"].to_numpy(), windows))
    return found


def windowed_gaussian(values: np.ndarray, window: int = 6_400, step: int = 100) -> np.ndarray:
    """Scores of NAB's detector of that name: how far in the middle of a normal distribution of what came before."""
    place = np.arange(len(values))
    stop = np.where(place <= window, place, window + (place - window) // step * step)
    start = np.maximum(stop - window, 0)
    middle = values - values.mean()  # sums of squares of large numbers lose what is small
    sums, squares = (np.concatenate([[0.0], np.cumsum(one)]) for one in (middle, middle**2))
    count = np.maximum(stop - start, 1)
    mean = (sums[stop] - sums[start]) / count
    spread = np.sqrt(np.maximum((squares[stop] - squares[start]) / count - mean**2, 0))
    away = np.abs(middle - mean) / np.where(spread > 1e-9, spread, 1e-6)
    return np.where(stop > 0, [1 - 0.5 * math.erfc(one / math.sqrt(2)) for one in away], 0.0)


def main() -> None:
    """Print progress, then one line of JSON."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--data", type=Path, default=DATA / "nab")
    given = arguments.parse_args()
    print(json.dumps(measure(load(given.data))))


def measure(corpus: list[Labelled]) -> dict[str, Any]:
    """All figures."""
    started = time.perf_counter()
    detector = SeriesDetector()
    names = [one.name for one in corpus for _ in one.values]
    found = detector.replay(
        names, np.concatenate([one.times for one in corpus]), np.concatenate([one.values for one in corpus])
    )
    seconds = time.perf_counter() - started
    cuts = np.cumsum([len(one.values) for one in corpus])[:-1]
    scores, alarms = np.split(np.nan_to_num(found.score), cuts), np.split(found.alarm.astype(float), cuts)
    print(f"{len(names):,} values of {len(corpus)} series in {seconds:.1f} s", flush=True)
    answers = {
        "ours": alarms,
        "ours_best_threshold": [_quiet(one) for one in scores],
        "windowed_gaussian": [windowed_gaussian(one.values) for one in corpus],
        "timer": [(np.arange(len(one.values)) % 300 == 0).astype(float) for one in corpus],
    }
    figures: dict[str, dict[str, Any]] = {}
    for who, told in answers.items():
        series = [NabSeries(one, entry.windows) for one, entry in zip(told, corpus, strict=True)]
        fixed = 0.5 if who in ("ours", "timer") else None
        figures[who] = {
            profile: _shown(nab_score(series, fixed, of))
            for profile, of in (
                ("standard", STANDARD),
                ("low_false_positives", LOW_FALSE_POSITIVES),
                ("low_false_negatives", LOW_FALSE_NEGATIVES),
            )
        }
        print(f"{who}: {json.dumps(figures[who])}", flush=True)
    figures["half"] = halves(corpus, scores)
    figures["latency"] = latency(corpus, alarms)
    standard = figures["ours"]["standard"]
    gaussian = figures["windowed_gaussian"]["standard"]["score"]
    return {
        "benchmark": "quality_nab",
        "machine": MACHINE,
        "series": len(corpus),
        "seconds": round(seconds, 1),
        "figures": figures,
        "cases": [
            {
                "case": f"{len(corpus)} series, one configuration",
                "metric": "nab_standard",
                "value": standard["score"],
                "goal": f">={GOAL:.0f}",
                "met": standard["score"] >= GOAL,
            },
            {"case": "threshold from the other half", "metric": "nab_standard", "value": figures["half"]["mean"]},
            {"case": "windowed Gaussian, best threshold", "metric": "nab_standard", "value": gaussian},
            {
                "case": "an alarm every 300 values",
                "metric": "nab_standard",
                "value": figures["timer"]["standard"]["score"],
            },
            {
                "case": f"of {standard['windows']} windows",
                "metric": "found",
                "value": standard["found"],
            },
            {
                "case": f"{len(names):,} values",
                "metric": "false_alarms",
                "value": standard["false_alarms"],
            },
            {
                "case": "share of the window that had passed",
                "metric": "median_delay",
                "value": figures["latency"]["median"],
            },
        ],
    }


def _quiet(scores: np.ndarray) -> np.ndarray:
    """Scores with silence after each high one, for NAB's rule, which sees single values."""
    kept = np.zeros_like(scores)
    for place in np.argsort(-scores, kind="stable"):
        low, high = max(place - DEFAULT_POLICY.quiet, 0), place + DEFAULT_POLICY.quiet + 1
        if scores[place] > 0 and not kept[low:high].any():
            kept[place] = scores[place]
    return kept


def _alarms(policy: AlarmPolicy, scores: np.ndarray) -> np.ndarray:
    return policy.replay(np.zeros(len(scores), np.int64), scores).astype(float)


def halves(corpus: list[Labelled], scores: list[np.ndarray]) -> dict[str, float]:
    """The threshold chosen on one half, the score on the other."""
    by_threshold = [
        [_alarms(replace(DEFAULT_POLICY, threshold=float(threshold)), one) for one in scores]
        for threshold in THRESHOLDS
    ]
    rng = np.random.default_rng(0)
    found = []
    for _ in range(HALVES):
        order = rng.permutation(len(corpus))
        half = len(corpus) // 2

        def scored(number: int, places: np.ndarray) -> float:
            return nab_score([NabSeries(by_threshold[number][at], corpus[at].windows) for at in places], 0.5).score

        best = int(np.nanargmax([scored(number, order[:half]) for number in range(len(THRESHOLDS))]))
        found.append(scored(best, order[half:]))
    return {"mean": round(float(np.mean(found)), 1), "low": round(min(found), 1), "high": round(max(found), 1)}


def latency(corpus: list[Labelled], alarms: list[np.ndarray]) -> dict[str, float]:
    """How much of a window had passed at the first alarm in it, of those found."""
    passed = [
        float(np.flatnonzero(told[first : last + 1])[0] / (last - first + 1))
        for one, told in zip(corpus, alarms, strict=True)
        for first, last in one.windows
        if told[first : last + 1].any()
    ]
    return {"median": round(float(np.median(passed)), 3), "mean": round(float(np.mean(passed)), 3)}


def _shown(one: NabScore) -> dict[str, Any]:
    return {
        "score": round(one.score, 2),
        "found": one.found,
        "windows": one.windows,
        "false_alarms": one.false_alarms,
        "threshold": round(one.threshold, 6),
    }


if __name__ == "__main__":
    main()
