"""A model's card: one page that needs nothing else, beside every bundle.

What it is, what it learned from, how good it is beside others and how sure that is, for whom it is worse, whether its
chances mean what they say, what moves its answers, whether it may serve and why, where everything came from. After
M. Mitchell et al., Model Cards for Model Reporting, 2019.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training.background import Background
from training.bundle import BundleManifest
from training.validation.bootstrap import Interval
from training.validation.evidence import OURS, Evidence
from training.validation.gates import Check, Decision
from transforms.pure import svg

CARD = "card.html"
BINS = 10
MOST_FEATURES = 15


def draw(
    folder: Path,
    manifest: BundleManifest,
    evidence: Evidence | None,
    decision: Decision,
    lineage: Sequence[Mapping[str, Any]],
) -> str:
    """The page of a bundle that is about to be registered.

    Args:
        folder: of the bundle.
        manifest: of it.
        evidence: of its test, if any was kept.
        decision: whether it may serve.
        lineage: manifests of its training sets.
    """
    parts = [
        _summary(manifest, decision),
        _gates(decision),
        _figures(manifest, evidence),
        *([_segments(evidence), _calibration(evidence)] if evidence is not None else []),
        _importance(folder),
        _data(manifest, lineage),
        _limits(folder),
        _lineage(manifest, lineage),
    ]
    return svg.page(f"{manifest.name} {manifest.version}", "".join(part for part in parts if part))


def _summary(manifest: BundleManifest, decision: Decision) -> str:
    told = "may serve" if decision.may_serve else "must not serve unless a person says so"
    kind = "good" if decision.may_serve else "bad"
    return (
        f"<p>A model of the family <b>{svg.escape(manifest.family)}</b>; nothing after {svg.escape(manifest.cutoff)} "
        f"was known to it. <span class={kind}>It {told}.</span></p>"
    )


def _gates(decision: Decision) -> str:
    rows = [
        (
            svg.Html("<span class={}>{}</span>".format(*_verdict(one))),
            one.name,
            svg.Html(f"<span style='white-space: normal'>{svg.escape(one.told)}</span>"),
        )
        for one in decision.checks
    ]
    return "<h2>Gates</h2>" + svg.table(["", "gate", "found"], rows)


def _verdict(check: Check) -> tuple[str, str]:
    """Style and word."""
    return {"passed": "good", "FAILED": "bad", "note": "note"}[check.verdict], check.verdict.lower()


def _figures(manifest: BundleManifest, evidence: Evidence | None) -> str:
    found = "<h2>How good it is</h2>"
    if evidence is not None:
        figures = {who: evidence.figure(who) for who in evidence.values}
        better = "higher" if evidence.higher_is_better else "lower"
        one = figures[OURS]
        clusters = f", {one.clusters:,} that are drawn as one" if one.clusters < one.units else ""
        found += (
            f"<p>{svg.escape(evidence.metric)}, {better} is better, over {one.units:,} that were asked "
            f"about{clusters}; 95 % intervals by bootstrap.</p>"
        )
        rows = [(manifest.name if who == OURS else who, *_told(told)) for who, told in figures.items()]
        found += svg.table(["who", evidence.metric, "from", "to"], rows, numbers=(1, 2, 3))
        gains = [(who, evidence.gain(who)) for who in evidence.baselines]
        if gains:
            shown = [(f"than {who}", gain.low, gain.mean, gain.high) for who, gain in gains]
            found += svg.intervals("Better by (right of the line)", shown)
    names = list(dict.fromkeys(name for told in manifest.metrics.values() for name in told))
    few = names[:8]
    if few:
        every = [(who, *(_number(told.get(name)) for name in few)) for who, told in manifest.metrics.items()]
        found += "<h3>All figures of the test</h3>"
        found += svg.table(["who", *(name.replace("_", " ") for name in few)], every, numbers=range(1, len(few) + 1))
    return found


def _segments(evidence: Evidence) -> str:
    found = ""
    for division in evidence.segments:
        rows = [(name, told.units, *_told(told)) for name, told in evidence.by_segment(division).items()]
        if rows:
            found += f"<h3>By {svg.escape(division)}</h3>"
            found += svg.table([division, "asked", evidence.metric, "from", "to"], rows, numbers=(1, 2, 3, 4))
    return f"<h2>For whom</h2>{found}" if found else ""


def _calibration(evidence: Evidence) -> str:
    if not len(evidence.chance):
        return ""
    order = np.argsort(evidence.chance, kind="stable")
    parts = [part for part in np.array_split(order, BINS) if len(part)]
    said = [float(evidence.chance[part].mean()) for part in parts]
    came = [float(evidence.outcome[part].mean()) for part in parts]
    rows = [(f"{one:.3f}", f"{other:.3f}", len(part)) for one, other, part in zip(said, came, parts, strict=True)]
    return (
        "<h2>Do its chances mean what they say?</h2>"
        + svg.lines("Chance that was said, and share that came, by tenths", [said, came], ("said", "came"))
        + svg.table(["said", "came", "asked"], rows, numbers=(0, 1, 2))
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
            one.get("feature_service", ""),
            f"{one.get('rows', 0):,}",
            str(one.get("cutoff", ""))[:19],
            str(one["digest"])[:16],
        )
        for one in lineage
        if "digest" in one
    ]
    eaten = f"{len(manifest.inputs)} inputs" + (f" of {manifest.feature_service}" if manifest.feature_service else "")
    found = f"<h2>Data</h2><p>{svg.escape(eaten)}.</p>"
    return found + (svg.table(["feature service", "rows", "until", "digest"], rows, numbers=(1,)) if rows else "")


def _limits(folder: Path) -> str:
    try:
        told = (folder / "README.md").read_text()
    except OSError:
        return ""
    return f"<h2>About, and its limits</h2><pre style='white-space: pre-wrap'>{svg.escape(told)}</pre>"


def _lineage(manifest: BundleManifest, lineage: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        ("training set", manifest.training_set),
        ("feature service", f"{manifest.feature_service or 'none'} {manifest.fingerprint}"),
        ("code", manifest.code_revision),
    ]
    for one in lineage:
        rows += [(f"view {name}", str(told)) for name, told in (one.get("sources") or {}).items()]
    rows += [(name, digest) for name, digest in manifest.files.items()]
    return "<h2>Where it came from</h2>" + svg.table(["what", "digest"], rows)


def _told(one: Interval) -> tuple[str, str, str]:
    return _number(one.mean), _number(one.low), _number(one.high)


def _number(value: float | None) -> str:
    return "" if value is None or not np.isfinite(value) else f"{value:,.4g}"
