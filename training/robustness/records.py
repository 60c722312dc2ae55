"""The curves of a version, stored beside the versions of its model: as JSON, and as a page."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from feature_repo.home import Home
from feature_repo.whole_files import write_whole
from training.robustness.curve import Curve, from_json, to_json
from training.robustness.page import page

FORMAT = 1


def record_of(home: Home, model: str, version: int | None) -> Path:
    """Returns the file of a version's curves; an analysis without a version has its file among the reports."""
    if version is None:
        return home.root / "reports" / f"robustness-{model}.json"
    return home.bundles(model) / f"robustness-{version}.json"


def write(home: Home, model: str, version: int | None, curves: Sequence[Curve], settings: dict[str, Any]) -> Path:
    """Writes curves as JSON and as a page; those of other attacks that were measured before are kept.

    Args:
        home: the data folder.
        model: name of the model or analysis.
        version: its version; None for an analysis.
        curves: the curves.
        settings: settings of the run: rows, seed.

    Returns:
        The page's path.
    """
    path = record_of(home, model, version)
    path.parent.mkdir(parents=True, exist_ok=True)
    measured_now = {(curve.attack, curve.part) for curve in curves}
    others = [one for one in read(home, model, version) if (one.attack, one.part) not in measured_now]
    every = sorted([*others, *curves], key=lambda curve: (curve.part, curve.attack))
    content = {
        "format": FORMAT,
        "model": model,
        "version": version,
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings": settings,
        "curves": to_json(every),
    }
    write_whole(path, json.dumps(content, ensure_ascii=False, indent=1) + "\n")
    title = f"{model} {version} under attack" if version is not None else f"{model} under attack"
    html = path.with_suffix(".html")
    write_whole(html, page(title, every))
    return html


def read(home: Home, model: str, version: int | None) -> tuple[Curve, ...]:
    """Reads the curves of a version; none if it was not attacked, or if the file is damaged."""
    try:
        return from_json(json.loads(record_of(home, model, version).read_text())["curves"])
    except (OSError, ValueError, TypeError, KeyError):
        return ()
