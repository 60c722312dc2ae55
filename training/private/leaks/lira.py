"""Membership by likelihood ratio: a person's confidence is compared with that in shadow models.

N. Carlini, S. Chien, M. Nasr, S. Song, A. Terzis and F. Tramèr, Membership Inference Attacks From First Principles,
S&P 2022. Shadow models are trained on random parts of the people. Of each person the confidences of models with and
without the person are taken for two normal distributions; the evidence is the logarithm of their likelihood ratio at
the attacked model's confidence (*online*). *Offline* has no model with the person, and measures how far the confidence
is above that of models without, in standard deviations.
"""

from typing import Literal

import numpy as np

from feature_repo.errors import InputError

Variant = Literal["online", "offline"]
FEWEST = 4
"""Shadow models without a person, and online with one, below which a normal distribution says nothing."""
FLOOR = 1e-9
"""Smallest standard deviation, in parts of the largest confidence: equal confidences have no likelihood ratio."""


def logit(confidence: np.ndarray, edge: float = 1e-6) -> np.ndarray:
    """log(p / (1 − p)) of confidences in a true answer, which is about normal; p is kept an edge from 0 and 1.

    >>> logit(np.array([0.5, 2.0])).round(2).tolist()
    [0.0, 13.82]
    """
    clipped = np.clip(confidence, edge, 1 - edge)
    return np.asarray(np.log(clipped) - np.log1p(-clipped))


def attack(
    observed: np.ndarray,
    confidence: np.ndarray,
    is_member: np.ndarray,
    *,
    variant: Variant = "online",
    pooled: bool = False,
) -> np.ndarray:
    """Computes the evidence that people were learned from, higher for surer.

    Args:
        observed: (people,) confidence of the attacked model, logit-scaled where it is a probability.
        confidence: (shadows, people) confidence of the shadow models.
        is_member: (shadows, people) whether a shadow model has learned from a person.
        variant: ``online`` or ``offline``.
        pooled: whether all people share one standard deviation, which few shadow models estimate better.

    Raises:
        InputError: shapes differ, or there are fewer than ``FEWEST`` shadow models of a kind for a person.

    >>> rng = np.random.default_rng(0)
    >>> is_in = np.arange(64)[:, None] % 2 == np.zeros(3)
    >>> shadows = rng.normal(0, 1, (64, 3)) + 4 * is_in
    >>> (attack(np.array([4.0, 0.0, -1.0]), shadows, is_in) > 0).tolist()
    [True, False, False]
    """
    if confidence.shape != is_member.shape or confidence.shape[1:] != observed.shape:
        raise InputError(
            expected="confidences and memberships of shape (shadows, people), and (people,) observed ones",
            found=f"{confidence.shape}, {is_member.shape} and {observed.shape}",
            next_command="see training/private/leaks/lira.py",
        )
    inside, outside = is_member.sum(axis=0), (~is_member).sum(axis=0)
    least = (
        int(outside.min(initial=FEWEST)) if variant == "offline" else int(np.minimum(inside, outside).min(initial=4))
    )
    if least < FEWEST:
        raise InputError(
            expected=f"at least {FEWEST} shadow models of each kind for every person",
            found=f"{least} for one",
            next_command="refrain model leaks NAME --shadows 32",
        )
    floor = FLOOR * max(float(np.abs(confidence).max(initial=0)), 1.0)
    out_mean, out_spread = _normal(confidence, ~is_member, pooled, floor)
    standardised = (observed - out_mean) / out_spread
    if variant == "offline":
        return np.asarray(standardised)
    in_mean, in_spread = _normal(confidence, is_member, pooled, floor)
    log_in = -np.log(in_spread) - ((observed - in_mean) / in_spread) ** 2 / 2
    return np.asarray(log_in + np.log(out_spread) + standardised**2 / 2)


def _normal(confidence: np.ndarray, chosen: np.ndarray, pooled: bool, floor: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each person over some of the shadow models."""
    count = np.maximum(chosen.sum(axis=0), 1)
    mean = np.where(chosen, confidence, 0).sum(axis=0) / count
    squares = np.where(chosen, (confidence - mean) ** 2, 0).sum(axis=0)
    variance = np.full(len(mean), squares.sum() / max(count.sum(), 1)) if pooled else squares / count
    return mean, np.maximum(np.sqrt(variance), floor)
