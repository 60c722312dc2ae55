"""Cuts of rows into what is learned from and what is asked, none of which lets the future speak.

``forward`` asks about later and later periods, each after everything that was learned from; rows whose answer was only
known after the period begins are purged (M. López de Prado, Advances in Financial Machine Learning, 2018, chapter 7).
``grouped`` keeps all rows of a group together where time says nothing.
"""

import itertools
from collections.abc import Iterator

import numpy as np

Fold = tuple[np.ndarray, np.ndarray]
"""Places of rows to learn from, and to ask."""


def forward(times: np.ndarray, horizon: int, folds: int = 3, *, since: float = 0.4) -> Iterator[Fold]:
    """Consecutive periods of equally many rows, each asked after what came before it was learned.

    Args:
        times: (n,) microseconds of the rows.
        horizon: microseconds after its time until the answer of a row is known.
        folds: how many periods.
        since: share of the rows that come before the first period.

    Yields:
        Folds with rows on both sides; periods without are left out.
    """
    ordered = np.sort(times)
    bounds = [ordered[min(int(place), len(ordered) - 1)] for place in np.linspace(since, 1, folds + 1) * len(ordered)]
    bounds[-1] = ordered[-1] + 1
    for first, last in itertools.pairwise(bounds):
        learned = np.flatnonzero(times + horizon <= first)
        asked = np.flatnonzero((times >= first) & (times < last))
        if len(learned) and len(asked):
            yield learned, asked


def grouped(groups: np.ndarray, folds: int = 3, *, seed: int = 0) -> Iterator[Fold]:
    """Groups dealt out at random; each part is asked once, after the others were learned.

    Args:
        groups: (n,) group of each row.
        folds: how many parts.
        seed: of the deal.
    """
    number = np.unique(groups, return_inverse=True)[1]
    of_group = np.random.default_rng(seed).permutation(number.max() + 1) % folds
    for fold in range(folds):
        asked = of_group[number] == fold
        if asked.any() and not asked.all():
            yield np.flatnonzero(~asked), np.flatnonzero(asked)


def last(times: np.ndarray, horizon: int, share: float) -> Fold:
    """All but the last rows, purged, and the last ``share`` of them: what the test asks about.

    Rows of one moment stay together, in the later part.
    """
    first = np.sort(times)[min(round(len(times) * (1 - share)), len(times) - 1)]
    return np.flatnonzero(times + horizon <= first), np.flatnonzero(times >= first)
