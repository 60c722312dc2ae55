"""A model of rows as one of its versions was trained."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from feature_repo.home import Home
from training.models.served import ServedTabular
from training.models.tabular import TabularModel


def extra_of(home: Home, model: TabularModel, version: int | None) -> Mapping[str, Any]:
    """Returns what the manifest of a version says of its training; nothing if the version is None.

    Raises:
        BundleError: there is no such version, or its bundle is damaged.
    """
    return {} if version is None else ServedTabular.load(home, f"{model.name}:{version}").extra


def as_trained(model: TabularModel, extra: Mapping[str, Any]) -> tuple[TabularModel, str, Mapping[str, Any]]:
    """Returns the model with the columns and noise of ``extra_of``, its learner and parameters; else as declared."""
    if not extra:
        return model, *model.choice(None)
    trained = replace(model.leaving_out(extra["without"]), augment=float(extra.get("augment", 0.0)))
    return trained, str(extra["learner"]), dict(extra["parameters"])
