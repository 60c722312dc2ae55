"""The numbers of a model as matrices that a vector is multiplied by: one column a score, of norm one at most.

Each matrix begins with a column of equal numbers, whose score the client knows: by this check value it recognises
scores that it cannot decrypt, or whose noise is too large. The column also keeps every diagonal away from zero, as a
product with a plaintext of zeros would not be a ciphertext.
"""

from dataclasses import dataclass

import numpy as np

from feature_repo.errors import BundleError
from feature_repo.homomorphic.parameters import MAX_COLUMNS, padded


@dataclass(frozen=True)
class ModelMatrix:
    """The numbers of one model, divided into matrices of as many columns as fit into one ciphertext.

    Attributes:
        blocks: matrices (padded dimensions, 1 + columns) float64.
        norm: what scores are multiplied by after decryption: a power of two, at least the largest norm of a column.
        columns: number of scores.
    """

    blocks: tuple[np.ndarray, ...]
    norm: float
    columns: int

    @classmethod
    def of(cls, weights: np.ndarray, model: str) -> "ModelMatrix":
        """Divide the weights of a model.

        Args:
            weights: (d, n) a column for each score.
            model: name and version of the model, for the error.

        Raises:
            BundleError: a weight is not finite.
            InputError: the model has too many inputs.

        >>> matrix = ModelMatrix.of(np.array([[3.0], [4.0], [0.0]]), "churn_model:1")
        >>> matrix.norm, matrix.blocks[0].tolist()
        (8.0, [[0.5, 0.375], [0.5, 0.5], [0.5, 0.0], [0.5, 0.0]])
        """
        weights = np.asarray(weights, np.float64)
        dimensions, columns = weights.shape
        length = padded(dimensions)
        largest = float(np.sqrt((weights**2).sum(axis=0)).max(initial=0.0))
        if not np.isfinite(largest):
            raise BundleError(
                expected=f"finite weights in {model}", found="others", next_command="refrain model list --all"
            )
        norm = float(2.0 ** np.ceil(np.log2(largest))) if largest > 0 else 1.0
        rows = np.zeros((length, columns))
        rows[:dimensions] = weights / norm
        blocks = []
        for first in range(0, columns, MAX_COLUMNS):
            block = np.full((length, 1 + min(MAX_COLUMNS, columns - first)), length**-0.5)
            block[:, 1:] = rows[:, first : first + MAX_COLUMNS]
            blocks.append(block)
        return cls(tuple(blocks), norm, columns)


def count_rotations(dimensions: int, columns: int) -> int:
    """Count the rotations of a product: the numbers of the filled vector for every ciphertext of scores.

    Raises:
        InputError: the vector is empty or too long.

    >>> count_rotations(60, 2_047), count_rotations(60, 2_048)
    (64, 128)
    """
    return padded(dimensions) * -(-columns // MAX_COLUMNS)
