"""Integrated loudness: the mean power of the blocks that are not much quieter than the others (ITU-R BS.1770-4)."""

import numpy as np

ABSOLUTE_GATE = -70.0
"""Loudness in LUFS below which a block does not count."""
_RELATIVE_GATE = -10.0
"""Loudness of a block that does not count either, relative to all blocks above the absolute gate, in LU."""


def integrated(powers: np.ndarray) -> float | None:
    """Return the loudness in LUFS; None if all blocks are silent.

    Args:
        powers: (blocks,) weighted mean powers of blocks of 400 ms, every 100 ms.

    >>> round(integrated(np.array([0.01] * 100 + [1e-5] * 100)), 2)
    -20.69
    """
    passing = above_gates(powers, _RELATIVE_GATE)
    return float(level(passing.mean())) if len(passing) else None


def above_gates(powers: np.ndarray, relative: float) -> np.ndarray:
    """Return the powers above the absolute gate, and above the relative one of their mean.

    Args:
        powers: (n,) powers.
        relative: relative gate in LU.
    """
    audible = powers[level(powers) >= ABSOLUTE_GATE]
    return audible[level(audible) > level(audible.mean()) + relative] if len(audible) else audible


def level(power: np.ndarray | float) -> np.ndarray:
    """Convert weighted power to loudness in LUFS; -inf for 0.

    >>> float(level(1.0))
    -0.691
    """
    with np.errstate(divide="ignore"):
        return np.asarray(-0.691 + 10.0 * np.log10(power))
