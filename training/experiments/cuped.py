"""CUPED: reduces variance with values from before the experiment.

y − θ (x − x̄) has the mean of y and less variance by the squared correlation, where x is the same metric before the
first exposure and θ = cov(x, y) / var(x) of all arms together (A. Deng et al., Improving the Sensitivity of Online
Controlled Experiments by Utilizing Pre-Experiment Data, WSDM 2013). Valid because an arm cannot change earlier values.
"""

from collections.abc import Sequence

import numpy as np


def adjusted(values: Sequence[np.ndarray], before: Sequence[np.ndarray]) -> tuple[list[np.ndarray], float]:
    """Adjusts the values of each arm by the values before the experiment.

    Args:
        values: values of each arm, (n,) each.
        before: the same listeners' values before; NaN where unknown, which is replaced by the mean.

    Returns:
        The adjusted values, and the share of the variance that is removed.
    """
    y, x = np.concatenate(values), np.concatenate(before).astype(float)
    is_known = ~np.isnan(x)
    if is_known.sum() < 2:
        return list(values), 0.0
    x = np.where(is_known, x, x[is_known].mean())
    variance = x.var()
    if not variance or not y.var():
        return list(values), 0.0
    theta = float(((x - x.mean()) * (y - y.mean())).mean() / variance)
    adjusted_values = y - theta * (x - x.mean())
    ends = np.cumsum([len(arm_values) for arm_values in values])[:-1]
    return np.split(adjusted_values, ends), float(1 - adjusted_values.var() / y.var())
