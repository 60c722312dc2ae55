"""The manifest says what the model is, eats and answers."""

import math
from datetime import datetime

from feature_repo.bundle import Bundle
from feature_repo.home import Home
from training.checks.broken import broken


def manifest_tells_all(bundle: Bundle, home: Home) -> None:
    """Names that are there once, outputs, figures that are numbers, and a cutoff that has come."""
    told = bundle.manifest
    for part in ("inputs", "outputs"):
        names = [name for name, _ in told[part]]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise broken(bundle, f"{part} that are named once", f"{twice[0]!r} more often")
    if not told["outputs"]:
        raise broken(bundle, "outputs", "none")
    figures = {f"{who}/{name}": value for who, of in told["metrics"].items() for name, value in of.items()}
    odd = [name for name, value in figures.items() if not isinstance(value, int | float) or math.isinf(value)]
    if odd:
        raise broken(bundle, "figures that are numbers", f"{odd[0]} = {figures[odd[0]]!r}")
    try:
        datetime.fromisoformat(told["cutoff"])
    except ValueError as error:
        raise broken(bundle, "a cutoff as ISO 8601", repr(told["cutoff"])) from error
