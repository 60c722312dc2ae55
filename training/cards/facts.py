"""What is recorded of a version of a model, as one JSON object from which every document of it is made."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from feature_repo.bundle import MANIFEST
from feature_repo.home import Home
from training.background import Background
from training.bundle import BundleManifest
from training.private.leaks import records as leak_records
from training.private.leaks.leak import to_json as leaks_to_json
from training.robustness.curve import to_json
from training.robustness.records import read
from training.validation.bootstrap import Interval
from training.validation.evidence import MODEL_KEY, PERMUTED, Evidence
from training.validation.gates import Decision
from training.version_files import decision_of, evidence_of, lineage_of, promotions

Facts = Mapping[str, Any]
"""Part → content, as ``gather`` returns them; only values of JSON."""
FEATURES = 15
"""Most features whose importance is listed."""


def gather(
    folder: Path,
    manifest: BundleManifest,
    evidence: Evidence | None,
    decision: Decision | None,
    run: Mapping[str, Any],
) -> dict[str, Any]:
    """Collects the facts of a bundle that does not change any more: the same bundle gives the same facts.

    Args:
        folder: folder of the bundle.
        manifest: manifest of the bundle.
        evidence: evidence of the test, if any was kept.
        decision: decision whether the version may serve, if there is one.
        run: the version's lineage, with the manifests of its training sets.

    Returns:
        ``model``, ``about``, ``evaluation``, ``metrics``, ``gates``, ``importance``, ``training_sets`` and ``run``.
    """
    background = Background.read(folder)
    names = ["name", "version", "family", "feature_service", "fingerprint", "inputs", "outputs", "training_set"]
    names += ["cutoff", "code_revision", "refrain"]
    model = {name: getattr(manifest, name) for name in names}
    files = {name: digest for name, digest in manifest.files.items() if Path(name).suffix not in (".html", ".md")}
    return {
        "model": {**model, "files": files, "bytes": sum(_size(folder / name) for name in files)},
        "about": _text(folder / "README.md"),
        "evaluation": None if evidence is None else _evaluation(evidence),
        "metrics": {name: _finite(figures) for name, figures in manifest.metrics.items()},
        "gates": None if decision is None else json.loads(decision.to_json()),
        "importance": {} if background is None else dict(list(background.importance.items())[:FEATURES]),
        "training_sets": [dict(one) for one in run.get("training_sets") or [] if "digest" in one],
        "run": {name: run[name] for name in ("key", "parameters", "rows") if name in run},
    }


def facts_of(home: Home, model: str, version: int) -> dict[str, Any]:
    """Collects the facts of a registered version, with owner, reviews, promotions, curves and leaks until now.

    Raises:
        OSError, ValueError: the bundle is not there, or damaged.
    """
    from training.reviews import reviews, stewardship_of

    folder = home.bundles(model) / str(version)
    manifest = BundleManifest(**json.loads((folder / MANIFEST).read_text()))
    run = lineage_of(home, model, version)
    facts = gather(folder, manifest, evidence_of(home, model, version), decision_of(home, model, version), run)
    return facts | {
        "owner": stewardship_of(home, model, version).owner,
        "reviews": [asdict(record) for record in reviews(home, model) if record.version == version],
        "promotions": promotions(home, model),
        "robustness": to_json(read(home, model, version)),
        "leaks": leaks_to_json(leak_records.read(home, model, version)),
        "privacy": manifest.extra.get("privacy"),
    }


def _evaluation(evidence: Evidence) -> dict[str, Any]:
    figure = evidence.figure()
    others = [name for name in evidence.values if name not in (MODEL_KEY, PERMUTED)]
    return {
        "metric": evidence.metric,
        "higher_is_better": evidence.higher_is_better,
        "units": figure.units,
        "clusters": figure.clusters,
        "figure": _interval(figure),
        "baselines": {name: _interval(evidence.figure(name)) for name in others},
        "gains": {name: _interval(evidence.gain(name)) for name in evidence.baselines},
        "permuted_labels": _interval(evidence.figure(PERMUTED)) if PERMUTED in evidence.values else None,
        "segments": {
            division: {name: {**_interval(part), "units": part.units} for name, part in parts.items()}
            for division in evidence.segments
            if (parts := evidence.by_segment(division))
        },
        "is_a_chance": bool(len(evidence.chance)),
    }


def _interval(interval: Interval) -> dict[str, float | None]:
    """The mean and its 95 % interval; None where there is no number."""
    ends = {"mean": interval.mean, "low": interval.low, "high": interval.high}
    return {name: float(value) if np.isfinite(value) else None for name, value in ends.items()}


def _finite(figures: Mapping[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in figures.items() if np.isfinite(value)}


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def number(value: float | None) -> str:
    """A number with four digits that count; empty for none.

    >>> number(0.123456), number(None)
    ('0.1235', '')
    """
    return "" if value is None else f"{value:,.4g}"
