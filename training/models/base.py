"""Base classes of model declarations. From a declaration the engine trains, validates, compares, registers, deploys
and retrains the model.

A model is one file below ``training.models`` with a ``MODEL``. A ``TabularModel`` (``training.models.tabular``) has
labels for the rows of a feature service; a ``FamilyModel`` has a training program of its family. No list names the
models: ``find`` searches for them, and ``training.checks`` runs the same checks on the bundles of all.
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
    """The result of a training run."""

    @property
    def version(self) -> int:
        """Version of the registered bundle."""

    @property
    def seconds(self) -> dict[str, float]:
        """Stage → wall time in seconds."""

    def lines(self) -> Iterator[str]:
        """Yield the lines of the report for a terminal."""


@dataclass(frozen=True)
class Gates:
    """Limits that a version must meet to become champion without a person's approval.

    Attributes:
        margin: tolerated loss against the champion, as a share of the champion's figure, at the lower end of the 95 %
            interval of the difference; on average the version may not be worse.
        plain: plain model that is measured beside the version → margin, as a share of the plain model's figure. The
            version must surely not be worse than it by more than the margin. A margin of 0 asks for more: surely
            better, or the plain model itself is what serves. Every other measured baseline must surely be beaten.
        required: baselines that must have been measured.
        fewest: fewest clusters of test units that can decide anything; with fewer the gates are undecided.
        near_perfect: why a near-perfect test is to be believed; empty if it is suspicious.
        leak: limit for a single feature: above this area under the ROC curve (or correlation of ranks) the feature
            counts as a copy of the label.
        missing: maximum share of a training set's rows without a value of a feature.
        calibration: maximum mean distance of probability and frequency; None for models without probabilities.
        segment: tolerated loss in a segment against the whole test, as a share of the figure of the whole test; a
            larger one is reported.
    """

    margin: float = 0.05
    plain: Mapping[str, float] = field(default_factory=lambda: {"linear": 0.05})
    required: tuple[str, ...] = ()
    fewest: int = 20
    near_perfect: str = ""
    leak: float = 0.98
    missing: float = 0.95
    calibration: float | None = 0.1
    segment: float = 0.5


@dataclass(frozen=True)
class Fresh:
    """Features and results from after a version's cutoff.

    Attributes:
        features: service → ``view__feature`` → (n,) values of a selection of the rows.
        values: (m,) values of the metric of the version's evidence, one per unit whose label is known by now; empty if
            the metric is not monitored.
        clusters: (m,) cluster of each unit; a cluster is resampled as a whole.
    """

    features: Mapping[str, Mapping[str, np.ndarray]]
    values: np.ndarray = field(default_factory=lambda: np.empty(0))
    clusters: np.ndarray = field(default_factory=lambda: np.empty(0))


@dataclass(frozen=True, kw_only=True)
class Model(ABC):
    """The declaration of a model.

    Attributes:
        name: name of the registered model, and of the command that trains it.
        family: family of the model, a folder of ``training.models``.
        about: one-line description.
        services: feature services that the model reads; none if it makes features of raw data.
        raw: raw tables that training reads in addition.
        writes: feature views that training writes itself, with the cutoff as event time.
        made_of: one of ``writes`` → the services, raw tables and raw columns (``plays.track_id``) that it is made of; a
            view that is not named is made of all services and raw tables.
        feeds: feature views that the next ``refrain build`` computes with the champion.
        gates: limits that a version must meet.
    """

    name: str
    family: str
    about: str
    services: tuple[str, ...] = ()
    raw: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    made_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    feeds: tuple[str, ...] = ()
    gates: Gates = field(default_factory=Gates)

    @abstractmethod
    def run(self, home: Home, *, parameters: Mapping[str, Any] | None = None, progress: Progress = silent) -> Result:
        """Train, measure and register.

        Args:
            home: the data folder.
            parameters: name → value of the parameters that differ from the defaults.
            progress: callback for each stage.
        """

    def refuse(self, parameters: Mapping[str, Any] | None, defaults: Mapping[str, Any] = MappingProxyType({})) -> None:
        """Refuse unknown parameters and invalid values.

        Args:
            parameters: name → value of the parameters to check.
            defaults: name → default of all parameters; a parameter with a numeric default must be a positive number.

        Raises:
            InputError: a parameter is unknown or has an invalid value.
        """
        chosen = dict(parameters or {})
        unknown_names = sorted(set(chosen) - set(defaults))
        if unknown_names:
            parameter_names = f"parameters of {self.name}, which are {', '.join(defaults)}"
            raise InputError(
                expected=parameter_names
                if defaults
                else f"no parameters for {self.name}; it chooses them itself, on validation data",
                found=", ".join(unknown_names),
                next_command=f"refrain model run {self.name}",
            )
        for name, value in chosen.items():
            is_number = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
            if isinstance(defaults[name], int | float) and not (is_number and (value > 0 or value == defaults[name])):
                raise InputError(
                    expected=f"a positive number for {name} of {self.name}, such as {defaults[name]}",
                    found=repr(value),
                    next_command=f"refrain model run {self.name} --set {name}={defaults[name]}",
                )

    def fresh(self, home: Home, version: int) -> Fresh | None:
        """Return features and results from after the cutoff of a version; None if the model does not support this.

        Args:
            home: the data folder.
            version: a registered version.
        """
        return None

    @property
    def searchable(self) -> bool:
        """Whether the model has parameters to search, and so a ``problem``."""
        return False

    def narrowed(self, *, learners: Sequence[str] = (), without: Sequence[str] | str = ()) -> "Model":
        """Return the model with a selection of learners to search, and without some features or views.

        Raises:
            InputError: the model has no such choice, or a learner does not exist.
        """
        if learners or without:
            raise InputError(
                expected=f"no choice of learners or features for {self.name}, which chooses them itself",
                found=f"a choice of {', '.join((*learners, *without))}",
                next_command=f"refrain model tune {self.name}",
            )
        return self

    def problem(self, home: Home, *, progress: Progress = silent) -> Problem:
        """Pull the training data once, and return it as the search problem.

        Args:
            home: the data folder.
            progress: callback for the pull.

        Raises:
            InputError: the model has no parameters to search, or there is too little data.
        """
        raise InputError(
            expected=f"parameters of {self.name} to search",
            found="none: the model chooses them itself, on validation data",
            next_command=f"refrain model run {self.name}",
        )


@dataclass(frozen=True, kw_only=True)
class FamilyModel(Model):
    """A model with a training program of its family.

    Attributes:
        program: function ``program(home, progress=…)`` that trains, measures and registers; it takes ``parameters=…``
            too if the model has parameters.
        parameters: name → default of the parameters of a run.
        make_problem: function ``make_problem(home, progress=…)`` that returns the search problem of these parameters.
        since: function ``since(home, version)`` that returns features and results from after a version's cutoff.
        forecast: function that writes the champion's forecasts from the end of the data on; view → number of rows.
    """

    program: Callable[..., Result]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    make_problem: Callable[..., Problem] | None = None
    since: Callable[[Home, int], Fresh | None] | None = None
    forecast: Callable[[Home], dict[str, int]] | None = None

    def run(self, home: Home, *, parameters: Mapping[str, Any] | None = None, progress: Progress = silent) -> Result:
        """Train, measure and register.

        Raises:
            InputError: a parameter is unknown or has an invalid value.
        """
        self.refuse(parameters, self.parameters)
        if parameters:
            return self.program(home, parameters=parameters, progress=progress)
        return self.program(home, progress=progress)

    def fresh(self, home: Home, version: int) -> Fresh | None:
        """Return features and results from after the cutoff of a version, by the function of the family."""
        return None if self.since is None else self.since(home, version)

    @property
    def searchable(self) -> bool:
        """Whether the family declares a search problem."""
        return self.make_problem is not None

    def problem(self, home: Home, *, progress: Progress = silent) -> Problem:
        """Pull the training data once, and return it as the search problem.

        Raises:
            InputError: the model has no parameters to search, or there is too little data.
        """
        return super().problem(home) if self.make_problem is None else self.make_problem(home, progress=progress)
