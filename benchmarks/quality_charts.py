"""How well runs on Billboard's weekly charts are forecast, 1, 4 and 13 weeks ahead.

Protocol: the charts are imported, built into features and pulled point-in-time through ``chart_run_v1``. Rolling
origins: every week of the last three years of the data is an origin. The models are fitted anew every 26 weeks on
what was known then (the twelve years before; the last 52 weeks of origins calibrate and are not fitted on). Nothing
was chosen on these years but what this page says; the models have one setting for both charts and all horizons.

Two questions, each with its baselines:

- *Chart run*, of titles on the chart at the origin: their place, "off" being one worse than the last place. Last value:
  it stays where it is. Seasonal naive: where it was 52 weeks before the week asked for.
- *Re-entry*, of titles that were on it within 104 weeks but are not at the origin: the chance that they are on it then
  (Brier score, average precision). Last value: it stays off. Seasonal naive: on if it was 52 weeks before.

Intervals: of the place of titles that are still on the chart (a title that may be off has no interval of places that
could hold at exactly 80 %), and of the whole distribution with "off" as the worst place, where a probability transform
that is drawn within the jumps (Czado, Gneiting, Held 2009) must lie inside.

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

from benchmarks.surroundings import DATA, MACHINE
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
from transforms.raw.importers import FORMATS
from transforms.raw.ingest import ingest

REFIT, HISTORY, YEAR = 26, 12 * 52, 52
MARGIN = 0.10
"""The stated margin: at least a tenth better than the better baseline, at every horizon."""


def main() -> None:
    """Print progress, then one line of JSON."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--data", type=Path, default=DATA / "billboard-weekly")
    arguments.add_argument("--years", type=int, default=3)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="refrain-charts-") as folder:
        os.environ["REFRAIN_HOME"] = folder
        home = Home(Path(folder))
        try:
            print(json.dumps(measure(home, given.data, given.years)))
        finally:
            redis_server.stop(home)


def measure(home: Home, data: Path, years: int) -> dict[str, Any]:
    """All figures."""
    started = time.perf_counter()
    ingest(home, "billboard", FORMATS["billboard"].read(data))
    build(home)
    call = [sys.executable, "-W", "ignore", "-m", "feature_repo", "apply"]
    subprocess.run(call, check=True, stdout=subprocess.DEVNULL)  # reads REFRAIN_HOME
    print(f"imported and built in {time.perf_counter() - started:.1f} s", flush=True)
    figures, cases = {}, []
    for name, grid in sorted(grids(home).items()):
        found = rolling(home, grid, years)
        figures[name] = {ahead: figures_of(found[ahead], grid.size) for ahead in AHEAD}
        for ahead, one in figures[name].items():
            cases += _cases(f"{name}, {ahead} weeks", one)
            print(f"{name} {ahead:2} weeks: {json.dumps(one)}", flush=True)
    return {
        "benchmark": "quality_charts",
        "machine": MACHINE,
        "seconds": round(time.perf_counter() - started, 1),
        "figures": figures,
        "cases": cases,
    }


def rolling(home: Home, grid: ChartGrid, years: int) -> dict[int, list[tuple[pl.DataFrame, Places]]]:
    """Weeks ahead → rows with a known future, and what was said, one pair a refit."""
    weeks = grid.places.shape[1]
    first = max(weeks - years * YEAR, YEAR)
    oldest = max(first - HISTORY, 0)
    # every second week is enough to learn from; to measure on and to calibrate with, each counts
    origins = [*range(oldest, first - YEAR - max(AHEAD), 2), *range(max(first - YEAR - max(AHEAD), oldest), weeks)]
    pulled = training_set(SERVICE, spine(grid, origins, AHEAD), home=home).data
    found: dict[int, list[tuple[pl.DataFrame, Places]]] = {ahead: [] for ahead in AHEAD}
    for cut in range(first, weeks, REFIT):
        model = ChartRuns(grid.size).fit(pulled, cut - 1)
        fresh = pulled.filter(pl.col("week").is_between(cut, cut + REFIT - 1))
        for ahead in AHEAD:
            rows = fresh.filter(pl.col(f"rank_{ahead}w").is_not_null())
            if rows.height:
                found[ahead].append((rows.with_columns(ahead=pl.lit(ahead)), model.predict(rows, ahead)))
        print(f"{grid.chart} refit {cut - first}/{weeks - first}", flush=True)
    return found


def figures_of(pairs: list[tuple[pl.DataFrame, Places]], size: int) -> dict[str, Any]:
    """Of one chart and horizon, over all refits."""
    parts = [_told(rows, places, size) for rows, places in pairs]
    told = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    on, truth = told["charting"], told["truth"]
    errors = {who: float(np.abs(told[who] - told["place"])[on].mean()) for who in ("model", "last_value", "seasonal")}
    back = {
        "model": probability_metrics(truth[~on] > 0, told["chance"][~on]),
        "last_value": probability_metrics(truth[~on] > 0, np.zeros((~on).sum())),
        "seasonal": probability_metrics(truth[~on] > 0, (told["seasonal"][~on] <= size).astype(float)),
    }
    stay = probability_metrics(truth[on] > 0, told["chance"][on])
    still = on & (truth > 0)
    return {
        "rows": {"charting": int(on.sum()), "off": int((~on).sum())},
        "mae": {who: round(value, 2) for who, value in errors.items()},
        "stays": {
            "brier": round(stay.brier, 4),
            "roc_auc": round(stay.roc_auc, 3),
            "calibration": round(stay.calibration_error, 4),
        },
        "re_entry": {
            who: {"brier": round(one.brier, 5), "average_precision": round(one.average_precision, 3)}
            for who, one in back.items()
        }
        | {"roc_auc": round(back["model"].roc_auc, 3), "base_rate": round(back["model"].base_rate, 4)},
        "coverage_if_on": {level: round(float(told[f"on_{level}"][still].mean()), 3) for level in (80, 95)},
        "coverage": {level: round(float(told[f"all_{level}"][on].mean()), 3) for level in (80, 95)},
        "coverage_off": {level: round(float(told[f"all_{level}"][~on].mean()), 3) for level in (80, 95)},
    }


def _told(rows: pl.DataFrame, places: Places, size: int) -> dict[str, np.ndarray]:
    ahead = int(rows["ahead"][0])
    truth = rows[f"rank_{ahead}w"].to_numpy()
    year_ago = rows[f"track_chart__year_ago_{ahead}w"].to_numpy()
    now = rows["rank"].to_numpy()
    better, not_worse = places.cumulative(truth)
    drawn = better + (not_worse - better) * np.random.default_rng(0).random(len(truth))
    told = {
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
        told[f"on_{level}"] = (truth >= places.if_on(low)) & (truth <= places.if_on(high))
        told[f"all_{level}"] = (drawn >= places.asked(low)) & (drawn <= places.asked(high))
    return told


def _cases(case: str, one: dict[str, Any]) -> list[dict[str, Any]]:
    mae, back = one["mae"], one["re_entry"]
    better = 1 - mae["model"] / min(mae["last_value"], mae["seasonal"])
    skill = 1 - back["model"]["brier"] / min(back["last_value"]["brier"], back["seasonal"]["brier"])
    precision = back["model"]["average_precision"] / max(back["seasonal"]["average_precision"], back["base_rate"])
    cases = [
        {
            "case": case,
            "metric": "chart_run_mae_below_best_baseline",
            "value": round(better, 3),
            "goal": f">={MARGIN}",
            "met": better >= MARGIN,
        },
        {
            "case": case,
            "metric": "re_entry_brier_below_best_baseline",
            "value": round(skill, 3),
            "goal": ">0",
            "met": skill > 0,
        },
        {
            "case": case,
            "metric": "re_entry_average_precision_over_best_baseline",
            "value": round(precision, 1),
            "goal": ">=2",
            "met": precision >= 2,
        },
    ]
    for kind in ("coverage_if_on", "coverage"):
        for level, share in one[kind].items():
            met = abs(share - level / 100) <= 0.03
            goal = f"{level / 100:.2f} ± 0.03"
            cases.append({"case": case, "metric": f"{kind}_{level}", "value": share, "goal": goal, "met": met})
    return cases


if __name__ == "__main__":
    main()
