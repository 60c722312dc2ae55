"""Logistic regression by Newton's steps whose gradient and curvature are exact sums over rows.

Each row's share is rounded to fixed point before it is added, and scores are whole-number products, so that the sums,
and with them every step and the weights, have the same bits however the rows are divided into silos.

Parameters: ``width`` (the intercept is added), ``rounds`` (8), ``ridge`` (1.0). Features and labels lie within ±16.
"""

import numpy as np
from scipy import sparse

from training.exact.fixed_point import proven, to_floats, to_integers
from training.exact.solve import inverse
from training.exact.sums import Sums, Table
from training.private.federated.answer import Answer, Procedure
from training.private.federated.coordinator import CoordinatorRun
from training.private.federated.layout import Dense, Packing, TableWords, Triangle
from training.private.federated.statistic import Scope, SiloData
from training.private.federated.statistics.least_squares import BITS, rounded
from training.private.federated.step import Step
from transforms.pure import npz

CURVATURE, SLOPE = "curvature", "slope"
CHANCE_BITS, WEIGHT_BITS = 20, 24
"""Bits after the point of errors and curvatures of a row, and of weights."""
MOST_WEIGHT = 256.0
"""Weights are clipped to it, so that a score fits in 63 bits."""
ROUNDS, RIDGE = 8, 1.0


def packing_of(width: int, most: int) -> Packing:
    """The words of one step."""
    return Packing(
        [
            TableWords(CURVATURE, Triangle(width + 1), is_signed=True),
            TableWords(SLOPE, Dense(1, width + 1), is_signed=True),
        ],
        most,
    )


def count(features: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> Sums:
    """Σ p(1 − p) x xᵀ and Σ (p − y) x of rows with an intercept, as integers.

    Args:
        features: (n, width).
        labels: (n,) 0 or 1.
        weights: (width + 1,) weights, the intercept last.
    """
    proven(len(labels) * 2**42, CURVATURE)  # features below 2^20 shifted by 8 bits, and curvatures up to 2^18
    rows = np.column_stack([rounded(features), np.full(len(labels), 2**BITS, np.int64)])
    scores = to_floats(rows @ to_integers(np.clip(weights, -MOST_WEIGHT, MOST_WEIGHT), WEIGHT_BITS), BITS + WEIGHT_BITS)
    chances = 1 / (1 + np.exp(-np.clip(scores, -40, 40)))
    errors = to_integers(chances - labels, CHANCE_BITS)
    bends = to_integers(chances * (1 - chances), CHANCE_BITS)
    narrow = rows >> (BITS // 2)  # half of the bits, so that a product of three numbers has room for its sum
    curvature = narrow.T @ (narrow * bends[:, None])
    slope = errors @ rows
    bounds = [max(int(np.abs(table).max(initial=0)), 1) for table in (curvature, slope)]
    return Sums(
        {
            CURVATURE: Table.of(sparse.csr_array(curvature), bounds[0], CURVATURE, is_signed=True),
            SLOPE: Table.of(sparse.csr_array(slope[None]), bounds[1], SLOPE, is_signed=True),
        }
    )


def step(weights: np.ndarray, sums: Sums, ridge: float) -> np.ndarray:
    """The weights after one of Newton's steps."""
    curvature = to_floats(sums[CURVATURE].toarray(), 2 * (BITS // 2) + CHANCE_BITS)
    curvature[np.diag_indices_from(curvature)] += ridge
    slope = to_floats(sums[SLOPE].toarray()[0], BITS + CHANCE_BITS) + ridge * weights
    return np.clip(weights - inverse(curvature) @ slope, -MOST_WEIGHT, MOST_WEIGHT)


def coordinate(run: CoordinatorRun) -> bytes:
    """Steps for some rounds, and returns the weights as the archive of one array, ``weights``.

    Raises:
        InputError: a round went wrong each time.
    """
    width = int(run.agreement.parameters["width"])
    packing, weights = packing_of(width, run.agreement.most), np.zeros(width + 1)
    for _ in range(int(run.agreement.parameters.get("rounds", ROUNDS))):
        total = run.ask("newton", packing.words, attachment=npz.pack({"weights": weights}, compressed=False))
        sums = packing.unpack(total.words, len(total.silos))
        weights = step(weights, sums, float(run.agreement.parameters.get("ridge", RIDGE)))
    return npz.pack({"weights": weights}, compressed=False)


def _answer(data: SiloData, scope: Scope, step: Step, attachment: bytes) -> np.ndarray:
    width = int(scope.agreement.parameters["width"])
    weights = npz.unpack(attachment)["weights"]
    sums = count(data.features.reshape(-1, width), data.labels, weights)
    return packing_of(width, scope.agreement.most).pack(sums)


PROCEDURE = Procedure("logistic", "logistic regression by exact sums", coordinate, {"newton": None})
ANSWER = Answer("newton", _answer)
