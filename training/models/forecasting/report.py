"""How good forecasts were, as one HTML page that needs nothing else."""

import html
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from feature_repo.home import Home
from training.models.forecasting.result import Metrics, flat, table

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #1a1a1a }
pre { overflow-x: auto; background: #f4f4f2; padding: 1rem }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(22rem, 1fr)); gap: 1rem } svg { width: 100% }
"""


@dataclass(frozen=True)
class Shown:
    """One series to draw.

    Attributes:
        name: of it.
        history: (t,) values up to the end of the data.
        back: steps before the end at which the forecast was made.
        forecast: (h,).
        quantiles: level → (h,).
    """

    name: str
    history: np.ndarray
    back: int
    forecast: np.ndarray
    quantiles: Mapping[float, np.ndarray]


@dataclass(frozen=True)
class Reliability:
    """Probabilities to draw beside how often it came true.

    Attributes:
        name: of the question.
        outcome: (n,) 0 or 1.
        chance: (n,).
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
    shown: Sequence[Shown | Reliability],
) -> Path:
    """Write the page beside the bundles, and the figures as JSON; returns the page's path."""
    path = home.bundles(name) / f"report-{version}.html"
    figures = html.escape("\n".join(table(metrics)))
    pictures = "".join(f"<figure>{_drawn(one)}</figure>" for one in shown)
    choice = html.escape(json.dumps(chosen, indent=1))
    page = (
        f"<!doctype html><meta charset=utf-8><title>{html.escape(name)} {version}</title><style>{_STYLE}</style>"
        f"<h1>{html.escape(name)} {version}</h1><p>On test, measured once; the line that starts inside the history is "
        f"what would have been said there, with intervals of 80 % and 95 %; a probability that means what it says lies "
        f"on the diagonal.</p><pre>{figures}</pre>"
        f"<div class=pictures>{pictures}</div><h2>What was chosen on validation</h2><pre>{choice}</pre>"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page)
    path.with_suffix(".json").write_text(json.dumps({"metrics": flat(metrics), "chosen": chosen}, indent=1) + "\n")
    return path


def _drawn(one: Shown | Reliability) -> str:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 2.6), layout="constrained")
    axes = figure.subplots()
    if isinstance(one, Shown):
        _draw_forecast(axes, one)
    else:
        _draw_reliability(axes, one)
    axes.set_title(one.name, fontsize=9, loc="left")
    axes.tick_params(labelsize=7)
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg")
    return drawn.getvalue()[drawn.getvalue().index("<svg") :]


def _draw_reliability(axes: Any, one: Reliability) -> None:
    order = np.argsort(one.chance, kind="stable")
    parts = [part for part in np.array_split(order, 20) if len(part)]
    axes.plot([0, 1], [0, 1], color="#999999", linewidth=0.8)
    said, came = ([values[part].mean() for part in parts] for values in (one.chance, one.outcome))
    axes.plot(said, came, color="#1f6fb2", marker="o", markersize=3, linewidth=1)
    highest = max(*said, *came, 1e-3) * 1.05
    axes.set(xlim=(0, highest), ylim=(0, highest))
    axes.set_xlabel("said", fontsize=7)
    axes.set_ylabel("came true", fontsize=7)


def _draw_forecast(axes: Any, one: Shown) -> None:
    past = np.arange(len(one.history)) - len(one.history)
    axes.plot(past, one.history, color="#555555", linewidth=1)
    ahead = np.arange(len(one.forecast)) - one.back
    for low, high, shade in ((0.025, 0.975, 0.15), (0.1, 0.9, 0.3)):
        if low in one.quantiles and high in one.quantiles:
            axes.fill_between(ahead, one.quantiles[low], one.quantiles[high], color="#1f6fb2", alpha=shade, linewidth=0)
    axes.plot(ahead, one.forecast, color="#1f6fb2", linewidth=1.6)
    axes.set_ylim(bottom=min(0.0, float(np.nanmin(one.history, initial=0.0))))
