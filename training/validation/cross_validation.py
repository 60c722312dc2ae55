"""Splits rows into training and test rows without leaks from the future.

``forward`` tests on later and later periods, each after its training rows; rows whose label became known only after the
period begins are purged (M. López de Prado, Advances in Financial Machine Learning, 2018, chapter 7). ``grouped`` keeps
all rows of a group together, for rows without an order in time.
"""

import itertools
from collections.abc import Iterator

import numpy as np

Fold = tuple[np.ndarray, np.ndarray]
"""Numbers of training rows and of test rows."""


def forward(times: np.ndarray, horizon: int, folds: int = 3, *, since: float = 0.4) -> Iterator[Fold]:
    """Yields consecutive periods of equally many rows, each tested after training on the rows before it.

    Args:
        times: (n,) microseconds of the rows.
        horizon: microseconds after its time until the label of a row is known.
        folds: number of periods.
        since: share of the rows that come before the first period.

    Yields:
        Folds with rows on both sides; other periods are left out.
    """
    ordered = np.sort(times)
    bounds = [
        ordered[min(int(position), len(ordered) - 1)] for position in np.linspace(since, 1, folds + 1) * len(ordered)
    ]
    bounds[-1] = ordered[-1] + 1
    for first, last in itertools.pairwise(bounds):
        train_rows = np.flatnonzero(times + horizon <= first)
        test_rows = np.flatnonzero((times >= first) & (times < last))
        if len(train_rows) and len(test_rows):
            yield train_rows, test_rows


def grouped(groups: np.ndarray, folds: int = 3, *, seed: int = 0) -> Iterator[Fold]:
    """Yields folds of random groups; each is the test once, with the other folds as training.

    Args:
        groups: (n,) group of each row.
        folds: number of folds.
        seed: seed of the assignment.
    """
    group_number = np.unique(groups, return_inverse=True)[1]
    fold_of_group = np.random.default_rng(seed).permutation(group_number.max() + 1) % folds
    for fold in range(folds):
        is_test = fold_of_group[group_number] == fold
        if is_test.any() and not is_test.all():
            yield np.flatnonzero(~is_test), np.flatnonzero(is_test)


def last(times: np.ndarray, horizon: int, share: float) -> Fold:
    """Returns the training rows, purged, and the last ``share`` of the rows as test.

    Rows of one moment stay together, in the later part.
    """
    first_test_time = np.sort(times)[min(round(len(times) * (1 - share)), len(times) - 1)]
    return np.flatnonzero(times + horizon <= first_test_time), np.flatnonzero(times >= first_test_time)
