"""Lists of different length, one a row."""

from dataclasses import dataclass

import numpy as np


@dataclass
class Lists:
    """Attributes:
    length: (rows,).
    values: all elements one after the other, codes of texts.
    beside: a number to each.
    """

    length: np.ndarray
    values: np.ndarray
    beside: np.ndarray

    @classmethod
    def concat(cls, pieces: "list[Lists]") -> "Lists":
        """Rows one after the other."""
        nothing = np.zeros(0, np.int64)
        parts = pieces or [cls(nothing, nothing, nothing)]
        return cls(
            *(np.concatenate([getattr(piece, name) for piece in parts]) for name in ("length", "values", "beside"))
        )


def first_of_each(owner: np.ndarray, columns: tuple[np.ndarray, np.ndarray], rows: int, most: int) -> Lists:
    """The first so many elements of each row.

    Args:
        owner: (n,) number of the row, sorted.
        columns: (n,) values, and what stands beside them.
        rows: how many.
        most: elements of one row.
    """
    length = np.bincount(owner, minlength=rows)
    rank = np.arange(len(owner)) - (np.cumsum(length) - length)[owner]
    kept = rank < most
    return Lists(np.minimum(length, most), columns[0][kept], columns[1][kept])
