"""What the half step of iALS for tracks sums over people: the normal equations of each track, and UᵀU.

With the vectors of people held fixed, the vector of track i solves (α UᵀU + Σ_u w_ui x_u x_uᵀ + λ_i I) y = Σ_u w_ui x_u
(Hu, Koren, Volinsky 2008; λ_i = λ (Σ_u w_ui + α n) as in ``training.models.recommendation.ials``). A person adds to
these sums and to nothing else of the half step, so they are what a device sends, and what a person is subtracted from.

Only the half step is exact. The other people's vectors were solved against tracks that this person had shaped in
earlier half steps, so that a model without the person is trained anew, and not made by subtraction.
"""

import numpy as np
from scipy import sparse

from training.exact.fixed_point import to_floats, to_integers
from training.exact.sums import Sums, Table

EVERYBODY, OF_TRACK = "everybody", "of_track"
BITS = 30
"""Bits after the point of a person's share of a cell: off by at most 2^-31."""


def count(vectors: np.ndarray, weights: sparse.csr_array) -> Sums:
    """Sums the shares of people, each rounded by itself.

    Args:
        vectors: (people, d) vectors of the people.
        weights: (people, tracks) weights of what they played.

    Returns:
        ``everybody``: (1, p) x xᵀ, of its p = d (d + 1) / 2 cells on and above the diagonal. ``of_track``: (tracks,
        p + d + 1) w x xᵀ, w x and w.

    Raises:
        InputError: a cell could overflow.
    """
    first, second = np.triu_indices(vectors.shape[1])
    products = (vectors[:, first] * vectors[:, second]).astype(np.float64)
    rows = np.column_stack([products, vectors, np.ones(len(vectors))])
    person = np.repeat(np.arange(weights.shape[0]), np.diff(weights.indptr))
    of_all = to_integers(products, BITS)
    shares = to_integers(rows[person] * weights.data[:, None], BITS)
    chosen = sparse.csr_array(
        (np.ones(len(person), np.int64), (weights.indices, np.arange(len(person)))), (weights.shape[1], len(person))
    )
    bounds = [int(np.abs(units).max(initial=0)) * len(units) for units in (of_all, shares)]
    for bound in bounds:
        Table.of(sparse.csr_array((1, 1)), bound, OF_TRACK)
    tables = (sparse.csr_array(of_all.sum(axis=0)[None, :]), sparse.csr_array(chosen @ shares))
    return Sums(
        {
            name: Table.of(cells, bound, name, is_signed=True)
            for name, cells, bound in zip((EVERYBODY, OF_TRACK), tables, bounds, strict=True)
        }
    )


def solve(sums: Sums, people: int, *, unobserved: float, regularization: float) -> np.ndarray:
    """(tracks, d) vectors of the tracks; zero for those that nobody played.

    Args:
        sums: as ``count`` gives them.
        people: number of people.
        unobserved: α.
        regularization: λ.
    """
    table = to_floats(sums[OF_TRACK].toarray(), BITS)
    cells = sums[EVERYBODY].shape[1]
    size = table.shape[1] - cells - 1
    first, second = np.triu_indices(size)
    gram = np.zeros((size, size))
    gram[first, second] = gram[second, first] = to_floats(sums[EVERYBODY].toarray()[0], BITS)
    vectors = np.zeros((len(table), size))
    for track in np.flatnonzero(table[:, -1] > 0):
        own = np.zeros((size, size))
        own[first, second] = own[second, first] = table[track, :cells]
        ridge = regularization * (table[track, -1] + unobserved * people)
        vectors[track] = np.linalg.solve(unobserved * gram + own + ridge * np.eye(size), table[track, cells:-1])
    return vectors
