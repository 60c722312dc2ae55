"""Anomaly detection in single metrics: the Numenta Anomaly Benchmark (NAB), by its own scoring rules.

Every series is streamed through ``SeriesDetector`` with its default settings and alarm policy: one configuration for
all series, nothing fitted, alarms as they are raised (``training.evaluate.nab`` has the rules). Baselines on the same
series in the same run:

- *windowed Gaussian*, one of the detectors that NAB publishes (39.6 on its whole corpus), with the threshold that is
  best on these series, which is NAB's rule;
- *timer*, an alarm every 300 values: the score of a trivial detector;
- *ours, best threshold*: our scores by NAB's rule, with the silence after an alarm but without the raised threshold.

The default threshold was chosen on the series in the data folder. *left_out* shows how much that flatters: for each
family of series (a folder of the corpus), the threshold and how much an alarm raises it are chosen on the other
families, and the alarms of this family are those of that choice. All families' alarms together are one figure.

Judged on: development: the detector was developed on these series.

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

from benchmarks.surroundings import MACHINE, data_set
from training.evaluate.nab import LOW_FALSE_NEGATIVES, LOW_FALSE_POSITIVES, STANDARD, NabScore, NabSeries, nab_score
from transforms.pure.anomaly.alarms import AlarmPolicy
from transforms.pure.anomaly.series import DEFAULT_POLICY, SeriesDetector

GOAL = 70.0
THRESHOLDS = np.arange(4.0, 7.01, 0.25)
RAISED = (0.35, 0.5, 0.7)


@dataclass(frozen=True)
class LabelledSeries:
    """A labelled series of the corpus.

    Attributes:
        name: folder and file name.
        times: (n,) microseconds.
        values: (n,) values.
        windows: first and last index of each anomaly window.
    """

    name: str
    times: np.ndarray
    values: np.ndarray
    windows: list[tuple[int, int]]


def load(data: Path) -> list[LabelledSeries]:
    """Load every series in the folder."""
    labels = json.loads((data / "labels" / "combined_windows.json").read_text())
    series = []
    for file in sorted(data.glob("data/*/*.csv")):
        frame = pl.read_csv(file, schema_overrides={"value": pl.Float64})
        times = frame["timestamp"].str.to_datetime("%Y-%m-%d %H:%M:%S").dt.timestamp("us").to_numpy()
        label_rows = pl.DataFrame(labels[f"{file.parent.name}/{file.name}"], schema=["from", "to"], orient="row")
        edges = label_rows.select(pl.all().cast(pl.String).str.to_datetime("%Y-%m-%d %H:%M:%S%.f").dt.timestamp("us"))
        windows = [
            (int(np.flatnonzero(times == a)[0]), int(np.flatnonzero(times == b)[0])) for a, b in edges.iter_rows()
        ]
        series.append(LabelledSeries(f"{file.parent.name}/{file.name}", times, frame["value"].to_numpy(), windows))
    return series


def windowed_gaussian(values: np.ndarray, window: int = 6_400, step: int = 100) -> np.ndarray:
    """Score values with NAB's windowed Gaussian: Φ of the distance from the mean of the preceding window."""
    index = np.arange(len(values))
    stop = np.where(index <= window, index, window + (index - window) // step * step)
    start = np.maximum(stop - window, 0)
    centred = values - values.mean()  # sums of squares of large numbers lose precision
    sums, squares = (np.concatenate([[0.0], np.cumsum(column)]) for column in (centred, centred**2))
    count = np.maximum(stop - start, 1)
    mean = (sums[stop] - sums[start]) / count
    spread = np.sqrt(np.maximum((squares[stop] - squares[start]) / count - mean**2, 0))
    deviations = np.abs(centred - mean) / np.where(spread > 1e-9, spread, 1e-6)
    return np.where(stop > 0, [1 - 0.5 * math.erfc(deviation / math.sqrt(2)) for deviation in deviations], 0.0)


def main() -> None:
    """Print progress, then one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the corpus")
    options = parser.parse_args()
    print(json.dumps(measure(load(data_set("nab", options.data)))))


def measure(corpus: list[LabelledSeries]) -> dict[str, Any]:
    """Measure all figures."""
    started = time.perf_counter()
    detector = SeriesDetector()
    names = [entry.name for entry in corpus for _ in entry.values]
    result = detector.replay(
        names, np.concatenate([entry.times for entry in corpus]), np.concatenate([entry.values for entry in corpus])
    )
    seconds = time.perf_counter() - started
    cuts = np.cumsum([len(entry.values) for entry in corpus])[:-1]
    scores, alarms = np.split(np.nan_to_num(result.score), cuts), np.split(result.alarm.astype(float), cuts)
    print(f"{len(names):,} values of {len(corpus)} series in {seconds:.1f} s", flush=True)
    answers = {
        "ours": alarms,
        "ours_best_threshold": [_suppressed(series_scores) for series_scores in scores],
        "windowed_gaussian": [windowed_gaussian(entry.values) for entry in corpus],
        "timer": [(np.arange(len(entry.values)) % 300 == 0).astype(float) for entry in corpus],
    }
    figures: dict[str, dict[str, Any]] = {}
    for detector_name, detector_scores in answers.items():
        series = [
            NabSeries(series_scores, entry.windows)
            for series_scores, entry in zip(detector_scores, corpus, strict=True)
        ]
        threshold = 0.5 if detector_name in ("ours", "timer") else None
        figures[detector_name] = {
            profile: _as_figures(nab_score(series, threshold, weights))
            for profile, weights in (
                ("standard", STANDARD),
                ("low_false_positives", LOW_FALSE_POSITIVES),
                ("low_false_negatives", LOW_FALSE_NEGATIVES),
            )
        }
        print(f"{detector_name}: {json.dumps(figures[detector_name])}", flush=True)
    figures["left_out"] = left_out(corpus, scores)
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
            {
                "case": "each family with the policy that is best on the others",
                "metric": "nab_standard",
                "value": figures["left_out"]["score"],
            },
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


def _suppressed(scores: np.ndarray) -> np.ndarray:
    """Zero the scores around each high score, because NAB's rule looks at single values."""
    peaks = np.zeros_like(scores)
    for index in np.argsort(-scores, kind="stable"):
        low, high = max(index - DEFAULT_POLICY.quiet, 0), index + DEFAULT_POLICY.quiet + 1
        if scores[index] > 0 and not peaks[low:high].any():
            peaks[index] = scores[index]
    return peaks


def _alarms(policy: AlarmPolicy, scores: np.ndarray) -> np.ndarray:
    return policy.replay(np.zeros(len(scores), np.int64), scores).astype(float)


def left_out(corpus: list[LabelledSeries], scores: list[np.ndarray]) -> dict[str, Any]:
    """Choose the alarm policy for each family of series on the others; score all alarms together, and each family."""
    policies = [
        replace(DEFAULT_POLICY, threshold=float(threshold), raised=raised)
        for threshold in THRESHOLDS
        for raised in RAISED
    ]
    answers = [
        [
            NabSeries(_alarms(policy, series_scores), entry.windows)
            for entry, series_scores in zip(corpus, scores, strict=True)
        ]
        for policy in policies
    ]
    families = np.array([entry.name.partition("/")[0] for entry in corpus])
    chosen: dict[str, int] = {}
    for family in np.unique(families).tolist():
        others = np.flatnonzero(families != family)
        chosen[family] = int(np.nanargmax([nab_score([answer[i] for i in others], 0.5).score for answer in answers]))
    kept = [answers[chosen[family]][number] for number, family in enumerate(families.tolist())]
    return {
        "score": round(nab_score(kept, 0.5).score, 1),
        "families": {
            family: {
                **_as_figures(nab_score([kept[i] for i in np.flatnonzero(families == family)], 0.5)),
                "threshold": policies[number].threshold,
                "raised": policies[number].raised,
            }
            for family, number in chosen.items()
        },
    }


def latency(corpus: list[LabelledSeries], alarms: list[np.ndarray]) -> dict[str, float]:
    """Return the share of a window that had passed at its first alarm, for windows with an alarm."""
    passed = [
        float(np.flatnonzero(series_alarms[first : last + 1])[0] / (last - first + 1))
        for entry, series_alarms in zip(corpus, alarms, strict=True)
        for first, last in entry.windows
        if series_alarms[first : last + 1].any()
    ]
    return {"median": round(float(np.median(passed)), 3), "mean": round(float(np.mean(passed)), 3)}


def _as_figures(score: NabScore) -> dict[str, Any]:
    return {
        "score": round(score.score, 2) if score.windows else None,
        "found": score.found,
        "windows": score.windows,
        "false_alarms": score.false_alarms,
        "threshold": round(score.threshold, 6),
    }


if __name__ == "__main__":
    main()
