"""Figures of dp-accounting 0.6, an independent accountant, as JSON on stdout.

Run with a Python that has it: ``python tests/training/private/differential/oracle.py``.
"""

import json
import sys

from dp_accounting import DpEventBuilder, GaussianDpEvent, LaplaceDpEvent, ZCDpEvent
from dp_accounting.pld import PLDAccountant, common, privacy_loss_distribution, privacy_loss_mechanism
from dp_accounting.rdp import RdpAccountant

PAIRS = ((0.1, 1e-6), (0.5, 1e-5), (1.0, 1e-6), (4.0, 1e-6), (10.0, 1e-9))
RHOS = ((0.001, 1e-6), (0.02, 1e-6), (0.1, 1e-5), (1.0, 1e-6), (5.0, 1e-9))
ORDERS = [1 + 1.01**step for step in range(-500, 1_000)]


def sigma(epsilon: float, delta: float) -> float:
    """Least σ of one Gaussian release."""
    guarantee = common.DifferentialPrivacyParameters(epsilon, delta)
    return float(privacy_loss_mechanism.GaussianPrivacyLoss.from_privacy_guarantee(guarantee).standard_deviation)


def epsilon_of_zcdp(rho: float, delta: float) -> float:
    """ε of ρ-zCDP, by Rényi orders."""
    return float(RdpAccountant(ORDERS).compose(ZCDpEvent(rho)).get_epsilon(delta))


def discrete_gaussian(sigma: float, sensitivity: int, delta: float) -> float:
    """ε of one number with discrete Gaussian noise."""
    loss = privacy_loss_distribution.from_discrete_gaussian_mechanism(
        sigma, sensitivity, value_discretization_interval=1e-3
    )
    return float(loss.get_epsilon_for_delta(delta))


def mixture(sigma: float, count: int, laplace: float, delta: float) -> float:
    """ε of some Gaussian releases and a Laplace release together."""
    builder = DpEventBuilder()
    builder.compose(GaussianDpEvent(sigma), count)
    builder.compose(LaplaceDpEvent(laplace))
    return float(PLDAccountant(value_discretization_interval=1e-3).compose(builder.build()).get_epsilon(delta))


json.dump(
    {
        "sigma": [[e, d, sigma(e, d)] for e, d in PAIRS],
        "epsilon": [[r, d, epsilon_of_zcdp(r, d)] for r, d in RHOS],
        "discrete": [[s, k, 1e-6, discrete_gaussian(s, k, 1e-6)] for s, k in ((2.0, 1), (5.0, 1), (20.0, 3))],
        "mixture": [[20.0, 30, 5.0, 1e-6, mixture(20.0, 30, 5.0, 1e-6)]],
    },
    sys.stdout,
)
