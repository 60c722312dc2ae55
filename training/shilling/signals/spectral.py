"""The rival: selection of variables by principal components, the detector of shilling that others are compared with.

Mehta, Nejdl: Unsupervised Strategies for Shilling Detection and Robust Collaborative Filtering (UMUAI 2009). Listeners
are the variables, standardized over tracks; fakes covary little with anybody, so that their loadings on the first
components are small. It is measured beside the filter and is no part of it.
"""

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, svds

COMPONENTS = 3


def spectral(played: sparse.csr_array) -> np.ndarray:
    """(n,) minus the squared loadings of each listener on the first components: the higher, the more suspicious.

    Args:
        played: (listeners, tracks) 1 where a listener played a track.

    >>> len(spectral(sparse.csr_array(np.eye(6, 9))))
    6
    """
    people, tracks = played.shape
    components = min(COMPONENTS, people - 1, tracks - 1)
    if components < 1:
        return np.zeros(people)
    mean = np.diff(played.indptr) / tracks
    deviation = np.sqrt(np.maximum(mean * (1 - mean), 1e-12))
    scaled = sparse.csr_array(sparse.diags_array(1 / deviation) @ played)
    offset = mean / deviation

    def times(vector: np.ndarray) -> np.ndarray:
        return np.asarray(scaled @ vector.ravel() - offset * vector.sum())

    def transposed(vector: np.ndarray) -> np.ndarray:
        return np.asarray(scaled.T @ vector.ravel() - offset @ vector.ravel())

    operator = LinearOperator((people, tracks), matvec=times, rmatvec=transposed, dtype=np.float64)
    loadings, _, _ = svds(operator, components, random_state=0)
    return np.asarray(-np.square(loadings).sum(axis=1))
