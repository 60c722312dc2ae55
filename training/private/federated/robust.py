"""Averages that a few silos cannot move far, from sums of groups of silos.

Under masks nobody sees a silo's update, so that nothing can be said against one silo. What can be compared are the sums
of groups: silos are dealt into groups, each group is a run with a sum of its own (``average_groups``), and the
coordinates of the groups' means are put together by their median or a trimmed mean (Yin, Chen, Kannan, Bartlett:
Byzantine-Robust Distributed Learning, ICML 2018; of groups as in Karimireddy, He, Jaggi: Byzantine-Robust Learning on
Heterogeneous Datasets via Bucketing, ICLR 2022). Fewer than half of the groups may have a liar. The price: a sum hides
a silo among its group alone, every group needs the threshold of a sum, and where silos differ the median is not the
mean of all.
"""

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from feature_repo.errors import InputError
from training.private.federated.agreement import FEWEST
from training.private.federated.coordinator import CoordinatorRun
from training.private.federated.fixed_vectors import to_vector
from training.private.federated.network import Network
from training.private.federated.procedures.averaging import DEFAULTS
from training.private.federated.rounds import RoundTotal
from transforms.pure import npz


def deal(silos: Sequence[str], groups: int, seed: str) -> list[tuple[str, ...]]:
    """Silos in groups of nearly equal size, by a hash that everybody can compute.

    Args:
        silos: names of the silos.
        groups: number of groups.
        seed: text that the deal depends on, drawn after the silos are known, such as the identifier of a run.

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


def average_groups(runs: Sequence[CoordinatorRun], combine: Callable[[np.ndarray], np.ndarray]) -> bytes:
    """Runs the procedure ``averaging`` over groups of silos, in lockstep; all silos get the same weights.

    Args:
        runs: one run a group, whose terms have the same parameters.
        combine: puts the (groups, n) means of a round together, such as ``median``.

    Returns:
        An archive of one array, ``weights``.

    Raises:
        InputError: a round of a group went wrong each time; a group whose mean is too long does not end the others.
    """
    values = {**DEFAULTS, **runs[0].agreement.parameters}
    network = Network(int(values["width"]), int(values["hidden"]))
    weights = network.initial(int(values["seed"]))
    with ThreadPoolExecutor(len(runs)) as threads:
        for _ in range(int(values["rounds"])):
            ask = partial(_update, words=network.size + 1, weights=weights)
            totals = list(threads.map(ask, runs))
            means = np.stack([to_vector(total.words)[0] for total in totals])
            lengths = np.linalg.norm(means, axis=1, keepdims=True)
            weights = weights + combine(means * np.minimum(1.0, float(values["clip"]) / np.maximum(lengths, 1e-12)))
        result = npz.pack({"weights": weights}, compressed=False)
        for run in runs:
            run.end(result)
    return result


def _update(run: CoordinatorRun, words: int, weights: np.ndarray) -> RoundTotal:
    return run.ask("update", words, attachment=npz.pack({"weights": weights}, compressed=False))


def _finite(means: np.ndarray) -> np.ndarray:
    """The means with what is not a number as infinite: it lies at an end."""
    return np.where(np.isnan(means), np.inf, means)
