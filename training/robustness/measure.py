"""Attacks the targets of a model, one attack after the other, and returns the curves."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from training.robustness.attack import Attack, DoesNotApply, choose
from training.robustness.curve import Curve, curve_points
from training.robustness.target import Target, sampled

ROWS = 300
"""Units that are attacked, where no number is given."""


@dataclass(frozen=True)
class Measured:
    """What was measured of a model.

    Attributes:
        curves: one for each attack and target.
        left_out: attack → why it does not apply.
    """

    curves: tuple[Curve, ...]
    left_out: dict[str, str]


def measure(
    targets: Sequence[Target[Any]],
    *,
    names: Sequence[str] = (),
    strengths: Sequence[float] = (),
    rows: int = ROWS,
    seed: int = 0,
    progress: Progress = silent,
) -> Measured:
    """Attacks all targets.

    Args:
        targets: the targets of a model.
        names: names of the attacks; all that fit the targets if empty.
        strengths: strengths in place of the attacks' own ones.
        rows: most units of a target.
        seed: seed of the sample of units, of the attacks and of the resamples.
        progress: callback after each attack.

    Raises:
        InputError: there are no units, an attack does not exist, a strength is no positive number, or an attack that is
            named cannot run here.
    """
    check_numbers(rows, strengths)
    chosen = choose(names, [target.kind for target in targets])
    pairs = [(target, one) for target in targets for one in chosen if target.kind in one.kinds]
    curves, left_out = [], {}
    for number, (target, one) in enumerate(pairs, 1):
        title = f"{one.name} on {target.part}" if target.part else one.name
        units = sampled(target, min(rows, one.most), seed)
        try:
            curves.append(_curve(units, one, strengths or one.strengths, seed))
        except DoesNotApply as reason:
            left_out[title] = str(reason)
        except InputError as error:  # such as torch, which is not installed
            if names:
                raise
            left_out[title] = f"{error.found}; next: {error.next_command}"
        progress(number, len(pairs), one.name)
    return Measured(tuple(curves), left_out)


def check_numbers(rows: int, strengths: Sequence[float]) -> None:
    """Checks the number of units and the strengths of a run.

    Raises:
        InputError: one is no positive number.
    """
    if rows < 1 or any(not np.isfinite(one) or one <= 0 for one in strengths):
        raise InputError(
            expected="positive numbers for --rows and --strengths",
            found=f"{rows} and {', '.join(map(str, strengths)) or 'none'}",
            next_command="refrain model attack --help",
        )


def _curve(units: Target[Any], attack: Attack, strengths: Sequence[float], seed: int) -> Curve:
    clean = units.values(units.inputs, units.units)
    attacked = attack.measure(units, strengths, np.random.default_rng(seed))
    figure, points = curve_points(clean, attacked, strengths, units.groups, seed)
    return Curve(
        attack.name,
        attack.about,
        attack.unit,
        units.part,
        units.metric,
        units.higher_is_better,
        units.judged,
        figure,
        points,
    )
