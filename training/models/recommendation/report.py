"""Renders the evaluation of a training run as one self-contained HTML page."""

import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from training.evaluate import RankingMetrics
from training.models.recommendation.evaluate import Evaluation
from training.models.recommendation.trust import describe_left_out
from transforms.pure import svg

if TYPE_CHECKING:
    from training.models.recommendation.bundle import TrainedModels
    from training.models.recommendation.moment import Moment

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; color: #1a1a1a }
table { border-collapse: collapse; margin: .5rem 0 1.5rem } td, th { padding: .15rem .7rem; text-align: right }
td:first-child, th:first-child { text-align: left } tr:nth-child(even) { background: #f4f4f2 }
pre { overflow-x: auto; background: #f4f4f2; padding: 1rem }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(24rem, 1fr)); gap: 1rem } svg { width: 100% }
"""
_COLUMNS = {
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


def draw(
    name: str, evaluation: Evaluation, parameters: Mapping[str, Any], trained: "TrainedModels", test: "Moment"
) -> str:
    """Renders the page.

    Args:
        name: name of the model.
        evaluation: metrics on test.
        parameters: parameters of the run.
        trained: trained models; the feature importance of the rankers is drawn.
        test: test moment, for the number of its queries.
    """
    tables = "".join(
        f"<h2>{svg.escape(question.capitalize())}</h2>{table(models)}"
        for question, models in evaluation.by_question.items()
    )
    trust = describe_left_out(int(trained.knowledge.left_out.sum()), len(trained.interactions.user_ids))
    pictures = [
        _bars("NDCG@10 at the cutoff, with 95 % intervals", _ndcg(evaluation.by_question["at the cutoff"])),
        *(
            _bars(f"NDCG@10, {question}", _ndcg(models))
            for question, models in evaluation.by_question.items()
            if question != "at the cutoff"
        ),
        _bars("NDCG@10 of the hybrid, by segment", _ndcg(evaluation.segments)),
        _bars("Feature importance of the hybrid ranker (share of gain)", _gains(trained.hybrid)),
        _bars("Feature importance of the real-time ranker (share of gain)", _gains(trained.real_time)),
        _long_tail(trained.knowledge.popular),
    ]
    choice = svg.escape(json.dumps(dict(parameters), indent=1, default=str))
    return (
        f"<!doctype html><meta charset=utf-8><title>{svg.escape(name)}</title><style>{STYLE}</style>"
        f"<h1>{svg.escape(name)}</h1><p>On test, measured once; full rankings over all tracks, heard ones left out. "
        f"Novelty: self-information of a recommended track in bits; diversity: mean 1 − cosine within a list; "
        f"popularity lift: popularity of the list relative to that of the listener's past plays.</p>{tables}"
        f"<h2>Hybrid by segment</h2>{table(evaluation.segments)}"
        f"<div class=pictures>{''.join(f'<figure>{picture}</figure>' for picture in pictures)}</div>"
        f"<h2>Parameters of the run</h2><pre>{choice}</pre>"
        f"<p>{len(test.queries)} listeners at the cutoff, {len(test.session_queries)} within sessions.</p>"
        f"<p>{svg.escape(trust[0].upper() + trust[1:])}.</p>"
    )


def table(models: Mapping[str, RankingMetrics]) -> str:
    """Renders the metrics of models as an HTML table."""
    head = "".join(f"<th>{svg.escape(title)}</th>" for title in _COLUMNS.values())
    rows = []
    for model, figures in models.items():
        values = asdict(figures)
        cells = "".join(f"<td>{_number(values[key])}</td>" for key in _COLUMNS)
        rows.append(f"<tr><td>{svg.escape(model)}</td>{cells}</tr>")
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
    return [
        (names[column], float(gains[column] / max(gains.sum(), 1e-12)), 0.0) for column in order if gains[column] > 0
    ]


def _bars(title: str, bars: Sequence[tuple[str, float, float]]) -> str:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 0.6 + 0.28 * max(len(bars), 1)), layout="constrained")
    axes = figure.subplots()
    names = [name for name, *_ in bars][::-1]
    values, errors = ([bar[position] for bar in bars][::-1] for position in (1, 2))
    axes.barh(names, values, xerr=errors if any(errors) else None, color="#1f6fb2", height=0.7)
    return _render_svg(figure, axes, title)


def _long_tail(plays: np.ndarray) -> str:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 2.6), layout="constrained")
    axes = figure.subplots()
    ordered = np.sort(plays[plays > 0])[::-1]
    share = np.cumsum(ordered) / max(ordered.sum(), 1)
    axes.plot(np.arange(1, len(ordered) + 1) / max(len(ordered), 1), share, color="#1f6fb2")
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.set_xlabel("share of the tracks, most played first", fontsize=7)
    return _render_svg(figure, axes, "Share of the plays of the last four weeks")


def _render_svg(figure: Any, axes: Any, title: str) -> str:
    axes.set_title(title, fontsize=9, loc="left")
    axes.tick_params(labelsize=7)
    svg = io.StringIO()
    figure.savefig(svg, format="svg")
    return svg.getvalue()[svg.getvalue().index("<svg") :]
