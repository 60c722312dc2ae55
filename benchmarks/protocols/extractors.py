"""Who copies a model by asking: the questions of each, and what a copy that learns from the answers is worth."""

from collections.abc import Callable

import numpy as np

from training.estimators import learner

Answer = Callable[[np.ndarray], np.ndarray]
STEPS, CHANGED = 12, 2


def uniform(reference: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw every column between its extremes."""
    return rng.uniform(reference.min(axis=0), reference.max(axis=0), (count, reference.shape[1])).astype(np.float32)


def marginal(reference: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw every column alone from the data."""
    return np.column_stack([rng.choice(column, count) for column in reference.T])


def grid(reference: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Walk along one column after the other of some rows."""
    lows, highs = reference.min(axis=0), reference.max(axis=0)
    walk = np.arange(count)
    rows = reference[rng.permutation(len(reference))[walk // (STEPS * reference.shape[1]) % len(reference)]].copy()
    column = walk // STEPS % reference.shape[1]
    rows[walk, column] = lows[column] + (highs - lows)[column] * (walk % STEPS) / (STEPS - 1)
    return rows


def perturbed(reference: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Move some columns of real rows by a tenth of their range (as the augmentation of Papernot et al. 2017)."""
    rows, spread = reference[rng.integers(len(reference), size=count)].copy(), np.ptp(reference, axis=0)
    for _ in range(CHANGED):
        column = rng.integers(reference.shape[1], size=count)
        rows[np.arange(count), column] += 0.1 * spread[column] * rng.choice([-1, 1], count)
    return rows


def mixed(reference: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Take the middle of two real rows."""
    first, second = reference[rng.integers(len(reference), size=(2, count))]
    return np.asarray((first + second) / 2, np.float32)


def crossed(reference: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Take each column of one of two real rows."""
    first, second = reference[rng.integers(len(reference), size=(2, count))]
    return np.where(rng.random(first.shape) < 0.5, first, second)


SYNTHETIC: dict[str, Callable[[np.ndarray, int, np.random.Generator], np.ndarray]] = {
    "uniform": uniform,
    "marginals": marginal,
    "grid": grid,
    "perturbed": perturbed,
    "middles": mixed,
    "crossed": crossed,
}


def active(pool: np.ndarray, answer: Answer, count: int, rng: np.random.Generator) -> np.ndarray:
    """Ask about natural rows on which a copy of the answers until now is least decided (Tramèr et al. 2016)."""
    places = rng.permutation(len(pool))[: min(50, count)]
    while len(places) < count:
        copy = fit_copy(pool[places], answer(pool[places]))
        distance = np.abs(copy(pool) - 0.5)
        distance[places] = np.inf
        places = np.append(places, np.argsort(distance)[: min(len(places), count - len(places))])
    return pool[places]


def fit_copy(inputs: np.ndarray, answers: np.ndarray, name: str = "lightgbm", **parameters: float) -> Answer:
    """Train a copy on answers: chances, or labels of 0 and 1."""
    is_label = bool(np.isin(answers, (0, 1)).all())
    if is_label and len(np.unique(answers)) == 1:
        return lambda rows: np.full(len(rows), answers[0])
    fitted = learner(name).fit(inputs, answers, "binary" if is_label else "number", parameters, 1)
    return fitted.predict
