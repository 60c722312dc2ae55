"""CUPED: reduces variance with values from before the experiment.

y − θ (x − x̄) has the mean of y and less variance by the squared correlation, where x is the same metric before the
first exposure and θ = cov(x, y) / var(x) of all arms together (A. Deng et al., Improving the Sensitivity of Online
Controlled Experiments by Utilizing Pre-Experiment Data, WSDM 2013). Valid because an arm cannot change earlier values.

Listeners without a value before are a group of their own: an indicator of them is a second covariate, so that their
other mean does not count as noise (missing-indicator method, valid in randomized experiments: A. Zhao and P. Ding, To
Adjust or not to Adjust? Estimating the Average Treatment Effect in Randomized Experiments with Missing Covariates,
JASA 2024).
"""

from collections.abc import Sequence

import numpy as np


def adjusted(values: Sequence[np.ndarray], before: Sequence[np.ndarray]) -> tuple[list[np.ndarray], float]:
    """Adjusts the values of each arm by the values before the experiment.

    Args:
        values: values of each arm, (n,) each.
        before: the same listeners' values before; NaN where unknown.

    Returns:
        The adjusted values, and the share of the variance that is removed.
    """
    y, x = np.concatenate(values), np.concatenate(before).astype(float)
    is_known = np.isfinite(x)
    if is_known.sum() < 2 or not y.var():
        return list(values), 0.0
    centred = np.where(is_known, x - x[is_known].mean(), 0.0)
    covariates = np.column_stack([centred, is_known - is_known.mean()])
    covariates = covariates[:, covariates.var(axis=0) > 0]
    if not covariates.shape[1]:
        return list(values), 0.0
    slopes = np.linalg.lstsq(covariates, y - y.mean(), rcond=None)[0]
    adjusted_values = y - covariates @ slopes
    ends = np.cumsum([len(arm_values) for arm_values in values])[:-1]
    return np.split(adjusted_values, ends), float(1 - adjusted_values.var() / y.var())
