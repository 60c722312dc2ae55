"""Forecasts of runs on Billboard's weekly charts, 1, 4 and 13 weeks ahead.

Protocol: the charts are imported, built into features and pulled point-in-time through ``chart_run_v1``. Every week of
the last three years of the data is a forecast origin. The models are refitted every 26 weeks on the data known by then
(the twelve years before; the last 52 weeks of origins only calibrate). Except for what this page states, nothing was
chosen on these years; the models have one setting for both charts and all horizons.

Two targets, each with its baselines:

- *Chart run*, for titles on the chart at the origin: their place; "off" is one worse than the last place. Last value:
  the current place. Seasonal naive: the place 52 weeks before the target week.
- *Re-entry*, for titles that were on the chart within 104 weeks but are not at the origin: the probability of being on
  it in the target week (Brier score, average precision). Last value: off. Seasonal naive: on if it was on 52 weeks
  before.

Coverage of intervals: of the place of titles that are still on the chart (for a title that may be off no interval of
places covers exactly 80 %), and of the full distribution with "off" as the worst place, by the randomized probability
integral transform (Czado, Gneiting, Held 2009).

Judged on: held out, by time: every origin comes after what its models learned from.

    REFRAIN_TEST_DATA=../shared/data python -m benchmarks.quality_charts [--data FOLDER] [--years 3]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.surroundings import MACHINE, data_set
from feature_repo.home import Home
from feature_repo.stores import redis_server
from training.datasets import training_set
from training.datasets.chart_weeks import grids, spine
from training.evaluate import probability_metrics
from training.models.forecasting.chart_runs import SERVICE, ChartRuns, charting
from training.models.forecasting.place_distribution import Places
from transforms.batch.build import build
from transforms.batch.features.chart_grid import ChartGrid
from transforms.batch.features.track_chart import AHEAD
from transforms.raw.importers.billboard import BILLBOARD
from transforms.raw.ingest import ingest

REFIT, HISTORY, YEAR = 26, 12 * 52, 52
MARGIN = 0.10
"""Required improvement over the better baseline at every horizon, as a share."""


def main() -> None:
    """Print progress, then one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the charts")
    parser.add_argument("--years", type=int, default=3)
    options = parser.parse_args()
    data = data_set("billboard-weekly", options.data)
    with tempfile.TemporaryDirectory(prefix="refrain-charts-") as folder:
        os.environ["REFRAIN_HOME"] = folder
        home = Home(Path(folder))
        try:
            print(json.dumps(measure(home, data, options.years)))
        finally:
            redis_server.stop(home)


def measure(home: Home, data: Path, years: int) -> dict[str, Any]:
    """Measure all figures."""
    started = time.perf_counter()
    ingest(home, "billboard", BILLBOARD.read(data))
    build(home)
    call = [sys.executable, "-W", "ignore", "-m", "feature_repo", "apply"]
    subprocess.run(call, check=True, stdout=subprocess.DEVNULL)  # reads REFRAIN_HOME
    print(f"imported and built in {time.perf_counter() - started:.1f} s", flush=True)
    figures, cases = {}, []
    for name, grid in sorted(grids(home).items()):
        pairs_by_horizon = rolling(home, grid, years)
        figures[name] = {ahead: figures_of(pairs_by_horizon[ahead], grid.size) for ahead in AHEAD}
        for ahead, horizon_figures in figures[name].items():
            cases += _cases(f"{name}, {ahead} weeks", horizon_figures)
            print(f"{name} {ahead:2} weeks: {json.dumps(horizon_figures)}", flush=True)
    return {
        "benchmark": "quality_charts",
        "machine": MACHINE,
        "seconds": round(time.perf_counter() - started, 1),
        "figures": figures,
        "cases": cases,
    }


def rolling(home: Home, grid: ChartGrid, years: int) -> dict[int, list[tuple[pl.DataFrame, Places]]]:
    """Return weeks ahead → pairs of rows with a known outcome and their predictions, one pair per refit."""
    weeks = grid.places.shape[1]
    first = max(weeks - years * YEAR, YEAR)
    oldest = max(first - HISTORY, 0)
    # every second week is enough for fitting; measuring and calibrating use every week
    origins = [*range(oldest, first - YEAR - max(AHEAD), 2), *range(max(first - YEAR - max(AHEAD), oldest), weeks)]
    pulled = training_set(SERVICE, spine(grid, origins, AHEAD), home=home).data
    pairs_by_horizon: dict[int, list[tuple[pl.DataFrame, Places]]] = {ahead: [] for ahead in AHEAD}
    for cut in range(first, weeks, REFIT):
        model = ChartRuns(grid.size).fit(pulled, cut - 1)
        fresh = pulled.filter(pl.col("week").is_between(cut, cut + REFIT - 1))
        for ahead in AHEAD:
            rows = fresh.filter(pl.col(f"rank_{ahead}w").is_not_null())
            if rows.height:
                pairs_by_horizon[ahead].append((rows.with_columns(ahead=pl.lit(ahead)), model.predict(rows, ahead)))
        print(f"{grid.chart} refit {cut - first}/{weeks - first}", flush=True)
    return pairs_by_horizon


def figures_of(pairs: list[tuple[pl.DataFrame, Places]], size: int) -> dict[str, Any]:
    """Compute the figures of one chart and horizon over all refits."""
    parts = [_predictions(rows, places, size) for rows, places in pairs]
    predictions = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    is_charting, truth = predictions["charting"], predictions["truth"]
    errors = {
        model: float(np.abs(predictions[model] - predictions["place"])[is_charting].mean())
        for model in ("model", "last_value", "seasonal")
    }
    re_entry = {
        "model": probability_metrics(truth[~is_charting] > 0, predictions["chance"][~is_charting]),
        "last_value": probability_metrics(truth[~is_charting] > 0, np.zeros((~is_charting).sum())),
        "seasonal": probability_metrics(
            truth[~is_charting] > 0, (predictions["seasonal"][~is_charting] <= size).astype(float)
        ),
    }
    stays = probability_metrics(truth[is_charting] > 0, predictions["chance"][is_charting])
    still_on = is_charting & (truth > 0)
    return {
        "rows": {"charting": int(is_charting.sum()), "off": int((~is_charting).sum())},
        "mae": {model: round(value, 2) for model, value in errors.items()},
        "stays": {
            "brier": round(stays.brier, 4),
            "roc_auc": round(stays.roc_auc, 3),
            "calibration": round(stays.calibration_error, 4),
        },
        "re_entry": {
            model: {"brier": round(metrics.brier, 5), "average_precision": round(metrics.average_precision, 3)}
            for model, metrics in re_entry.items()
        }
        | {"roc_auc": round(re_entry["model"].roc_auc, 3), "base_rate": round(re_entry["model"].base_rate, 4)},
        "coverage_if_on": {level: round(float(predictions[f"on_{level}"][still_on].mean()), 3) for level in (80, 95)},
        "coverage": {level: round(float(predictions[f"all_{level}"][is_charting].mean()), 3) for level in (80, 95)},
        "coverage_off": {
            level: round(float(predictions[f"all_{level}"][~is_charting].mean()), 3) for level in (80, 95)
        },
    }


def _predictions(rows: pl.DataFrame, places: Places, size: int) -> dict[str, np.ndarray]:
    ahead = int(rows["ahead"][0])
    truth = rows[f"rank_{ahead}w"].to_numpy()
    year_ago = rows[f"track_chart__year_ago_{ahead}w"].to_numpy()
    now = rows["rank"].to_numpy()
    better, not_worse = places.cumulative(truth)
    randomized = better + (not_worse - better) * np.random.default_rng(0).random(len(truth))
    predictions = {
        "charting": charting(rows),
        "truth": truth,
        "place": np.where(truth > 0, truth, size + 1),
        "model": places.quantile(0.5),
        "last_value": np.where(now > 0, now, size + 1),
        "seasonal": np.where(year_ago > 0, year_ago, size + 1),
        "chance": places.chance,
    }
    for level in (80, 95):
        low, high = 0.5 - level / 200, 0.5 + level / 200
        predictions[f"on_{level}"] = (truth >= places.if_on(low)) & (truth <= places.if_on(high))
        predictions[f"all_{level}"] = (randomized >= places.calibrated_level(low)) & (
            randomized <= places.calibrated_level(high)
        )
    return predictions


def _cases(case: str, figures: dict[str, Any]) -> list[dict[str, Any]]:
    mae, re_entry = figures["mae"], figures["re_entry"]
    mae_improvement = 1 - mae["model"] / min(mae["last_value"], mae["seasonal"])
    brier_improvement = 1 - re_entry["model"]["brier"] / min(
        re_entry["last_value"]["brier"], re_entry["seasonal"]["brier"]
    )
    precision_ratio = re_entry["model"]["average_precision"] / max(
        re_entry["seasonal"]["average_precision"], re_entry["base_rate"]
    )
    cases = [
        {
            "case": case,
            "metric": "chart_run_mae_below_best_baseline",
            "value": round(mae_improvement, 3),
            "goal": f">={MARGIN}",
            "met": mae_improvement >= MARGIN,
        },
        {
            "case": case,
            "metric": "re_entry_brier_below_best_baseline",
            "value": round(brier_improvement, 3),
            "goal": ">0",
            "met": brier_improvement > 0,
        },
        {
            "case": case,
            "metric": "re_entry_average_precision_over_best_baseline",
            "value": round(precision_ratio, 1),
            "goal": ">=2",
            "met": precision_ratio >= 2,
        },
    ]
    for kind in ("coverage_if_on", "coverage"):
        for level, share in figures[kind].items():
            met = abs(share - level / 100) <= 0.03
            goal = f"{level / 100:.2f} ± 0.03"
            cases.append({"case": case, "metric": f"{kind}_{level}", "value": share, "goal": goal, "met": met})
    return cases


if __name__ == "__main__":
    main()
