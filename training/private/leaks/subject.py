"""What is attacked of a model. One subject a file of ``training.private.leaks.subjects``, found by its type."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from feature_repo.command_line import Progress
from feature_repo.discovery import definitions
from feature_repo.errors import InputError
from feature_repo.home import Home
from training.models.base import Model
from training.models.find import models
from training.private.leaks.leak import Leak


@dataclass(frozen=True)
class Request:
    """What is to be measured.

    Attributes:
        home: the data folder.
        model: the declaration of the model.
        version: version whose parameters count; None if there is none.
        shadows: number of shadow models, where each costs a fit.
        people: most people, rows or texts that are drawn.
        seed: seed of worlds and samples.
        progress: callback after each step.
    """

    home: Home
    model: Model
    version: int | None
    shadows: int
    people: int
    seed: int
    progress: Progress


@dataclass(frozen=True)
class Subject:
    """A model, or a type of models, that can be asked what it gives away.

    Attributes:
        name: name of the model; of a type of models, any name.
        measure: function of a request that returns the figures, and what does not apply → why.
        model_type: type of the models that it is for; None if it is for the model of its name alone.
    """

    name: str
    measure: Callable[[Request], tuple[Sequence[Leak], dict[str, str]]]
    model_type: type[Model] | None = None


def subjects() -> dict[str, Subject]:
    """Returns all subjects by name."""
    return definitions("training.private.leaks.subjects", Subject)


def subject_of(name: str, home: Home) -> tuple[Subject, Model]:
    """Returns the subject of a model, and the model's declaration.

    Raises:
        InputError: there is no such model, or it does not learn from people.
    """
    declared, known = models(home), subjects()
    model = declared.get(name)
    fitting = [
        one
        for one in known.values()
        if model is not None and (one.name == name if one.model_type is None else isinstance(model, one.model_type))
    ]
    if model is not None and fitting:
        return fitting[0], model
    attacked = sorted(
        each
        for each, one in declared.items()
        if any(s.name == each or (s.model_type and isinstance(one, s.model_type)) for s in known.values())
    )
    raise InputError(
        expected=f"a model that learns from people or their texts: {', '.join(attacked)}",
        found=repr(name) if model is None else f"{name}, of which no attack on people is known",
        next_command="refrain model list --all",
    )
