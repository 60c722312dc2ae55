"""Lists of variable length, one for each row."""

from dataclasses import dataclass

import numpy as np


@dataclass
class Lists:
    """Lists of texts with a number for each text.

    Attributes:
        length: (rows,) lengths of the lists.
        values: (elements,) codes of the texts, list by list.
        numbers: (elements,) counts or times of the texts.
    """

    length: np.ndarray
    values: np.ndarray
    numbers: np.ndarray

    @classmethod
    def concat(cls, pieces: "list[Lists]") -> "Lists":
        """Concatenates the rows of some pieces."""
        empty = np.zeros(0, np.int64)
        parts = pieces or [cls(empty, empty, empty)]
        return cls(
            *(np.concatenate([getattr(piece, name) for piece in parts]) for name in ("length", "values", "numbers"))
        )


def first_of_each(owner: np.ndarray, columns: tuple[np.ndarray, np.ndarray], rows: int, limit: int) -> Lists:
    """Takes the first ``limit`` elements of each row.

    Args:
        owner: (n,) number of the row of each element, sorted.
        columns: (n,) codes of the texts, and (n,) their numbers.
        rows: number of rows.
        limit: longest list of a row.
    """
    length = np.bincount(owner, minlength=rows)
    rank = np.arange(len(owner)) - (np.cumsum(length) - length)[owner]
    mask = rank < limit
    return Lists(np.minimum(length, limit), columns[0][mask], columns[1][mask])
