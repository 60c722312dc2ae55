"""What a model declares; the engine does the rest: train, validate, compare, register, deploy, retrain.

A model is one file below ``training.models`` with a ``MODEL``: a ``TabularModel`` (``training.models.tabular``) where
rows of a feature service have a label, a ``FamilyModel`` where a family has a way of its own from features to bundle.
Nothing else names it: ``find`` looks for it, ``training.checks`` puts every bundle of it to the same checks.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from feature_repo.home import Home


class Result(Protocol):
    """What a run found."""

    @property
    def version(self) -> int:
        """Of the registered bundle."""

    @property
    def seconds(self) -> dict[str, float]:
        """By stage."""

    def lines(self) -> Iterator[str]:
        """For a terminal."""


@dataclass(frozen=True)
class Gates:
    """What a version must pass to become champion without a person.

    Attributes:
        margin: it may be worse than the champion by so much of the champion's figure, at the lower end of the 95 %
            interval of the difference, where it is no worse on average.
        baseline: whom it must beat on average, one of the baselines that were measured beside it; any if None.
        ties: whether it is enough to be as good as the baseline, as where both find all that there was to find.
        leak: of a feature alone: the area under the ROC curve (or the correlation of ranks) above which it is taken
            for the label in disguise.
        missing: share of a training set's rows that a feature may lack.
        calibration: mean distance of chance and frequency that is borne; None where no chance is said.
        segment: it may be worse in a segment than over all by so much of the figure over all, before it is told.
    """

    margin: float = 0.05
    baseline: str | None = None
    ties: bool = False
    leak: float = 0.98
    missing: float = 0.95
    calibration: float | None = 0.1
    segment: float = 0.5


@dataclass(frozen=True, kw_only=True)
class Model(ABC):
    """One model of one family.

    Attributes:
        name: of the registered model, and of the command that trains it.
        family: of models; a folder of ``training.models``.
        about: one line.
        services: feature services that it eats; none if it makes features of raw data.
        raw: raw tables that it reads besides.
        writes: feature views that training writes itself, stamped with the cutoff.
        feeds: feature views that the next ``transforms build`` makes with the champion.
        gates: what a version must pass.
    """

    name: str
    family: str
    about: str
    services: tuple[str, ...] = ()
    raw: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    feeds: tuple[str, ...] = ()
    gates: Gates = field(default_factory=Gates)

    @abstractmethod
    def run(self, home: Home, *, parameters: Mapping[str, Any] | None = None, progress: Progress = silent) -> Result:
        """Train, measure and register.

        Args:
            home: the data folder.
            parameters: that differ from the defaults, by name.
            progress: told of each stage.
        """


@dataclass(frozen=True, kw_only=True)
class FamilyModel(Model):
    """A model whose family has a way of its own.

    Attributes:
        program: ``program(home, progress=…)`` trains, measures and registers.
        forecast: lets the champion speak from the end of the data on; rows written, by view.
    """

    program: Callable[..., Result]
    forecast: Callable[[Home], dict[str, int]] | None = None

    def run(self, home: Home, *, parameters: Mapping[str, Any] | None = None, progress: Progress = silent) -> Result:
        """Train, measure and register.

        Raises:
            InputError: parameters are given, which it takes none of: it chooses on validation.
        """
        if parameters:
            raise InputError(
                expected=f"no parameters for {self.name}, which chooses for itself on validation",
                found=", ".join(parameters),
                next_command=f"python -m training run {self.name}",
            )
        return self.program(home, progress=progress)
