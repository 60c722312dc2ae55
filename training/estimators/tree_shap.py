"""Exact Shapley values of trees, where a column that is not known is averaged over by the training rows of a node.

The values are those of TreeSHAP with path-dependent perturbation (S. Lundberg et al., From Local Explanations to Global
Understanding with Explainable AI for Trees, 2020). They are computed leaf by leaf as the integral of G. Owen's
multilinear extension of games, 1972: the leaf of value v is reached with the chance Π (z (1 − t) + o t) over the
columns of its path if each column is known with the chance t, where o is whether the row takes all branches of the
column, and z the share of training rows that do. The contribution of a column is ∫ v (o − z) Π of the others dt from 0
to 1, a polynomial, of which Gauss and Legendre's quadrature with half as many points as columns is exact.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

CHUNK = 4_000_000
"""Largest number of numbers that are held at once, of rows by leaves by columns of a path by points."""


@dataclass(frozen=True)
class Tree:
    """A binary tree; node 0 is the root.

    Attributes:
        left: (nodes,) left child, -1 for a leaf.
        right: (nodes,) right child, -1 for a leaf.
        column: (nodes,) column that is compared.
        threshold: (nodes,) rows with at most this value go left.
        value: (nodes,) answer of a leaf.
        cover: (nodes,) weight of the training rows of each node.
    """

    left: np.ndarray
    right: np.ndarray
    column: np.ndarray
    threshold: np.ndarray
    value: np.ndarray
    cover: np.ndarray


@dataclass(frozen=True)
class _Path:
    """The way to one leaf: for each of its columns the bounds of the values that reach it, and the share of rows."""

    value: float
    columns: list[int]
    above: list[float]
    at_most: list[float]
    shares: list[float]


def tree_shap(tree: Tree, inputs: np.ndarray) -> np.ndarray:
    """Computes (n, d + 1) contributions of the columns to the answer of a tree, and its mean answer in the last column.

    Args:
        tree: the tree.
        inputs: (n, d) rows without missing values.

    >>> stump = Tree(*(np.array(part) for part in ([1, -1, -1], [2, -1, -1], [0, 0, 0])), np.array([0.5, 0, 0]),
    ...     np.array([0.0, 1.0, 3.0]), np.array([4.0, 1.0, 3.0]))
    >>> tree_shap(stump, np.array([[0.0, 7.0]])).tolist()
    [[-1.5, 0.0, 2.5]]
    """
    rows, width = inputs.shape
    result = np.zeros((rows, width + 1))
    by_length: dict[int, list[_Path]] = {}
    for path in _paths(tree):
        by_length.setdefault(len(path.columns), []).append(path)
        result[:, -1] += path.value * np.prod(path.shares)
    for length, paths in by_length.items():
        if length:
            points = (length + 1) // 2
            step = max(1, CHUNK // (len(paths) * length * points))
            for start in range(0, rows, step):
                part = slice(start, start + step)
                _add(result[part], inputs[part], paths, *np.polynomial.legendre.leggauss(points))
    return result


def _add(result: np.ndarray, inputs: np.ndarray, paths: list[_Path], points: np.ndarray, weights: np.ndarray) -> None:
    """Adds the contributions of leaves whose paths have the same number of columns."""
    columns = np.array([path.columns for path in paths])
    values = inputs[:, columns]  # (n, leaves, k)
    takes = (values > np.array([path.above for path in paths])) & (values <= np.array([p.at_most for p in paths]))
    shares = np.array([path.shares for path in paths])
    known = (points + 1) / 2
    factors = shares[None, :, :, None] * (1 - known) + takes[..., None] * known  # (n, leaves, k, points)
    whole = factors.prod(axis=2, keepdims=True) * (weights / 2)
    leaf = np.array([path.value for path in paths])
    parts = leaf[None, :, None] * (takes - shares) * (whole / factors).sum(axis=3)
    flat = columns.ravel()
    to_column = sparse.csr_array((np.ones(len(flat)), (np.arange(len(flat)), flat)), (len(flat), result.shape[1]))
    result += parts.reshape(len(inputs), -1) @ to_column


def _paths(tree: Tree) -> list[_Path]:
    """Lists the ways to all leaves that training rows reached."""
    paths: list[_Path] = []
    stack: list[tuple[int, dict[int, tuple[float, float, float]]]] = [(0, {})]
    while stack:
        node, bounds = stack.pop()
        if tree.left[node] < 0:
            above, at_most, shares = zip(*bounds.values(), strict=True) if bounds else ((), (), ())
            paths.append(_Path(float(tree.value[node]), list(bounds), list(above), list(at_most), list(shares)))
            continue
        column, threshold = int(tree.column[node]), float(tree.threshold[node])
        low, high, share = bounds.get(column, (-np.inf, np.inf, 1.0))
        for child, is_left in ((int(tree.left[node]), True), (int(tree.right[node]), False)):
            part = float(tree.cover[child] / tree.cover[node])
            if part > 0:
                edge = (low, min(high, threshold)) if is_left else (max(low, threshold), high)
                stack.append((child, {**bounds, column: (*edge, share * part)}))
    return paths
