"""The number of listeners that an experiment needs."""

import math

from statsmodels.stats.power import NormalIndPower


def listeners(mean: float, deviation: float, relative: float, *, alpha: float = 0.05, power: float = 0.8) -> int:
    """Computes the listeners of each arm that are needed to find a relative change of a mean.

    Args:
        mean: mean of the metric.
        deviation: standard deviation of the metric.
        relative: relative change to find, such as 0.02.
        alpha: significance level of the test, two-sided.
        power: chance to find the change if it exists.

    >>> listeners(0.19, (0.19 * 0.81) ** 0.5, 0.043)  # a share of .19, and 4.3 % less of it
    36197
    """
    effect = abs(mean * relative) / deviation
    return math.ceil(NormalIndPower().solve_power(effect_size=effect, alpha=alpha, power=power, ratio=1.0))
