"""Compares two arms once, at an end that was chosen before: Welch's test, and the interval of the relative change.

Daily looks that stop at the first significant result find an effect in a third of all experiments without one;
``sequential`` is made for daily looks.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Effect:
    """The effect of one arm against the control.

    Attributes:
        control: mean of the control.
        treated: mean of the arm.
        difference: difference of the means.
        low: lower end of the difference's interval.
        high: upper end of the difference's interval.
        p_value: chance of a difference at least as large, if there were none.
        relative: difference over the control's mean; NaN if that is 0.
        relative_low: lower end of its interval (Fieller); NaN if the control's mean is not clearly different from 0.
        relative_high: upper end of its interval; NaN likewise.
    """

    control: float
    treated: float
    difference: float
    low: float
    high: float
    p_value: float
    relative: float
    relative_low: float
    relative_high: float


def compare(control: np.ndarray, treated: np.ndarray, *, alpha: float = 0.05) -> Effect:
    """Runs Welch's t test (unequal variances) on means, or on shares (values 0 and 1).

    Args:
        control: (n,) values of the control.
        treated: (m,) values of the arm.
        alpha: 1 − confidence.
    """
    result = stats.ttest_ind(treated, control, equal_var=False)
    interval = result.confidence_interval(1 - alpha)
    p_value = float(result.pvalue)
    difference = float(treated.mean() - control.mean())
    relative = _fieller(control, treated, float(stats.t.ppf(1 - alpha / 2, float(result.df))))
    return Effect(
        control=float(control.mean()),
        treated=float(treated.mean()),
        difference=difference,
        low=float(interval.low) if np.isfinite(interval.low) else difference,
        high=float(interval.high) if np.isfinite(interval.high) else difference,
        p_value=1.0 if np.isnan(p_value) else p_value,
        relative=difference / float(control.mean()) if control.mean() else np.nan,
        relative_low=relative[0],
        relative_high=relative[1],
    )


def _fieller(control: np.ndarray, treated: np.ndarray, t: float) -> tuple[float, float]:
    """Computes the interval of treated / control − 1 for independent means (E. C. Fieller, 1954)."""
    a, b = float(treated.mean()), float(control.mean())
    va, vb = treated.var(ddof=1) / len(treated), control.var(ddof=1) / len(control)
    g = t * t * vb / (b * b) if b else np.inf
    if not g < 1:
        return np.nan, np.nan
    half = t * np.sqrt(va * (1 - g) + a * a * vb / (b * b)) / abs(b)
    ends = sorted(((a / b - half) / (1 - g) - 1, (a / b + half) / (1 - g) - 1))
    return float(ends[0]), float(ends[1])
