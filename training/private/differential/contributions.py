"""How much one person adds to a sum: at most a number of items, and at most a value for each.

What is left of a person depends on the person's own rows alone, so the sums with and without a person differ by exactly
what is left of them: at most ``Bounds.l2`` in L2 norm. It would not if others decided what is kept of a person, such as
by what is popular.
"""

import math
from dataclasses import dataclass

import numpy as np

from feature_repo.errors import InputError

_MOST = 2**31


@dataclass(frozen=True)
class Bounds:
    """What one person adds at most.

    Attributes:
        items: L0, how many items, such as tracks of a day.
        value: L∞, how much to each, a whole number such as plays.

    Raises:
        InputError: one of them is not a whole number from 1 to 2^31.

    >>> Bounds(4, 3).squared_l2, Bounds(4, 3).l2, Bounds(4, 3).l1
    (36, 6.0, 12)
    """

    items: int
    value: int = 1

    def __post_init__(self) -> None:
        for name, number in (("items", self.items), ("value", self.value)):
            if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= _MOST:
                raise InputError(
                    expected=f"{name} a person as a whole number from 1 to 2^31",
                    found=repr(number),
                    next_command="correct the bounds of what a person adds",
                )

    @property
    def squared_l2(self) -> int:
        """The square of the largest L2 norm of a person's row, a whole number: items · value²."""
        return self.items * self.value**2

    @property
    def l2(self) -> float:
        """The largest L2 norm of a person's row, rounded up."""
        root = math.sqrt(self.squared_l2)
        return root if math.isqrt(self.squared_l2) ** 2 == self.squared_l2 else math.nextafter(root, math.inf)

    @property
    def l1(self) -> int:
        """The largest L1 norm of a person's row."""
        return self.items * self.value


def limit(
    person: np.ndarray, item: np.ndarray, value: np.ndarray, bounds: Bounds, tie: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Bounds what each person adds: the items with the largest values are kept, and large values are cut.

    Args:
        person: (n,) person of each row.
        item: (n,) item of each row; a person has an item once.
        value: (n,) int64 above 0.
        bounds: what is kept.
        tie: (n,) number of each row's item that decides between equal values, the same whoever else is in the data; by
            default the item's own, mixed, which is right if items are numbered by a public catalogue.

    Returns:
        (m,) places of the rows that are kept, in ascending order, and (m,) int64 their values, 1 to ``bounds.value``.

    Raises:
        InputError: a person has an item twice, or a value is below 1.

    >>> place, kept = limit(np.array([7, 7, 7, 8]), np.array([0, 1, 2, 0]), np.array([5, 1, 3, 1]), Bounds(2, 4))
    >>> place.tolist(), kept.tolist()
    ([0, 2, 3], [4, 3, 1])
    """
    if np.any(value < 1):
        raise _invalid("values of 1 or more", f"{value.min()}")
    by_pair = np.lexsort((item, person))
    if np.any((np.diff(person[by_pair]) == 0) & (np.diff(item[by_pair]) == 0)):
        raise _invalid("one row for each person and item", "two")
    order = np.lexsort((_mixed(item) if tie is None else tie, -value, person))
    starts = np.flatnonzero(np.r_[True, np.diff(person[order]) != 0]) if len(order) else np.zeros(0, np.int64)
    rank = np.arange(len(order)) - np.repeat(starts, np.diff(np.r_[starts, len(order)]))
    place = np.sort(order[rank < bounds.items])
    return place, np.minimum(value[place], bounds.value).astype(np.int64)


def _mixed(item: np.ndarray) -> np.ndarray:
    """Numbers in another order (the finalizer of SplitMix64), so that ties do not favour the first of a catalogue."""
    mixed = item.astype(np.uint64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))


def _invalid(expected: str, found: str) -> InputError:
    return InputError(expected=expected, found=found, next_command="count the rows of a person and an item first")
