"""Membership by a threshold on the loss: who fits well was learned from.

S. Yeom, I. Giacomelli, M. Fredrikson and S. Jha, Privacy Risk in Machine Learning: Analyzing the Connection to
Overfitting, CSF 2018. It needs no shadow model, and sees what a model has in general more of than of a person: figures
at few false positives are those that count (``lira``).
"""

from dataclasses import dataclass

import numpy as np

from training.private.leaks.rates import Rates, rates


@dataclass(frozen=True)
class LossThreshold:
    """What the attack reaches.

    Attributes:
        threshold: mean loss of the insiders, below which the attack of the paper says insider.
        advantage: true minus false positives at this threshold; 0 is a guess.
        rates: rates at few false positives, and the area under the ROC curve, by the same losses.
    """

    threshold: float
    advantage: float
    rates: Rates


def loss_threshold(inside: np.ndarray, outside: np.ndarray) -> LossThreshold:
    """Attacks by the losses of people (or rows, texts) whose membership is known.

    Args:
        inside: (n,) losses of those who were learned from.
        outside: (m,) losses of those who were not.

    Raises:
        InputError: a loss is not a number.

    >>> loss_threshold(np.array([0.1, 0.3]), np.array([0.5, 0.15])).advantage
    0.0
    >>> loss_threshold(np.array([0.1, 0.3]), np.array([0.5, 0.6])).rates.auc
    1.0
    """
    figures = rates(-inside, -outside)
    threshold = float(inside.mean()) if len(inside) else float("nan")
    advantage = (
        float((inside <= threshold).mean() - (outside <= threshold).mean())
        if len(inside) and len(outside)
        else float("nan")
    )
    return LossThreshold(threshold, advantage, figures)
