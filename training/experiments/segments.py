"""Effects by segment: whether an arm changes some listeners more than others.

Segments come from what was known before the experiment, which no arm can change. Whether the effects differ at all is
tested with Cochran's Q (W. G. Cochran, The Combination of Estimates from Different Experiments, Biometrics 1954); a
difference of one segment alone says little, as there are several.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from training.experiments import fixed
from training.experiments.fixed import Effect

FEWEST = 30
"""Fewest listeners of a segment in an arm."""
NEW, LESS, MORE = "new", "less before", "more before"


@dataclass(frozen=True)
class SegmentEffects:
    """Effects of one arm by segment.

    Attributes:
        effects: segment → effect.
        p_value: chance of effects at least as different, if they were the same in all segments.
    """

    effects: dict[str, Effect]
    p_value: float


def by_history(before: np.ndarray, middle: float) -> np.ndarray:
    """Returns (n,) the segment of each listener by their value before: none, up to the middle, above it."""
    return np.where(np.isnan(before), NEW, np.where(np.nan_to_num(before) <= middle, LESS, MORE))


def compare_by_segment(
    control: np.ndarray, treated: np.ndarray, control_segments: np.ndarray, treated_segments: np.ndarray
) -> SegmentEffects | None:
    """Compares two arms within each segment; None with fewer than two segments that are large enough.

    Args:
        control: (n,) values of the control.
        treated: (m,) values of the arm.
        control_segments: (n,) segment of each listener of the control.
        treated_segments: (m,) segment of each listener of the arm.
    """
    effects, errors = {}, []
    for segment in (NEW, LESS, MORE):
        values = control[control_segments == segment], treated[treated_segments == segment]
        if min(map(len, values)) >= FEWEST:
            effects[segment] = fixed.compare(*values)
            errors.append(sum(part.var(ddof=1) / len(part) for part in values))
    if len(effects) < 2:
        return None
    differences, weights = np.array([effect.difference for effect in effects.values()]), np.array(errors)
    if not weights.all():
        return SegmentEffects(effects, 1.0)
    pooled = (differences / weights).sum() / (1 / weights).sum()
    q = float(((differences - pooled) ** 2 / weights).sum())
    return SegmentEffects(effects, float(stats.chi2.sf(q, len(effects) - 1)))
