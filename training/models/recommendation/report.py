"""How good a run of the family was, as one HTML page that needs nothing else."""

import html
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from training.evaluate import RankingMetrics
from training.models.recommendation.measured import Measured

if TYPE_CHECKING:
    from training.models.recommendation.bundle import Learned
    from training.models.recommendation.moment import Moment

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; color: #1a1a1a }
table { border-collapse: collapse; margin: .5rem 0 1.5rem } td, th { padding: .15rem .7rem; text-align: right }
td:first-child, th:first-child { text-align: left } tr:nth-child(even) { background: #f4f4f2 }
pre { overflow-x: auto; background: #f4f4f2; padding: 1rem }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(24rem, 1fr)); gap: 1rem } svg { width: 100% }
"""
_SHOWN = {
    "ndcg_at_10": "NDCG@10",
    "ndcg_interval": "± 95 %",
    "recall_at_10": "Recall@10",
    "recall_at_20": "Recall@20",
    "mrr_at_10": "MRR@10",
    "map_at_10": "MAP@10",
    "coverage_at_10": "coverage",
    "novelty_at_10": "novelty, bits",
    "diversity_at_10": "diversity",
    "popularity_lift": "popularity lift",
    "users": "listeners",
}
_GAIN = "gain"


def draw(name: str, found: Measured, parameters: Mapping[str, Any], learned: "Learned", test: "Moment") -> str:
    """The page.

    Args:
        name: of the model.
        found: what was measured.
        parameters: of the run.
        learned: the models; what the rankers look at is drawn.
        test: the test moment, for how its candidates were found.
    """
    tables = "".join(
        f"<h2>{html.escape(question.capitalize())}</h2>{_table(models)}"
        for question, models in found.by_question.items()
    )
    pictures = [
        _bars("NDCG@10 at the cutoff, with 95 % intervals", _ndcg(found.by_question["at the cutoff"])),
        *(
            _bars(f"NDCG@10, {question}", _ndcg(models))
            for question, models in found.by_question.items()
            if question != "at the cutoff"
        ),
        _bars("NDCG@10 of the hybrid, by segment", _ndcg(found.segments)),
        _bars("What the hybrid looks at (share of gain)", _gains(learned.hybrid)),
        _bars("What the real-time model looks at (share of gain)", _gains(learned.real_time)),
        _long_tail(learned.known.popular),
    ]
    choice = html.escape(json.dumps(dict(parameters), indent=1, default=str))
    return (
        f"<!doctype html><meta charset=utf-8><title>{html.escape(name)}</title><style>{_STYLE}</style>"
        f"<h1>{html.escape(name)}</h1><p>On test, measured once; full rankings over all tracks, heard ones left out. "
        f"Novelty: bits that a shown track tells; diversity: mean 1 − cosine within a list; popularity lift: how much "
        f"more popular than what the same listeners had played.</p>{tables}"
        f"<h2>Hybrid by segment</h2>{_table(found.segments)}"
        f"<div class=pictures>{''.join(f'<figure>{one}</figure>' for one in pictures)}</div>"
        f"<h2>What was chosen, and the run</h2><pre>{choice}</pre>"
        f"<p>{len(test.asked)} listeners at the cutoff, {len(test.sessions)} within sessions.</p>"
    )


def _table(models: Mapping[str, RankingMetrics]) -> str:
    head = "".join(f"<th>{html.escape(told)}</th>" for told in _SHOWN.values())
    rows = []
    for model, numbers in models.items():
        values = asdict(numbers)
        cells = "".join(f"<td>{_number(values[key])}</td>" for key in _SHOWN)
        rows.append(f"<tr><td>{html.escape(model)}</td>{cells}</tr>")
    return f"<table><tr><th>model</th>{head}</tr>{''.join(rows)}</table>"


def _number(value: float) -> str:
    if math.isnan(value):
        return "–"
    return str(value) if isinstance(value, int) else f"{value:.4f}"


def _ndcg(models: Mapping[str, RankingMetrics]) -> list[tuple[str, float, float]]:
    return [(name, numbers.ndcg_at_10, np.nan_to_num(numbers.ndcg_interval)) for name, numbers in models.items()]


def _gains(booster: Any) -> list[tuple[str, float, float]]:
    gains = booster.feature_importance(_GAIN)
    order = np.argsort(-gains, kind="stable")[:12]
    names = booster.feature_name()
    return [(names[place], float(gains[place] / max(gains.sum(), 1e-12)), 0.0) for place in order if gains[place] > 0]


def _bars(title: str, bars: Sequence[tuple[str, float, float]]) -> str:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 0.6 + 0.28 * max(len(bars), 1)), layout="constrained")
    axes = figure.subplots()
    names = [name for name, *_ in bars][::-1]
    values, errors = ([bar[place] for bar in bars][::-1] for place in (1, 2))
    axes.barh(names, values, xerr=errors if any(errors) else None, color="#1f6fb2", height=0.7)
    return _drawn(figure, axes, title)


def _long_tail(plays: np.ndarray) -> str:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 2.6), layout="constrained")
    axes = figure.subplots()
    ordered = np.sort(plays[plays > 0])[::-1]
    share = np.cumsum(ordered) / max(ordered.sum(), 1)
    axes.plot(np.arange(1, len(ordered) + 1) / max(len(ordered), 1), share, color="#1f6fb2")
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.set_xlabel("share of the tracks, most played first", fontsize=7)
    return _drawn(figure, axes, "Share of the plays of the last four weeks")


def _drawn(figure: Any, axes: Any, title: str) -> str:
    axes.set_title(title, fontsize=9, loc="left")
    axes.tick_params(labelsize=7)
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg")
    return drawn.getvalue()[drawn.getvalue().index("<svg") :]
