"""What an attack is, and the attacks that exist."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from feature_repo.discovery import definitions
from feature_repo.errors import InputError
from training.robustness.target import Target

Measure = Callable[[Target[Any], Sequence[float], np.random.Generator], np.ndarray]
"""Target of n units, s strengths and a source of chance → (s, n) measure of each unit under attack."""


class DoesNotApply(Exception):
    """An attack that a target does not allow; the text says why."""


@dataclass(frozen=True)
class Attack:
    """A way to change inputs, from weak to strong.

    Attributes:
        name: name of the attack, for the command and for records.
        kinds: kinds of targets that it attacks.
        about: what it does, in a sentence.
        unit: what a strength says, such as ``share of the letters``.
        strengths: strengths from weak to strong, where none are given.
        measure: function that measures a target under attack.
        most: most units that are attacked; fewer for an attack that asks a model often.
    """

    name: str
    kinds: tuple[str, ...]
    about: str
    unit: str
    strengths: tuple[float, ...]
    measure: Measure
    most: int = 1_000_000


def attacks() -> dict[str, Attack]:
    """Returns all attacks by name."""
    return definitions("training.robustness.attacks", Attack)


def choose(names: Sequence[str], kinds: Sequence[str]) -> list[Attack]:
    """Returns the attacks of some kinds of targets, only those named if any are.

    Raises:
        InputError: a name is that of no attack of these kinds.
    """
    fitting = {name: one for name, one in attacks().items() if set(one.kinds) & set(kinds)}
    for name in names:
        if name not in fitting:
            raise InputError(
                expected=f"attacks of {' or '.join(sorted(set(kinds)))}: {', '.join(fitting) or 'none exist'}",
                found=repr(name),
                next_command="refrain model attack --help",
            )
    return [one for name, one in fitting.items() if not names or name in names]


def by_change(change: Callable[[Any, float, np.random.Generator], Any]) -> Measure:
    """Makes the measure of an attack that changes each input by itself, without asking the model.

    Args:
        change: function of one input, a strength and a source of chance to the changed input.
    """

    def measure(target: Target[Any], strengths: Sequence[float], rng: np.random.Generator) -> np.ndarray:
        seeds = rng.integers(0, 2**62, len(target))
        return np.array(
            [
                target.values(
                    [
                        change(one, strength, np.random.default_rng(seed))
                        for one, seed in zip(target.inputs, seeds, strict=True)
                    ],
                    target.units,
                )
                for strength in strengths
            ]
        )

    return measure


def within(target: Target[Any], least: np.ndarray, strengths: Sequence[float]) -> np.ndarray:
    """Returns the (s, n) measure of an attack that knows the least strength (n,) at which each unit falls.

    A unit that is wrong without any attack has a least strength of 0; one that never falls has infinity.
    """
    return np.array([(least > strength).astype(float) for strength in strengths]).reshape(len(strengths), len(target))
