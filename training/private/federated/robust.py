"""Averages that a few silos cannot move far, from sums of groups of silos.

Under masks nobody sees a silo's update, so that nothing can be said against one silo. What can be compared are the sums
of groups: silos are dealt into groups anew for each round, each group has a sum of its own, and the coordinates of the
groups' means are put together by their median or a trimmed mean (Yin, Chen, Kannan, Bartlett: Byzantine-Robust
Distributed Learning, ICML 2018; of groups as in Karimireddy, He, Jaggi: Byzantine-Robust Learning on Heterogeneous
Datasets via Bucketing, ICLR 2022). Fewer than half of the groups may have a liar. The price: a sum hides a silo among
its group alone, every group needs the threshold of a sum, and where silos differ the median is not the mean of all.
"""

import hashlib
from collections.abc import Sequence

import numpy as np

from feature_repo.errors import InputError
from training.private.federated.agreement import FEWEST


def deal(silos: Sequence[str], groups: int, seed: str) -> list[tuple[str, ...]]:
    """Silos in groups of nearly equal size, by a hash that everybody can compute.

    Args:
        silos: names of the silos.
        groups: number of groups.
        seed: text that the deal depends on, such as the identifier of a round.

    Raises:
        InputError: a group would have too few silos for a sum.

    >>> [len(group) for group in deal([f"s{number}" for number in range(10)], 3, "round 1")]
    [4, 3, 3]
    """
    if groups < 1 or len(silos) // groups < FEWEST:
        raise InputError(
            expected=f"at least {FEWEST} silos in each of {groups} groups",
            found=f"{len(silos)} silos",
            next_command="fewer groups, or more silos",
        )
    order = sorted(silos, key=lambda silo: hashlib.sha256(f"{seed}\0{silo}".encode()).digest())
    return [tuple(sorted(order[number::groups])) for number in range(groups)]


def median(means: np.ndarray) -> np.ndarray:
    """(n,) median of each coordinate of (groups, n) means.

    >>> median(np.array([[1.0], [2.0], [1e9]])).tolist()
    [2.0]
    """
    return np.asarray(np.median(_finite(means), axis=0))


def trimmed_mean(means: np.ndarray, trimmed: int) -> np.ndarray:
    """(n,) mean of each coordinate without the smallest and the largest of (groups, n) means.

    Args:
        means: mean of each group.
        trimmed: how many are left out at each end.

    Raises:
        InputError: nothing would be left.

    >>> trimmed_mean(np.array([[1.0], [2.0], [3.0], [1e9]]), 1).tolist()
    [2.5]
    """
    if not 0 <= 2 * trimmed < len(means):
        raise InputError(
            expected=f"fewer than half of {len(means)} groups left out at each end",
            found=f"{trimmed}",
            next_command="leave out fewer, or deal into more groups",
        )
    return np.asarray(np.sort(_finite(means), axis=0)[trimmed : len(means) - trimmed].mean(axis=0))


def _finite(means: np.ndarray) -> np.ndarray:
    """The means with what is not a number as infinite: it lies at an end."""
    return np.where(np.isnan(means), np.inf, means)
