"""What an attack is."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules

import numpy as np

from training.shilling import attacks
from training.shilling.known import Known

Make = Callable[[Known, int, int, np.random.Generator], list[np.ndarray]]


@dataclass(frozen=True)
class Attack:
    """A way to make fake profiles.

    Attributes:
        name: name of the attack.
        about: one line: what it does and who would do it.
        make: function of what is known, target, number of fakes and generator, which returns the plays of each fake.
        pushes: whether the target is to be shown more; else it is to be shown less.
    """

    name: str
    about: str
    make: Make
    pushes: bool = True


def find() -> dict[str, Attack]:
    """Returns all attacks by name.

    >>> sorted(find())[:3]
    ['adaptive', 'average', 'bandwagon']
    """
    modules = (import_module(f"{attacks.__name__}.{module.name}") for module in iter_modules(attacks.__path__))
    every = [module.ATTACK for module in modules if hasattr(module, "ATTACK")]
    return {attack.name: attack for attack in sorted(every, key=lambda attack: attack.name)}


def with_target(fillers: np.ndarray, target: int, rng: np.random.Generator) -> np.ndarray:
    """The tracks of a fake in random order: distinct fillers, and the target."""
    tracks = np.unique(np.append(fillers, target)).astype(np.int64)
    rng.shuffle(tracks)
    return tracks
