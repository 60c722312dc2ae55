"""What vectors tell about those whom they describe: age, gender, country, by a logistic regression.

U. Weinsberg, S. Bhagat, S. Ioannidis and N. Taft, BlurMe: Inferring and Obfuscating User Gender Based on Ratings,
RecSys 2012. Each person is predicted by a model that was fitted to others, whose attribute the attacker knows.
"""

from dataclasses import dataclass

import numpy as np

from feature_repo.errors import InputError
from training.validation.bootstrap import Interval, interval

FOLDS = 5
FEWEST = 20
"""People of a class below which it is left out."""


@dataclass(frozen=True)
class Inference:
    """What is inferred of an attribute.

    Attributes:
        accuracy: share of people whose value is inferred.
        baseline: share that saying the most frequent value for everybody reaches.
        gain: difference of the two on the same people, with its interval.
        balanced: mean over the values of the share inferred of those who have it; one over their number is a guess.
        people: number of people.
        values: the values, those of too few people left out.
    """

    accuracy: Interval
    baseline: float
    gain: Interval
    balanced: float
    people: int
    values: tuple[str, ...]


def infer(vectors: np.ndarray, values: np.ndarray, *, seed: int = 0) -> Inference | None:
    """Infers an attribute from vectors, in ``FOLDS`` folds of people.

    Args:
        vectors: (people, factors) vectors; people whose vector is zero are left out.
        values: (people,) text of the attribute, None where it is unknown.
        seed: seed of the folds.

    Returns:
        The result; None if fewer than two values have ``FEWEST`` people, of whom nothing can be said.

    Raises:
        InputError: shapes differ, or a vector is not finite.
    """
    if len(vectors) != len(values) or not np.isfinite(vectors).all():
        raise InputError(
            expected="a finite vector for each person, and as many values",
            found=f"{len(vectors)} vectors and {len(values)} values",
            next_command="refrain model leaks --help",
        )
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    is_known = np.array([one is not None for one in values], bool) & (np.abs(vectors).sum(axis=1) > 0)
    names, counts = np.unique(np.asarray(values)[is_known].astype(str), return_counts=True)
    names = names[counts >= FEWEST]
    is_known[is_known] = np.isin(np.asarray(values)[is_known].astype(str), names)
    if len(names) < 2:
        return None
    inputs, labels = vectors[is_known], np.searchsorted(names, np.asarray(values)[is_known].astype(str))
    fold = np.random.default_rng(seed).permutation(len(labels)) % FOLDS
    guess, usual = np.empty(len(labels), np.int64), np.empty(len(labels), np.int64)
    for number in range(FOLDS):
        learned, test = fold != number, fold == number
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
        guess[test] = model.fit(inputs[learned], labels[learned]).predict(inputs[test])
        usual[test] = np.bincount(labels[learned]).argmax()
    right = (guess == labels).astype(float)
    return Inference(
        interval(right, seed=seed),
        float((usual == labels).mean()),
        interval(right - (usual == labels), seed=seed),
        float(np.mean([right[labels == number].mean() for number in range(len(names))])),
        len(labels),
        tuple(names.tolist()),
    )
