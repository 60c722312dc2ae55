"""Inverts symmetric matrices so that equal matrices give equal bits, on a machine of any number of cores.

Threads of BLAS divide a matrix by their number, which changes the order of its sums. One thread does not, and by
Cholesky's factors, half of the work of a general inverse, it takes about as long as two threads did.
"""

import numpy as np
from threadpoolctl import threadpool_limits


def inverse(matrix: np.ndarray) -> np.ndarray:
    """(n, n) inverse of a symmetric, positive definite matrix; exactly symmetric.

    Raises:
        LinAlgError: it is not positive definite.

    >>> inverse(np.array([[4.0, 0.0], [0.0, 16.0]])).tolist()
    [[0.25, 0.0], [0.0, 0.0625]]
    """
    from scipy.linalg import lapack

    if not len(matrix):
        return np.zeros(matrix.shape)
    with threadpool_limits(1, user_api="blas"):
        factor, failure = lapack.dpotrf(matrix, lower=True, clean=False)
        if not failure:
            half, failure = lapack.dpotri(factor, lower=True, overwrite_c=True)
    if failure:
        raise np.linalg.LinAlgError("the matrix is not positive definite")
    upper = np.tril(half, -1).T
    return np.asarray(np.tril(half) + upper)
