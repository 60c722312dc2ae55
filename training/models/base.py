"""What a model declares; the engine does the rest: train, validate, compare, register, deploy, retrain.

A model is one file below ``training.models`` with a ``MODEL``: a ``TabularModel`` (``training.models.tabular``) where
rows of a feature service have a label, a ``FamilyModel`` where a family has a way of its own from features to bundle.
Nothing else names it: ``find`` looks for it, ``training.checks`` puts every bundle of it to the same checks.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np

from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from feature_repo.home import Home
from training.models.problem import Problem


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


@dataclass(frozen=True)
class Fresh:
    """What has come since a version's cutoff.

    Attributes:
        features: service → ``view__feature`` → (n,) values in some rows.
        values: (m,) of the metric that the version's evidence has, of each unit whose answer is known by now; empty
            where that is not asked.
        clusters: (m,) what is resampled as one.
    """

    features: Mapping[str, Mapping[str, np.ndarray]]
    values: np.ndarray = field(default_factory=lambda: np.empty(0))
    clusters: np.ndarray = field(default_factory=lambda: np.empty(0))


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

    def refuse(self, parameters: Mapping[str, Any] | None, defaults: Mapping[str, Any] = MappingProxyType({})) -> None:
        """Parameters that there are not, and values that they cannot have.

        Args:
            parameters: that are given.
            defaults: of all that there are; where one is a number, a positive one is asked for.

        Raises:
            InputError: there are some.
        """
        told = dict(parameters or {})
        strange = sorted(set(told) - set(defaults))
        if strange:
            known = f"parameters of {self.name}, which are {', '.join(defaults)}"
            raise InputError(
                expected=known if defaults else f"no parameters for {self.name}, which chooses by itself on validation",
                found=", ".join(strange),
                next_command=f"python -m training run {self.name}",
            )
        for name, value in told.items():
            number = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
            if isinstance(defaults[name], int | float) and not (number and (value > 0 or value == defaults[name])):
                raise InputError(
                    expected=f"a positive number for {name} of {self.name}, such as {defaults[name]}",
                    found=repr(value),
                    next_command=f"python -m training run {self.name} --set {name}={defaults[name]}",
                )

    def fresh(self, home: Home, version: int) -> Fresh | None:
        """What has come since a version's cutoff, asked of that version; None where the model does not say.

        Args:
            home: the data folder.
            version: registered.
        """
        return None

    @property
    def searchable(self) -> bool:
        """Whether it has parameters to search, and so a ``problem``."""
        return False

    def narrowed(self, *, learners: Sequence[str] = (), without: Sequence[str] | str = ()) -> "Model":
        """The same with a choice of learners to search among, and without some features or views.

        Raises:
            InputError: it does not let anybody choose these, or there is no such learner.
        """
        if learners or without:
            raise InputError(
                expected=f"{self.name} as it is: it chooses its learners and features by itself",
                found=f"a choice of {', '.join((*learners, *without))}",
                next_command=f"python -m training tune {self.name}",
            )
        return self

    def problem(self, home: Home, *, progress: Progress = silent) -> Problem:
        """What it learns from, pulled once.

        Args:
            home: the data folder.
            progress: told of the pull.

        Raises:
            InputError: it has nothing to search, or there is too little to learn from.
        """
        raise InputError(
            expected=f"parameters of {self.name} to search",
            found="none: it chooses for itself on validation",
            next_command=f"python -m training run {self.name}",
        )


@dataclass(frozen=True, kw_only=True)
class FamilyModel(Model):
    """A model whose family has a way of its own.

    Attributes:
        program: ``program(home, progress=…)`` trains, measures and registers; where there are parameters, it takes
            ``parameters=…``, too.
        parameters: that a run takes, and what they are by default.
        asks: ``asks(home, progress=…)`` pulls what a search of these parameters asks about.
        since: ``since(home, version)`` says what has come since a version's cutoff.
        forecast: lets the champion speak from the end of the data on; rows written, by view.
    """

    program: Callable[..., Result]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    asks: Callable[..., Problem] | None = None
    since: Callable[[Home, int], Fresh | None] | None = None
    forecast: Callable[[Home], dict[str, int]] | None = None

    def run(self, home: Home, *, parameters: Mapping[str, Any] | None = None, progress: Progress = silent) -> Result:
        """Train, measure and register.

        Raises:
            InputError: there are no such parameters.
        """
        self.refuse(parameters, self.parameters)
        if parameters:
            return self.program(home, parameters=parameters, progress=progress)
        return self.program(home, progress=progress)

    def fresh(self, home: Home, version: int) -> Fresh | None:
        """As its family says."""
        return None if self.since is None else self.since(home, version)

    @property
    def searchable(self) -> bool:
        """Whether its family says what a search asks about."""
        return self.asks is not None

    def problem(self, home: Home, *, progress: Progress = silent) -> Problem:
        """What it learns from, pulled once.

        Raises:
            InputError: it has nothing to search, or there is too little to learn from.
        """
        return super().problem(home) if self.asks is None else self.asks(home, progress=progress)
