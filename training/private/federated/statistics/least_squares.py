"""XᵀX and Xᵀy of labelled rows in fixed point: linear regression and ridge are solved from them, exactly.

A feature beyond ``MOST`` in absolute value counts as ``MOST``: a row has a bounded share of the sums.
"""

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from feature_repo.errors import InputError
from training.exact.fixed_point import to_floats, to_integers
from training.exact.solve import inverse
from training.exact.sums import Sums, Table
from training.private.federated.layout import Dense, TableWords, Triangle
from training.private.federated.statistic import Scope, SiloData, Statistic

PRODUCTS, TARGETS = "products of features", "products with the label"
BITS = 16
"""Bits after the point of features and labels."""
MOST = 16.0
"""Largest absolute value of a feature or a label; they are standardized."""


def rounded(values: np.ndarray) -> np.ndarray:
    """Values as multiples of 2^-16, clipped to ±16.

    Raises:
        InputError: a value is not a number.
    """
    if np.isnan(values).any():
        raise InputError(
            expected="features and labels that are numbers",
            found="a missing value",
            next_command="refrain doctor  (fill missing values before a run)",
        )
    return to_integers(np.clip(values, -MOST, MOST), BITS)


def _tables(scope: Scope) -> Sequence[TableWords]:
    width = int(scope.agreement.parameters["width"])
    return [
        TableWords(PRODUCTS, Triangle(width), is_signed=True),
        TableWords(TARGETS, Dense(1, width), is_signed=True),
    ]


def _count(data: SiloData, scope: Scope) -> Sums:
    width = int(scope.agreement.parameters["width"])
    features = rounded(data.features).reshape(-1, width)
    labels = rounded(data.labels)
    bound = len(labels) * int(MOST * 2**BITS) ** 2
    Table.of(sparse.csr_array((1, 1)), bound, PRODUCTS)
    return Sums(
        {
            PRODUCTS: Table.of(sparse.csr_array(features.T @ features), bound, PRODUCTS, is_signed=True),
            TARGETS: Table.of(sparse.csr_array((labels @ features)[None]), bound, TARGETS, is_signed=True),
        }
    )


def solve(sums: Sums, ridge: float = 1.0) -> np.ndarray:
    """(d,) weights of ridge regression from the sums.

    Args:
        sums: the sums of all silos.
        ridge: λ, the weight of the squared length of the weights.
    """
    matrix = to_floats(sums[PRODUCTS].toarray(), 2 * BITS)
    matrix[np.diag_indices_from(matrix)] += ridge
    return np.asarray(inverse(matrix) @ to_floats(sums[TARGETS].toarray()[0], 2 * BITS))


STATISTIC = Statistic("least_squares", "products of features and labels: ridge regression", _tables, _count)
