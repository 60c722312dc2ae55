"""Checks that the manifest describes the model: inputs, outputs, figures and cutoff."""

import math
from datetime import datetime

from feature_repo.bundle import Bundle
from feature_repo.home import Home
from training.checks.broken import broken


def manifest_is_complete(bundle: Bundle, home: Home) -> None:
    """Checks that names are unique, outputs exist, figures are numbers, and the cutoff is a date."""
    manifest = bundle.manifest
    for field in ("inputs", "outputs"):
        names = [name for name, _ in manifest[field]]
        duplicates = sorted({name for name in names if names.count(name) > 1})
        if duplicates:
            raise broken(bundle, f"{field} that are named once", f"{duplicates[0]!r} more often")
    if not manifest["outputs"]:
        raise broken(bundle, "outputs", "none")
    figures = {
        f"{model}/{name}": value for model, metrics in manifest["metrics"].items() for name, value in metrics.items()
    }
    invalid = [name for name, value in figures.items() if not isinstance(value, int | float) or math.isinf(value)]
    if invalid:
        raise broken(bundle, "figures that are numbers", f"{invalid[0]} = {figures[invalid[0]]!r}")
    try:
        datetime.fromisoformat(manifest["cutoff"])
    except ValueError as error:
        raise broken(bundle, "a cutoff as ISO 8601", repr(manifest["cutoff"])) from error
