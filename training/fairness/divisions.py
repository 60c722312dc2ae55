"""Groups of a division, and of crossed divisions."""

from collections.abc import Iterable, Mapping
from itertools import combinations

import numpy as np

from training.fairness.figure import TIMES

MOST_GROUPS = 60
"""Most groups of a division; the largest ones count, and the others are too small to tell."""


def crossed(
    divisions: Mapping[str, np.ndarray], pairs: Iterable[tuple[str, ...]] | None = None
) -> dict[str, np.ndarray]:
    """Crosses divisions (K. Crenshaw's intersections): a group for each combination of groups; empty where unknown.

    Args:
        divisions: division → (n,) group of each unit; empty for unknown.
        pairs: names of the divisions to cross; all pairs if None. Those that are not there are left out.

    >>> crossed({"plan": np.array(["free", ""]), "age": np.array(["18–24", "25–34"])})
    {'plan × age': array(['free × 18–24', ''], dtype='<U12')}
    """
    chosen = list(combinations(divisions, 2)) if pairs is None else [tuple(pair) for pair in pairs]
    result = {}
    for names in chosen:
        if set(names) <= set(divisions):
            columns = [divisions[name].tolist() for name in names]
            groups = [TIMES.join(each) if all(each) else "" for each in zip(*columns, strict=True)]
            result[TIMES.join(names)] = np.array(groups, np.str_)
    return result


def membership(groups: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Returns the names of the groups, the largest ``MOST_GROUPS``, and (n, g) whether a unit belongs to each."""
    names, counts = np.unique(groups[groups != ""], return_counts=True)
    kept = np.sort(names[np.argsort(-counts, kind="stable")][:MOST_GROUPS])
    return kept.tolist(), groups[:, None] == kept[None, :]
