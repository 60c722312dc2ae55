"""Attributes of listeners and tracks besides plays: tags, genres, friends, countries."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse


@dataclass(frozen=True)
class Attributes:
    """Attributes as known at one moment; rows are numbered like those of ``Interactions``.

    Attributes:
        users: (users, a) weights, 0 for no.
        tracks: (tracks, b) weights, 0 for no.
    """

    users: sparse.csr_array
    tracks: sparse.csr_array

    @classmethod
    def none(cls, shape: tuple[int, int]) -> "Attributes":
        """Makes empty attributes for these users and tracks."""
        return cls(sparse.csr_array((shape[0], 0)), sparse.csr_array((shape[1], 0)))


def around(
    played: sparse.csr_array, attributes: Attributes | None, user_weight: float, track_weight: float
) -> sparse.csr_array:
    """Joins plays and attributes into one matrix: users and track attributes by tracks and user attributes.

    Collective factorization (Singh, Gordon: Relational Learning via Collective Matrix Factorization, KDD 2008): an
    attribute of tracks is one more user who plays all of them; one of users is one more track that all of them play.

    Args:
        played: (users, tracks) plays.
        attributes: attributes, or None.
        user_weight: factor of the users' attributes; 0 leaves them out.
        track_weight: factor of the tracks' attributes; 0 leaves them out.

    Returns:
        (users + b, tracks + a); users and tracks come first.
    """
    users = attributes.users * user_weight if attributes is not None and user_weight else None
    tracks = sparse.csr_array(attributes.tracks.T) * track_weight if attributes is not None and track_weight else None
    if users is not None:
        played = sparse.csr_array(sparse.hstack([played, users]))
    if tracks is not None:
        below = sparse.csr_array((tracks.data, tracks.indices, tracks.indptr), (tracks.shape[0], played.shape[1]))
        played = sparse.csr_array(sparse.vstack([played, below]))
    return played


def tf_idf(counts: sparse.csr_array) -> sparse.csr_array:
    """Weights counts by log(1 + count) · log(n / number of rows that have it), and scales rows to length one.

    After Salton, Buckley 1988.
    """
    rows = sparse.csr_array(counts, dtype=np.float64, copy=True)
    document_counts = np.bincount(rows.indices[rows.data > 0], minlength=rows.shape[1])
    rows.data = np.log1p(rows.data)
    rows = sparse.csr_array(rows @ sparse.diags_array(np.log(max(rows.shape[0], 1) / np.maximum(document_counts, 1))))
    return unit_rows(rows)


def unit_rows(rows: sparse.csr_array) -> sparse.csr_array:
    """Scales rows to Euclidean length one; rows of zeros stay."""
    length = np.sqrt(np.asarray((rows * rows).sum(axis=1)).ravel())
    return sparse.csr_array(sparse.diags_array(1 / np.where(length > 0, length, 1.0)) @ rows)
