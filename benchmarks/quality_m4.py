"""Forecasts of the M4 competition: hourly by default, or another of its sets in the folder.

Protocol: the official training and test parts (48 hours ahead; 13 weeks). Everything is chosen on validation windows
at the end of the training part (two of hours, four of weeks), each as long as the test: forecasters are fitted on the
data before each window, ensembles learn from the older windows and are compared on the newer, intervals learn from the
errors of all.
Then all members are fitted on the full training part and measured on the test part once. sMAPE and MASE are means over
series, as in the competition; OWA is relative to Naive2, computed here. Seeds are fixed.

Seasons: hourly 24 and 168, weekly 52; the season of MASE and Naive2 is the competition's (24; 1).

Judged on: held out: the competition's test part, after choices on windows of its training part.

    REFRAIN_TEST_DATA=../shared/data python -m benchmarks.quality_m4 [--set hourly|weekly] [--data FOLDER]
"""

import argparse
import csv
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.surroundings import MACHINE, data_set
from training.evaluate import forecast_metrics, mase, mase_scale, owa, smape
from training.models.forecasting.backtest import Backtest, backtest, owa_loss
from training.models.forecasting.blend import Blend, segment_of
from training.models.forecasting.conformal import ConformalQuantiles
from training.models.forecasting.global_lightgbm import GLOBAL_CHANGE, GLOBAL_LOG_CHANGE, GlobalLightGBM
from training.models.forecasting.naive import Naive2, SeasonalNaive
from training.models.forecasting.panel import Panel
from training.models.forecasting.statistical import CES, ETS, MSTL, THETA

SETS: dict[str, dict[str, Any]] = {
    "hourly": {"horizon": 48, "official": 24, "seasons": (24, 168), "windows": 2},
    "weekly": {"horizon": 13, "official": 1, "seasons": (52,), "windows": 4},
}
PUBLISHED = {"hourly": {"naive2_smape": 18.383, "naive2_mase": 2.395, "winner (Smyl)": 0.440}}
GOAL = 0.53


def main() -> None:
    """Print progress, then one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", choices=sorted(SETS), default="hourly")
    parser.add_argument("--data", type=Path, default=None, help="folder with Train/ and Test/")
    options = parser.parse_args()
    folder = data_set(f"m4-{options.set}", options.data)
    print(json.dumps(measure(options.set, folder)))


def measure(name: str, folder: Path) -> dict[str, Any]:
    """Measure all figures of one set."""
    started = time.perf_counter()
    settings = SETS[name]
    horizon, official = settings["horizon"], settings["official"]
    train = [series for _, series in read(folder / "Train" / f"{name.capitalize()}-train.csv")]
    panel = panel_of(train, settings["seasons"])
    members = [*forecasters(panel), Naive2(official), SeasonalNaive()]
    names = [member.name for member in members]
    backs = [horizon * (window + 1) for window in range(settings["windows"])]
    past = _scaled(backtest(panel, members, horizon, backs, progress=_print_progress), panel, official)
    reference = past.metrics(past.forecasts["naive2"])
    loss = owa_loss(reference)
    blend = Blend.choose(past, names, loss)
    choosing_s = time.perf_counter() - started
    forecasts = {member.name: member.fit(panel, horizon).forecast(panel, horizon) for member in members}
    scale = mase_scale(panel.values, official)
    medians = np.median(np.stack(list(forecasts.values())), axis=0).mean(axis=1)
    forecasts["ensemble"] = panel.bounded(blend.combine(forecasts, scale, segment_of(medians, scale)))
    total_s = time.perf_counter() - started
    steps = (len(backs) * len(panel), horizon)
    backtest_forecasts = blend.of(past).reshape(steps)
    conformal = ConformalQuantiles().fit(past.truth.reshape(steps), backtest_forecasts, past.scale.reshape(-1))
    quantiles = conformal.quantiles(forecasts["ensemble"], scale)
    # the test part is used from here on only
    truth = np.array([series for _, series in read(folder / "Test" / f"{name.capitalize()}-test.csv")])
    figures = {
        label: {"smape": float(smape(truth, forecast).mean()), "mase": float(np.nanmean(mase(truth, forecast, scale)))}
        for label, forecast in forecasts.items()
    }
    base = figures["naive2"]
    for metrics in figures.values():
        metrics["owa"] = owa(metrics["smape"], metrics["mase"], base["smape"], base["mase"])
    intervals = forecast_metrics(truth, forecasts["ensemble"], scale, quantiles)
    for label, metrics in sorted(figures.items(), key=lambda item: item[1]["owa"]):
        print(f"{label:20} sMAPE {metrics['smape']:7.3f}  MASE {metrics['mase']:6.3f}  OWA {metrics['owa']:.3f}")
    print(f"chosen: {blend.kind}, weights {blend.as_json()['weights']}")
    return {
        "benchmark": f"quality_m4_{name}" if name != "hourly" else "quality_m4",
        "machine": MACHINE,
        "series": len(panel),
        "chosen": blend.as_json(),
        "figures": figures,
        "coverage": intervals.coverage,
        "seconds": {"choosing": round(choosing_s, 1), "all": round(total_s, 1)},
        "cases": _cases(name, figures, intervals.coverage, total_s),
    }


def read(path: Path) -> list[tuple[str, np.ndarray]]:
    """Read the name and values of each series from a file of the competition."""
    with path.open(newline="") as handle:
        rows = [row for row in csv.reader(handle) if row and row[0] not in ("V1", "id")]
    return [(row[0], np.array([float(value) for value in row[1:] if value not in ("", "NA")])) for row in rows]


def panel_of(series: list[np.ndarray], seasons: tuple[int, ...]) -> Panel:
    """Create a panel of series that end at the same time, as in the competition."""
    length = max(map(len, series))
    values = np.full((len(series), length), np.nan)
    for row, series_values in zip(values, series, strict=True):
        row[length - len(series_values) :] = series_values
    return Panel([str(number) for number in range(len(series))], values, seasons)


def forecasters(panel: Panel) -> list[Any]:
    """Return the members; by the hour without changes from the last value, theta and ETS, which take minutes."""
    learned = [GlobalLightGBM(), GlobalLightGBM(name="global_difference", difference=True)]
    if min(panel.seasons) <= 24:
        return [*learned, replace(MSTL, last=3 * max(panel.seasons)), CES]
    return [*learned, GLOBAL_CHANGE, GLOBAL_LOG_CHANGE, MSTL, CES, THETA, ETS]


def _scaled(result: Backtest, panel: Panel, season: int) -> Backtest:
    """Replace the scale of a backtest by that of the competition's season."""
    scale = [mase_scale(panel.values[:, :origin], season) for origin in result.origins.tolist()]
    return Backtest(result.forecasts, result.truth, np.stack(scale), result.origins)


def _cases(name: str, figures: dict, coverage: dict[int, float], seconds: float) -> list[dict[str, Any]]:
    published = PUBLISHED.get(name, {})
    cases: list[dict[str, Any]] = []
    for metric in ("smape", "mase"):
        value, published_value = figures["naive2"][metric], published.get(f"naive2_{metric}")
        case = {"case": f"M4 {name}", "metric": f"naive2_{metric}", "value": round(value, 3), "goal": published_value}
        cases.append(case | ({} if published_value is None else {"met": abs(value - published_value) < 0.001}))
    value = figures["ensemble"]["owa"]
    goal = {"goal": f"<={GOAL}", "met": value <= GOAL} if name == "hourly" else {}
    cases.append({"case": f"M4 {name}", "metric": "ensemble_owa", "value": round(value, 3), **goal})
    limit = {"goal": "<300", "met": seconds < 300} if name == "hourly" else {}
    cases.append({"case": f"M4 {name}", "metric": "ensemble_seconds", "value": round(seconds, 1), **limit})
    for level, share in coverage.items():
        cases.append({"case": f"M4 {name}", "metric": f"coverage_{level}", "value": round(share, 3)})
    for label, metrics in figures.items():
        cases.append({"case": f"M4 {name}", "model": label, "metric": "owa", "value": round(metrics["owa"], 3)})
    return cases


def _print_progress(done: float, total: float, note: str = "") -> None:
    print(f"{done:.0f}/{total:.0f} {note}", flush=True)


if __name__ == "__main__":
    main()
