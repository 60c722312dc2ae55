"""How unlike the training sounds a sound is: by distance from its nearest class, by doubt, and by distance from all.

The distance from the nearest class, less that from all training sounds together, tells an unseen class from a known
one: what all classes share, such as loudness or a microphone, cancels out (Ren et al., A simple fix to Mahalanobis
distance for improving near-OOD detection, 2021). The entropy of the class probabilities is added (Hendrycks and Gimpel,
A baseline for detecting misclassified and out-of-distribution examples, 2017, take the largest probability). The plain
Mahalanobis distance tells what is far from everything. Covariances are shrunk (Ledoit and Wolf, A well-conditioned
estimator for large-dimensional covariance matrices, 2004), and hold what other recorders change (``recorders``).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from training.models.audio.tasks import Task

NEAR_SHARE, FAR_SHARE = 0.97, 0.98
"""Shares of the known sounds of left-out sources within the limits: of class and doubt, and of the plain distance."""
KNOWN_SHARE = NEAR_SHARE + FAR_SHARE - 1
"""Share of known sounds of left-out sources that are within both limits, at the least."""
LIMIT = 1.0
"""Distance beyond which a sound is unknown."""
FEWEST = 2
"""Fewest rows of a class."""
FAR_PART = 1 / 30
"""Part of the covariance by recorders that the plain distance has: with all of it, white noise is a bad recording."""
STEEPNESS = 8.0
"""How fast the plain distance grows near its limit, so that it counts for far sounds alone."""
SMALL = 1e-6


@dataclass(frozen=True)
class Measures:
    """What the distance of n sounds is made of.

    Attributes:
        plain: (n,) Mahalanobis distance from all training sounds, about 1 for these.
        relative: (n,) squared distance from the nearest class, less that from all training sounds; 0 without classes.
        doubt: (n,) entropy of the class probabilities; 0 without them.
    """

    plain: np.ndarray
    relative: np.ndarray
    doubt: np.ndarray


@dataclass(frozen=True)
class Region:
    """Where the training sounds lie in the space of d features.

    Attributes:
        middle: (d,) mean of all rows.
        white: (d, d) whitening matrix of all rows, for the plain distance.
        total: (d, d) the same with all that recorders change, for the relative distance.
        within: (d, d) whitening matrix of rows within classes, with all that recorders change.
        means: (c, d) mean of each class, whitened by ``within``; empty without classes.
        farthest: limit of the plain distance.
        factors: factors of relative distance and of doubt, and what is added to their sum; at the limit it is 1.
    """

    middle: np.ndarray
    white: np.ndarray
    total: np.ndarray
    within: np.ndarray
    means: np.ndarray
    farthest: float = 1.0
    factors: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def measure(self, rows: np.ndarray, doubt: np.ndarray) -> Measures:
        """Measure rows (n, d) whose class probabilities have the entropy ``doubt`` (n,)."""
        offsets = rows - self.middle
        plain = np.linalg.norm(offsets @ self.white, axis=1)
        if not len(self.means):
            return Measures(plain, np.zeros(len(rows)), doubt)
        white = offsets @ self.within
        squares = (white**2).sum(axis=1)[:, None] + (self.means**2).sum(axis=1) - 2 * white @ self.means.T
        return Measures(plain, squares.min(axis=1) - ((offsets @ self.total) ** 2).sum(axis=1), doubt)

    def distances(self, measures: Measures) -> np.ndarray:
        """Return (n,) distances; above ``LIMIT`` a sound is unknown."""
        relative, doubt, offset = self.factors
        near = relative * measures.relative + doubt * measures.doubt + offset
        far = LIMIT + STEEPNESS * (measures.plain / self.farthest - 1)
        return np.asarray(np.maximum(near, far))


def fit(rows: np.ndarray, classes: np.ndarray, recorder: np.ndarray | None = None) -> Region:
    """Return the region of rows, without limits.

    Args:
        rows: (n, d) standardized features.
        classes: (n,) number of the class of each row; -1 for none.
        recorder: (d, d) covariance by recorders, added to those of the rows; none if None.
    """
    added = 0.0 if recorder is None else recorder
    middle = rows.mean(axis=0)
    white, total = (_whitening(rows - middle, covariance) for covariance in (FAR_PART * added, added))
    numbers = frequent(classes)
    if len(numbers) < 2:
        return Region(middle, white, total, total, np.empty((0, rows.shape[1])))
    means = np.array([rows[classes == number].mean(axis=0) for number in numbers])
    is_frequent = np.isin(classes, numbers)
    within = _whitening(rows[is_frequent] - means[np.searchsorted(numbers, classes[is_frequent])], added)
    return Region(middle, white, total, within, (means - middle) @ within)


def with_limits(region: Region, known: Sequence[Measures]) -> Region:
    """Return a region with its limits.

    Args:
        region: the region of all training sounds.
        known: measures of sounds of known classes by sources, or artists, that were left out; at least one.
    """
    plain, relative, doubt = (
        np.concatenate([getattr(measures, name) for measures in known]) for name in ("plain", "relative", "doubt")
    )
    if not len(region.means):
        return replace(region, farthest=max(float(np.quantile(plain, KNOWN_SHARE)), SMALL))
    factors = [1 / spread if (spread := float(values.std())) > SMALL else 0.0 for values in (relative, doubt)]
    near = factors[0] * relative + factors[1] * doubt
    middle, limit = np.quantile(near, [0.5, NEAR_SHARE])
    scale = max(float(limit - middle), SMALL)
    return replace(
        region,
        farthest=max(float(np.quantile(plain, FAR_SHARE)), SMALL),
        factors=(factors[0] / scale, factors[1] / scale, LIMIT - float(limit) / scale),
    )


def first_task(tasks: Sequence[Task]) -> Task | None:
    """Return the first task of classes or labels, by which sounds are unknown; None without one."""
    return next((task for task in tasks if task.kind != "number"), None)


def class_numbers(task: Task | None, count: int) -> np.ndarray:
    """Return (count,) number of the class of each row, -1 for none; of labels, each set of them is a class."""
    numbers = np.full(count, -1)
    if task is not None:
        rows = task.labelled_rows
        numbers[rows] = np.unique(task.targets[rows], axis=0, return_inverse=True)[1].ravel()
    return numbers


def frequent(classes: np.ndarray) -> np.ndarray:
    """Return the numbers of classes with at least ``FEWEST`` rows."""
    numbers, counts = np.unique(classes[classes >= 0], return_counts=True)
    return np.asarray(numbers[counts >= FEWEST])


def entropy(probabilities: np.ndarray) -> np.ndarray:
    """Return (n,) entropy in nats of probabilities (n, k).

    >>> entropy(np.array([[0.5, 0.5], [1.0, 0.0]])).round(2).tolist()
    [0.69, -0.0]
    """
    return np.asarray(-(probabilities * np.log(np.maximum(probabilities, SMALL))).sum(axis=1))


def _whitening(centred: np.ndarray, added: np.ndarray | float) -> np.ndarray:
    """Return the matrix (d, d) that gives all directions the same spread; rows become about 1 long."""
    from sklearn.covariance import LedoitWolf

    covariance = LedoitWolf(assume_centered=True).fit(centred).covariance_ + added
    spread, directions = np.linalg.eigh(covariance)
    return np.asarray(directions / np.sqrt(np.maximum(spread, 1e-9) * centred.shape[1]))
