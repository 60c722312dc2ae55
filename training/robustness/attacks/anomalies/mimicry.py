"""Mimicry: an attack row is blended towards normal rows until it is not seen.

D. Wagner and P. Soto, Mimicry Attacks on Host-Based Intrusion Detection Systems, 2002. Numbers move towards those of a
normal row by the strength; words become its words from a half on. The opponent knows the detector's answers: of several
normal rows, the one counts that hides an attack best. At strength b, 1 − b of the effect in every number is left.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from training.robustness.attack import Attack, DoesNotApply
from training.robustness.target import Target

MODELS = 8
"""Normal rows that are tried."""


def blend(row: Mapping[str, Any], normal: Mapping[str, Any], strength: float) -> dict[str, Any]:
    """Moves a row towards a normal one; what is missing in either becomes that of the normal row from a half on.

    >>> blend({"bytes": 10.0, "service": "ftp"}, {"bytes": 0.0, "service": "http"}, 0.5)
    {'bytes': 5.0, 'service': 'http'}
    """
    blended = {}
    for name, value in row.items():
        other = normal[name]
        if _is_number(value) and _is_number(other):
            blended[name] = (1 - strength) * value + strength * other
        else:
            blended[name] = other if strength >= 0.5 else value
    return blended


def _is_number(value: Any) -> bool:
    return isinstance(value, float | int) and not isinstance(value, bool) and bool(np.isfinite(value))


def measure(target: Target[Any], strengths: Sequence[float], rng: np.random.Generator) -> np.ndarray:
    """Measures the share of attacks that are caught at each blend, hidden as well as the normal rows allow."""
    normal = target.extra["normal"]
    if not normal:
        raise DoesNotApply("there is no normal row to imitate")
    chosen = [normal[place] for place in rng.permutation(len(normal))[:MODELS]]
    return np.array(
        [
            np.min(
                [target.values([blend(row, one, strength) for row in target.inputs], target.units) for one in chosen],
                axis=0,
            )
            for strength in strengths
        ]
    )


ATTACK = Attack(
    name="mimicry",
    kinds=("detections",),
    about="Attack rows blended towards the normal row that hides them best.",
    unit="share of the effect given up",
    strengths=(0.1, 0.25, 0.5, 0.75, 0.9),
    measure=measure,
)
