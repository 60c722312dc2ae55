"""How alike two fingerprints are: the share of bits that differ where one lies best upon the other.

J. Haitsma, T. Kalker, A highly robust audio fingerprinting system (ISMIR 2002): fingerprints of unrelated sounds differ
in half of their bits, those of one recording in few, whatever the encoding.
"""

from dataclasses import dataclass

import numpy as np

from transforms.pure.audio.structure.fingerprint import ITEM_SECONDS

SAME_RECORDING = 0.20
"""Share of different bits up to which two sounds are encodings of one recording; what was measured: docs/audio.md."""
LEAST_SECONDS = 8.0
"""Length of sound that both must have in common; all of the shorter one if that is less."""


@dataclass(frozen=True)
class Likeness:
    """How alike two sounds are.

    Attributes:
        error: share of bits that differ at the best offset, 0 to 1; 1 if a fingerprint is empty.
        offset_seconds: how much later the common sound begins in the first than in the second.
        common_seconds: length of what was compared.
    """

    error: float
    offset_seconds: float
    common_seconds: float

    @property
    def is_same_recording(self) -> bool:
        """Whether both are encodings of one recording, by ``SAME_RECORDING``; too little in common says nothing."""
        return self.error <= SAME_RECORDING and self.common_seconds >= LEAST_SECONDS - ITEM_SECONDS


def likeness(first: np.ndarray, second: np.ndarray) -> Likeness:
    """Compare two fingerprints.

    Args:
        first: (n,) uint32 fingerprint.
        second: (m,) uint32 fingerprint.

    >>> sound = np.random.default_rng(0).integers(0, 1 << 32, 200, np.uint32)
    >>> likeness(sound, sound[24:]).error, round(likeness(sound, sound[24:]).offset_seconds, 1)
    (0.0, 3.0)
    """
    shorter = min(len(first), len(second))
    if not shorter:
        return Likeness(1.0, 0.0, 0.0)
    least = min(shorter, round(LEAST_SECONDS / ITEM_SECONDS))
    best = (2.0, 0, 0)
    for offset in range(least - len(second), len(first) - least + 1):
        start, stop = max(offset, 0), min(offset + len(second), len(first))
        different = np.bitwise_count(first[start:stop] ^ second[start - offset : stop - offset]).sum(dtype=np.int64)
        error = float(different) / (32 * (stop - start))
        if (error, abs(offset)) < best[:2]:
            best = (error, abs(offset), offset)
            common = stop - start
    return Likeness(best[0], best[2] * ITEM_SECONDS, common * ITEM_SECONDS)
