"""Variance taken out by what was known before the experiment: CUPED.

y − θ (x − x̄) has the mean of y and less variance by the squared correlation, where x is the same metric before the
first exposure and θ = cov(x, y) / var(x) of all arms together (A. Deng et al., Improving the Sensitivity of Online
Controlled Experiments by Utilizing Pre-Experiment Data, WSDM 2013). Valid because an arm cannot change what was before.
"""

from collections.abc import Sequence

import numpy as np


def adjusted(values: Sequence[np.ndarray], before: Sequence[np.ndarray]) -> tuple[list[np.ndarray], float]:
    """Values of each arm with what was known taken out.

    Args:
        values: of each arm, (n,) each.
        before: the same listeners' values before; NaN where nothing was known, which stands for the mean.

    Returns:
        The adjusted values, and the share of the variance that is gone.
    """
    y, x = np.concatenate(values), np.concatenate(before).astype(float)
    known = ~np.isnan(x)
    if known.sum() < 2:
        return list(values), 0.0
    x = np.where(known, x, x[known].mean())
    spread = x.var()
    if not spread or not y.var():
        return list(values), 0.0
    theta = float(((x - x.mean()) * (y - y.mean())).mean() / spread)
    whole = y - theta * (x - x.mean())
    ends = np.cumsum([len(one) for one in values])[:-1]
    return np.split(whole, ends), float(1 - whole.var() / y.var())
