"""Renders the evaluation of forecasts as one self-contained HTML page."""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from feature_repo.home import Home
from training.models.forecasting.result import Metrics, flat, table
from transforms.pure import svg

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #1a1a1a }
pre { overflow-x: auto; background: #f4f4f2; padding: 1rem }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(22rem, 1fr)); gap: 1rem } svg { width: 100% }
"""


@dataclass(frozen=True)
class ForecastPlot:
    """A series to plot with its forecast.

    Attributes:
        name: name of the series.
        history: (t,) values up to the end of the data.
        back: steps from the origin of the forecast to the end of the data.
        forecast: (h,) forecast values.
        quantiles: level → (h,) quantiles of the forecast.
    """

    name: str
    history: np.ndarray
    back: int
    forecast: np.ndarray
    quantiles: Mapping[float, np.ndarray]


@dataclass(frozen=True)
class Reliability:
    """Predicted probabilities to plot against observed frequencies.

    Attributes:
        name: title of the plot.
        outcome: (n,) 0 or 1.
        chance: (n,) predicted probability.
    """

    name: str
    outcome: np.ndarray
    chance: np.ndarray


def write(
    home: Home,
    name: str,
    version: int,
    metrics: Mapping[str, Mapping[str, Metrics]],
    chosen: Mapping[str, Any],
    plots: Sequence[ForecastPlot | Reliability],
) -> Path:
    """Writes the page beside the bundles, and the metrics as JSON; returns the path of the page."""
    path = home.bundles(name) / f"report-{version}.html"
    figures = svg.escape("\n".join(table(metrics)))
    pictures = "".join(f"<figure>{_render_svg(plot)}</figure>" for plot in plots)
    choice = svg.escape(json.dumps(chosen, indent=1))
    page = (
        f"<!doctype html><meta charset=utf-8><title>{svg.escape(name)} {version}</title><style>{_STYLE}</style>"
        f"<h1>{svg.escape(name)} {version}</h1><p>On test, evaluated once. The line that starts inside the history is "
        f"the forecast made there, with intervals of 80 % and 95 %. Calibrated probabilities lie on the diagonal."
        f"</p><pre>{figures}</pre>"
        f"<div class=pictures>{pictures}</div><h2>What was chosen on validation</h2><pre>{choice}</pre>"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page)
    path.with_suffix(".json").write_text(json.dumps({"metrics": flat(metrics), "chosen": chosen}, indent=1) + "\n")
    return path


def _render_svg(plot: ForecastPlot | Reliability) -> str:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 2.6), layout="constrained")
    axes = figure.subplots()
    if isinstance(plot, ForecastPlot):
        _draw_forecast(axes, plot)
    else:
        _draw_reliability(axes, plot)
    axes.set_title(plot.name, fontsize=9, loc="left")
    axes.tick_params(labelsize=7)
    svg = io.StringIO()
    figure.savefig(svg, format="svg")
    return svg.getvalue()[svg.getvalue().index("<svg") :]


def _draw_reliability(axes: Any, plot: Reliability) -> None:
    order = np.argsort(plot.chance, kind="stable")
    bins = [bin_rows for bin_rows in np.array_split(order, 20) if len(bin_rows)]
    axes.plot([0, 1], [0, 1], color="#999999", linewidth=0.8)
    predicted, observed = ([values[bin_rows].mean() for bin_rows in bins] for values in (plot.chance, plot.outcome))
    axes.plot(predicted, observed, color="#1f6fb2", marker="o", markersize=3, linewidth=1)
    highest = max(*predicted, *observed, 1e-3) * 1.05
    axes.set(xlim=(0, highest), ylim=(0, highest))
    axes.set_xlabel("predicted", fontsize=7)
    axes.set_ylabel("observed", fontsize=7)


def _draw_forecast(axes: Any, plot: ForecastPlot) -> None:
    past = np.arange(len(plot.history)) - len(plot.history)
    axes.plot(past, plot.history, color="#555555", linewidth=1)
    ahead = np.arange(len(plot.forecast)) - plot.back
    for low, high, shade in ((0.025, 0.975, 0.15), (0.1, 0.9, 0.3)):
        if low in plot.quantiles and high in plot.quantiles:
            axes.fill_between(
                ahead, plot.quantiles[low], plot.quantiles[high], color="#1f6fb2", alpha=shade, linewidth=0
            )
    axes.plot(ahead, plot.forecast, color="#1f6fb2", linewidth=1.6)
    axes.set_ylim(bottom=min(0.0, float(np.nanmin(plot.history, initial=0.0))))
