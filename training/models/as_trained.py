"""A model of rows as one of its versions was trained."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from feature_repo.home import Home
from training.models.served import ServedTabular
from training.models.tabular import TabularModel


def as_trained(home: Home, model: TabularModel, version: int | None) -> tuple[TabularModel, str, Mapping[str, Any]]:
    """Returns the model with the columns and noise of a version, its learner and parameters; as declared if None.

    Raises:
        BundleError: there is no such version, or its bundle is damaged.
    """
    if version is None:
        return model, *model.choice(None)
    extra = ServedTabular.load(home, f"{model.name}:{version}").extra
    trained = replace(model.leaving_out(extra["without"]), augment=float(extra.get("augment", 0.0)))
    return trained, str(extra["learner"]), dict(extra["parameters"])
