"""How well series of the M4 competition are forecast: hourly by default, any of its sets that lies in the folder.

Protocol: the official training and test parts (48 hours ahead; 13 weeks). Everything is chosen on two validation
windows cut from the end of the training part, each as long as the test: forecasters are fitted on what lies before
each window, ensembles learn from the older windows and are compared on the newest, intervals learn from the errors of
all. Then all members are fitted on the whole training part and measured on the test part once. sMAPE and MASE are means
over series, as the competition has them; OWA is relative to Naive2, computed here. Seeds are fixed.

Seasons: hourly 24 and 168, weekly 52; the season of MASE and Naive2 is the competition's (24; 1).

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

from benchmarks.surroundings import DATA, MACHINE
from training.evaluate import forecast_metrics, mase, mase_scale, owa, smape
from training.models.forecasting.backtest import Backtest, backtest, owa_loss
from training.models.forecasting.blend import Blend, segment_of
from training.models.forecasting.conformal import ConformalQuantiles
from training.models.forecasting.global_lightgbm import GlobalLightGBM
from training.models.forecasting.naive import Naive2, SeasonalNaive
from training.models.forecasting.panel import Panel
from training.models.forecasting.statistical import CES, ETS, MSTL, THETA

SETS: dict[str, dict[str, Any]] = {
    "hourly": {"horizon": 48, "official": 24, "seasons": (24, 168)},
    "weekly": {"horizon": 13, "official": 1, "seasons": (52,)},
}
PUBLISHED = {"hourly": {"naive2_smape": 18.383, "naive2_mase": 2.395, "winner (Smyl)": 0.440}}
GOAL = 0.53
WINDOWS = 2


def main() -> None:
    """Print progress, then one line of JSON."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--set", choices=sorted(SETS), default="hourly")
    arguments.add_argument("--data", type=Path, default=None, help="folder with Train/ and Test/")
    given = arguments.parse_args()
    folder = given.data or DATA / f"m4-{given.set}"
    print(json.dumps(measure(given.set, folder)))


def measure(name: str, folder: Path) -> dict[str, Any]:
    """All figures of one set."""
    started = time.perf_counter()
    settings = SETS[name]
    horizon, official = settings["horizon"], settings["official"]
    train = [series for _, series in read(folder / "Train" / f"{name.capitalize()}-train.csv")]
    panel = panel_of(train, settings["seasons"])
    members = [*forecasters(panel), Naive2(official), SeasonalNaive()]
    names = [one.name for one in members]
    backs = [horizon * (window + 1) for window in range(WINDOWS)]
    past = _scaled(backtest(panel, members, horizon, backs, progress=_tell), panel, official)
    reference = past.metrics(past.forecasts["naive2"])
    loss = owa_loss(reference)
    blend = Blend.choose(past, names, loss)
    chosen = time.perf_counter() - started
    forecasts = {one.name: one.fit(panel, horizon).forecast(panel, horizon) for one in members}
    scale = mase_scale(panel.values, official)
    middle = np.median(np.stack(list(forecasts.values())), axis=0).mean(axis=1)
    forecasts["ensemble"] = panel.bounded(blend.combine(forecasts, scale, segment_of(middle, scale)))
    seconds = time.perf_counter() - started
    steps = (len(backs) * len(panel), horizon)
    said = blend.of(past).reshape(steps)
    conformal = ConformalQuantiles().fit(past.truth.reshape(steps), said, past.scale.reshape(-1))
    quantiles = conformal.quantiles(forecasts["ensemble"], scale)
    # the test part, for the first time
    truth = np.array([series for _, series in read(folder / "Test" / f"{name.capitalize()}-test.csv")])
    figures = {
        label: {"smape": float(smape(truth, one).mean()), "mase": float(np.nanmean(mase(truth, one, scale)))}
        for label, one in forecasts.items()
    }
    base = figures["naive2"]
    for one in figures.values():
        one["owa"] = owa(one["smape"], one["mase"], base["smape"], base["mase"])
    intervals = forecast_metrics(truth, forecasts["ensemble"], scale, quantiles)
    for label, one in sorted(figures.items(), key=lambda item: item[1]["owa"]):
        print(f"{label:20} sMAPE {one['smape']:7.3f}  MASE {one['mase']:6.3f}  OWA {one['owa']:.3f}")
    print(f"chosen: {blend.kind}, weights {blend.as_json()['weights']}")
    return {
        "benchmark": f"quality_m4_{name}" if name != "hourly" else "quality_m4",
        "machine": MACHINE,
        "series": len(panel),
        "chosen": blend.as_json(),
        "figures": figures,
        "coverage": intervals.coverage,
        "seconds": {"choosing": round(chosen, 1), "all": round(seconds, 1)},
        "cases": _cases(name, figures, intervals.coverage, seconds),
    }


def read(path: Path) -> list[tuple[str, np.ndarray]]:
    """Name and values of each series of a file of the competition."""
    with path.open(newline="") as handle:
        rows = [row for row in csv.reader(handle) if row and row[0] not in ("V1", "id")]
    return [(row[0], np.array([float(value) for value in row[1:] if value not in ("", "NA")])) for row in rows]


def panel_of(series: list[np.ndarray], seasons: tuple[int, ...]) -> Panel:
    """Series that end together, as the competition has them."""
    length = max(map(len, series))
    values = np.full((len(series), length), np.nan)
    for row, one in zip(values, series, strict=True):
        row[length - len(one) :] = one
    return Panel([str(number) for number in range(len(series))], values, seasons)


def forecasters(panel: Panel) -> list[Any]:
    """The members; theta and exponential smoothing where they take no minutes."""
    learned = [GlobalLightGBM(), GlobalLightGBM(name="global_difference", difference=True)]
    hourly = min(panel.seasons) <= 24
    mstl = replace(MSTL, last=3 * max(panel.seasons)) if hourly else MSTL
    return [*learned, mstl, CES, *([] if hourly else [THETA, ETS])]


def _scaled(found: Backtest, panel: Panel, season: int) -> Backtest:
    """With the scale of the competition's season."""
    scale = [mase_scale(panel.values[:, :origin], season) for origin in found.origins.tolist()]
    return Backtest(found.forecasts, found.truth, np.stack(scale), found.origins)


def _cases(name: str, figures: dict, coverage: dict[int, float], seconds: float) -> list[dict[str, Any]]:
    published = PUBLISHED.get(name, {})
    cases: list[dict[str, Any]] = []
    for metric in ("smape", "mase"):
        value, told = figures["naive2"][metric], published.get(f"naive2_{metric}")
        case = {"case": f"M4 {name}", "metric": f"naive2_{metric}", "value": round(value, 3), "goal": told}
        cases.append(case | ({} if told is None else {"met": abs(value - told) < 0.001}))
    value = figures["ensemble"]["owa"]
    goal = {"goal": f"<={GOAL}", "met": value <= GOAL} if name == "hourly" else {}
    cases.append({"case": f"M4 {name}", "metric": "ensemble_owa", "value": round(value, 3), **goal})
    limit = {"goal": "<300", "met": seconds < 300} if name == "hourly" else {}
    cases.append({"case": f"M4 {name}", "metric": "ensemble_seconds", "value": round(seconds, 1), **limit})
    for level, share in coverage.items():
        cases.append({"case": f"M4 {name}", "metric": f"coverage_{level}", "value": round(share, 3)})
    for label, one in figures.items():
        cases.append({"case": f"M4 {name}", "model": label, "metric": "owa", "value": round(one["owa"], 3)})
    return cases


def _tell(done: float, total: float, note: str = "") -> None:
    print(f"{done:.0f}/{total:.0f} {note}", flush=True)


if __name__ == "__main__":
    main()
