"""What must hold in sums of honest silos, whoever they are: a check of the total, as nothing else is seen.

It finds crude lies and wrong programs, not careful ones, and it cannot say which silo it was.
"""

import numpy as np

from feature_repo.errors import InputError
from training.exact import gram
from training.exact.sums import Sums


def check_sums(sums: Sums) -> None:
    """Checks that products of people's weights could be such: |g_ij|² ≤ g_ii g_jj, by Cauchy and Schwarz.

    Raises:
        InputError: they are not; a silo sent something else.
    """
    if gram.NAME not in sums.tables:
        return
    cells = sums[gram.NAME].tocoo()
    norms = np.sqrt(np.maximum(sums[gram.NAME].diagonal(), 0).astype(np.float64))
    excess = np.abs(cells.data) - norms[cells.row] * norms[cells.col] * (1 + 1e-9)
    if excess.max(initial=0.0) > 0.5:
        raise InputError(
            expected="pairs that are played by no more people than each of both tracks",
            found=f"{int((excess > 0.5).sum()):,} pairs that are; a silo sent something else, "
            "and the sum does not say which",
            next_command="refrain model federate recommendation --name ANOTHER_NAME  (with fewer silos)",
        )
