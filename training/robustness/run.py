"""Attacks a version of a model, and records its curves."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from feature_repo.bundle import name_and_version
from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from feature_repo.home import Home
from training.chosen_version import chosen_version
from training.robustness import records
from training.robustness.attack import choose
from training.robustness.curve import Curve
from training.robustness.measure import ROWS, check_numbers, measure
from training.robustness.subject import Request, subject_of


@dataclass(frozen=True)
class Attacked:
    """The result of a run.

    Attributes:
        model: name of the model or analysis.
        version: version that was attacked; None for an analysis, and for a model without a version.
        curves: one for each attack and target.
        left_out: attack → why it does not apply.
        page: the page of all curves; None if nothing was recorded.
    """

    model: str
    version: int | None
    curves: tuple[Curve, ...]
    left_out: dict[str, str]
    page: Path | None


def attack_model(
    home: Home,
    name: str,
    *,
    attacks: Sequence[str] = (),
    strengths: Sequence[float] = (),
    rows: int = ROWS,
    seed: int = 0,
    sounds: Path | None = None,
    progress: Progress = silent,
) -> Attacked:
    """Attacks ``NAME`` (its champion, else its challenger) or ``NAME:VERSION``, and records the curves.

    A model without a version is fitted as it is declared, where its test allows that, and nothing is recorded.

    Args:
        home: the data folder.
        name: name of a model, perhaps with a version, or of an analysis.
        attacks: names of the attacks; all that fit if empty.
        strengths: strengths in place of the attacks' own ones.
        rows: most units of a target.
        seed: random seed.
        sounds: folder of sound files named by their track.
        progress: callback after each attack.

    Raises:
        BundleError: there is no such version.
        InputError: there is no such model or attack, or no units with labels to ask about.
    """
    model_name, number = name_and_version(name)
    subject, model = subject_of(model_name, home)
    choose(attacks, subject.kinds)
    check_numbers(rows, strengths)
    version = None if model is None else chosen_version(home, model_name, number)
    request = Request(home, model, version, rows, seed, sounds)
    measured = measure(
        subject.targets(request), names=attacks, strengths=strengths, rows=rows, seed=seed, progress=progress
    )
    page = None
    if model is None or version is not None:
        page = records.write(home, model_name, version, measured.curves, {"rows": rows, "seed": seed})
    return Attacked(model_name, version, measured.curves, measured.left_out, page)


def numbers(text: str) -> list[float]:
    """Reads numbers separated by commas.

    Raises:
        InputError: one is no number.

    >>> numbers("0.1, 0.5"), numbers("")
    ([0.1, 0.5], [])
    """
    try:
        return [float(part) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise InputError(
            expected="--strengths as numbers separated by commas, such as 0.1,0.5",
            found=repr(text),
            next_command="refrain model attack --help",
        ) from error
