"""A model's card: one self-contained page beside every bundle.

It shows what the model is, its training data, its figures beside the baselines with intervals, its figures by segment,
its calibration, its feature importance, the decision of its gates, and its lineage. After M. Mitchell et al., Model
Cards for Model Reporting, 2019.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training.background import Background
from training.bundle import BundleManifest
from training.fairness.figure import Figure
from training.fairness.page import section
from training.validation.bootstrap import Interval
from training.validation.check import Check
from training.validation.evidence import MODEL_KEY, PERMUTED, Evidence
from training.validation.gates import Decision
from transforms.pure import svg

CARD = "card.html"
BINS = 10
MOST_FEATURES = 15
GATES = "<h2>Gates</h2>"
MARK = "<p class=bad><b>"
"""Begins the mark of a version that was promoted without having passed its gates."""


def draw(
    folder: Path,
    manifest: BundleManifest,
    evidence: Evidence | None,
    decision: Decision,
    lineage: Sequence[Mapping[str, Any]],
    figures: Sequence[Figure] = (),
) -> str:
    """Draws the card of a bundle that is about to be registered.

    Args:
        folder: folder of the bundle.
        manifest: manifest of the bundle.
        evidence: evidence of the test, if any was kept.
        decision: decision whether the version may serve.
        lineage: manifests of the training sets.
        figures: figures of fairness.
    """
    parts = [
        _summary(manifest, decision),
        _gates(decision),
        _figures(manifest, evidence),
        *([_segments(evidence), section(figures), _calibration(evidence)] if evidence is not None else []),
        _importance(folder),
        _data(manifest, lineage),
        _limits(folder),
        _lineage(manifest, lineage),
    ]
    return svg.page(f"{manifest.name} {manifest.version}", "".join(part for part in parts if part))


def marked(card: str, reason: str, failed_gates: Sequence[str]) -> str:
    """Returns a card that says that its version was promoted although it did not pass its gates; once.

    Args:
        card: the card as it was drawn.
        reason: why it was promoted.
        failed_gates: the gates that it did not pass, in words.
    """
    if MARK in card:
        return card
    gates = svg.escape("; ".join(failed_gates))
    return card.replace(
        GATES, f"{MARK}Promoted anyway</b> ({svg.escape(reason)}), against its gates: {gates}.</p>{GATES}", 1
    )


def _summary(manifest: BundleManifest, decision: Decision) -> str:
    permission = {
        "pass": "may serve",
        "fail": "must not serve",
        "undecided": "must not serve: the evidence is too small to tell",
    }[decision.answer]
    style = "good" if decision.may_serve else "bad"
    return (
        f"<p>A model of the family <b>{svg.escape(manifest.family)}</b>; nothing after {svg.escape(manifest.cutoff)} "
        f"was known to it. <span class={style}>It {permission}.</span></p>"
    )


def _gates(decision: Decision) -> str:
    rows = [
        (
            svg.Html("<span class={}>{}</span>".format(*_verdict(check))),
            check.name,
            svg.Html(f"<span style='white-space: normal'>{svg.escape(check.summary)}</span>"),
        )
        for check in decision.checks
    ]
    return GATES + svg.table(["", "gate", "result"], rows)


def _verdict(check: Check) -> tuple[str, str]:
    """Returns the style class and the word for a check."""
    styles = {"passed": "good", "FAILED": "bad", "UNDECIDED": "bad", "note": "note"}
    return styles[check.verdict], check.verdict.lower()


def _figures(manifest: BundleManifest, evidence: Evidence | None) -> str:
    html = "<h2>How good it is</h2>"
    if evidence is not None:
        figures = {model_name: evidence.figure(model_name) for model_name in evidence.values}
        better = "higher" if evidence.higher_is_better else "lower"
        model_figure = figures[MODEL_KEY]
        clusters = f" in {model_figure.clusters:,} clusters" if model_figure.clusters < model_figure.units else ""
        html += (
            f"<p>{svg.escape(evidence.metric)}, {better} is better, over {model_figure.units:,} test units{clusters}; "
            f"95 % intervals by bootstrap.</p>"
        )
        rows = [(_named(model_name, manifest), *_interval_cells(figure)) for model_name, figure in figures.items()]
        html += svg.table(["model", evidence.metric, "from", "to"], rows, numbers=(1, 2, 3))
        gains = [(model_name, evidence.gain(model_name)) for model_name in evidence.baselines]
        if gains:
            gain_rows = [(f"than {model_name}", gain.low, gain.mean, gain.high) for model_name, gain in gains]
            html += svg.intervals("Better by (right of the line)", gain_rows)
    names = list(dict.fromkeys(name for figure in manifest.metrics.values() for name in figure))
    names_shown = names[:8]
    if names_shown:
        metric_rows = [
            (model_name, *(_number(figure.get(name)) for name in names_shown))
            for model_name, figure in manifest.metrics.items()
        ]
        html += "<h3>All figures of the test</h3>"
        html += svg.table(
            ["model", *(name.replace("_", " ") for name in names_shown)],
            metric_rows,
            numbers=range(1, len(names_shown) + 1),
        )
    return html


def _named(model_name: str, manifest: BundleManifest) -> str:
    """Returns the name of a row of figures."""
    names = {MODEL_KEY: manifest.name, PERMUTED: "fit on permuted labels (floor)"}
    return names.get(model_name, model_name)


def _segments(evidence: Evidence) -> str:
    html = ""
    for division in evidence.segments:
        rows = [
            (name, figure.units, *_interval_cells(figure)) for name, figure in evidence.by_segment(division).items()
        ]
        if rows:
            html += f"<h3>By {svg.escape(division)}</h3>"
            html += svg.table([division, "units", evidence.metric, "from", "to"], rows, numbers=(1, 2, 3, 4))
    return f"<h2>For whom</h2>{html}" if html else ""


def _calibration(evidence: Evidence) -> str:
    if not len(evidence.chance):
        return ""
    order = np.argsort(evidence.chance, kind="stable")
    bins = [rows_of_bin for rows_of_bin in np.array_split(order, BINS) if len(rows_of_bin)]
    predicted = [float(evidence.chance[rows_of_bin].mean()) for rows_of_bin in bins]
    observed = [float(evidence.outcome[rows_of_bin].mean()) for rows_of_bin in bins]
    rows = [
        (f"{chance:.3f}", f"{share:.3f}", len(rows_of_bin))
        for chance, share, rows_of_bin in zip(predicted, observed, bins, strict=True)
    ]
    return (
        "<h2>Calibration</h2>"
        + svg.lines("Predicted chance and observed share, by tenths", [predicted, observed], ("predicted", "observed"))
        + svg.table(["predicted", "observed", "units"], rows, numbers=(0, 1, 2))
    )


def _importance(folder: Path) -> str:
    background = Background.read(folder)
    if background is None:
        return ""
    rows = [(name, f"{share:.1%}") for name, share in list(background.importance.items())[:MOST_FEATURES]]
    return (
        "<h2>What moves its answers</h2><p>Mean size of each feature's contribution to rows of the test, as shares of "
        "all.</p>" + svg.table(["feature", "share"], rows, numbers=(1,))
    )


def _data(manifest: BundleManifest, lineage: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (
            training_set.get("feature_service", ""),
            f"{training_set.get('rows', 0):,}",
            str(training_set.get("cutoff", ""))[:19],
            str(training_set["digest"])[:16],
        )
        for training_set in lineage
        if "digest" in training_set
    ]
    inputs = f"{len(manifest.inputs)} inputs" + (f" of {manifest.feature_service}" if manifest.feature_service else "")
    html = f"<h2>Data</h2><p>{svg.escape(inputs)}.</p>"
    return html + (svg.table(["feature service", "rows", "until", "digest"], rows, numbers=(1,)) if rows else "")


def _limits(folder: Path) -> str:
    try:
        text = (folder / "README.md").read_text()
    except OSError:
        return ""
    return f"<h2>About, and its limits</h2><pre style='white-space: pre-wrap'>{svg.escape(text)}</pre>"


def _lineage(manifest: BundleManifest, lineage: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        ("training set", manifest.training_set),
        ("feature service", f"{manifest.feature_service or 'none'} {manifest.fingerprint}"),
        ("code", manifest.code_revision),
        ("Refrain", manifest.refrain),
    ]
    for training_set in lineage:
        rows += [(f"view {name}", str(digest)) for name, digest in (training_set.get("sources") or {}).items()]
    rows += [(name, digest) for name, digest in manifest.files.items()]
    return "<h2>Where it came from</h2>" + svg.table(["what", "digest"], rows)


def _interval_cells(interval: Interval) -> tuple[str, str, str]:
    return _number(interval.mean), _number(interval.low), _number(interval.high)


def _number(value: float | None) -> str:
    return "" if value is None or not np.isfinite(value) else f"{value:,.4g}"
