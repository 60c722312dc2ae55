"""What can be attacked: the models, and analyses without a model. One subject a file, found by its type."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from feature_repo.discovery import definitions
from feature_repo.errors import InputError
from feature_repo.home import Home
from training.models.base import Model
from training.models.find import models
from training.robustness.target import Target


@dataclass(frozen=True)
class Request:
    """What is to be attacked.

    Attributes:
        home: the data folder.
        model: the declaration of the model; None for an analysis without a model.
        version: version of the model; None if there is none.
        rows: most units of a target.
        seed: seed of what a subject draws.
        sounds: folder of sound files named by their track, for models of sounds; None without one.
    """

    home: Home
    model: Model | None = None
    version: int | None = None
    rows: int = 300
    seed: int = 0
    sounds: Path | None = None


@dataclass(frozen=True)
class Subject:
    """A model, a type of models, or an analysis that can be attacked.

    Attributes:
        name: name of the model or of the analysis; of a type of models, any name.
        kinds: kinds of its targets.
        targets: function that makes the targets.
        model_type: type of the models that it is for; None if it is for the model of its name alone.
        is_analysis: whether it is an analysis that has no model.
        about: what is measured, for an analysis.
    """

    name: str
    kinds: tuple[str, ...]
    targets: Callable[[Request], Sequence[Target[Any]]]
    model_type: type[Model] | None = field(default=None)
    is_analysis: bool = False
    about: str = ""


def subjects() -> dict[str, Subject]:
    """Returns all subjects by name."""
    return definitions("training.robustness.subjects", Subject)


def subject_of(name: str, home: Home) -> tuple[Subject, Model | None]:
    """Returns the subject of a model or analysis, and the model's declaration.

    Raises:
        InputError: there is no such model or analysis, or nothing is known of how to attack it.
    """
    declared, known = models(home), subjects()
    analyses = sorted(one.name for one in known.values() if one.is_analysis)
    model = declared.get(name)
    if model is None:
        if name in analyses:
            return known[name], None
        raise InputError(
            expected=f"a model, one of {', '.join(declared)}; or an analysis: {', '.join(analyses)}",
            found=repr(name),
            next_command="refrain model list --all",
        )
    fitting = [one for one in known.values() if not one.is_analysis and one.model_type is None and one.name == name]
    fitting += [one for one in known.values() if one.model_type is not None and isinstance(model, one.model_type)]
    if not fitting:
        raise InputError(
            expected=f"a subject of training.robustness.subjects for {name}",
            found="none",
            next_command="see docs/robustness.md: a subject is one file",
        )
    return fitting[0], model
