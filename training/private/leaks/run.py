"""Measures what a version of a model gives away, and records it."""

from dataclasses import dataclass
from pathlib import Path

from feature_repo.bundle import name_and_version
from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from feature_repo.home import Home
from training.chosen_version import chosen_version
from training.private.leaks import records
from training.private.leaks.leak import Leak
from training.private.leaks.subject import Request, subject_of

SHADOWS, PEOPLE = 16, 2_000
FEWEST_SHADOWS = 10
"""Shadow models below which a normal distribution of a person's confidences says nothing (``lira.FEWEST``)."""


@dataclass(frozen=True)
class Measured:
    """The result of a run.

    Attributes:
        model: name of the model.
        version: the version; None for a model without one.
        leaks: the figures.
        left_out: attack → why it does not apply.
        record: the file of the figures; None if nothing was recorded.
    """

    model: str
    version: int | None
    leaks: tuple[Leak, ...]
    left_out: dict[str, str]
    record: Path | None


def measure_model(
    home: Home,
    name: str,
    *,
    shadows: int = SHADOWS,
    people: int = PEOPLE,
    seed: int = 0,
    progress: Progress = silent,
) -> Measured:
    """Measures ``NAME`` (its champion, else its challenger) or ``NAME:VERSION``, and records the figures.

    A model without a version is measured as it is declared, and nothing is recorded.

    Args:
        home: the data folder.
        name: name of a model, perhaps with a version.
        shadows: number of shadow models, where each costs a fit.
        people: most people (or texts) that are learned from and asked about.
        seed: random seed.
        progress: callback after each step.

    Raises:
        BundleError: there is no such version.
        InputError: there is no such model, it does not learn from people, or a number is too small.
        EncryptionError: the bundle is sealed, and its key is not there.
    """
    model_name, number = name_and_version(name)
    subject, model = subject_of(model_name, home)
    if shadows < FEWEST_SHADOWS or people < 1:
        raise InputError(
            expected=f"--shadows {FEWEST_SHADOWS} or more, and --people 1 or more",
            found=f"{shadows} and {people}",
            next_command="refrain model leaks --help",
        )
    version = chosen_version(home, model_name, number)
    leaks, left_out = subject.measure(Request(home, model, version, shadows + shadows % 2, people, seed, progress))
    record = None
    if version is not None:
        record = records.write(home, model_name, version, leaks, {"shadows": shadows, "people": people, "seed": seed})
    return Measured(model_name, version, tuple(leaks), left_out, record)
