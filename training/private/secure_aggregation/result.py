"""What a round gives."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class RoundSum:
    """A sum over silos.

    Attributes:
        words: (n,) uint64, the sum modulo 2^64 of the words of ``silos``.
        silos: the silos that it is over, in order of their names: as many as the threshold, or more.
        dropped: the silos of the roster that are not in it.
    """

    words: np.ndarray
    silos: tuple[str, ...]
    dropped: tuple[str, ...]
