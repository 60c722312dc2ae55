"""The fewest reasons without which a candidate would not come first.

Counterfactual explanations in the sense of S. Wachter, B. Mittelstadt and C. Russell, 2017; for recommenders, by what
the listener did, as in A. Ghazimatin et al., PRINCE: Provider-side Interpretability with Counterfactual Explanations in
Recommender Systems, 2020. Where a score is a sum over reasons, the smallest set is exact: against one rival it is found
by removing first what favours the candidate most, and the smallest over all rivals is the smallest there is. Where it
is not, the model is asked again without some of the reasons, a bounded number of times.
"""

from collections.abc import Callable, Sequence

import numpy as np

GROWTH = 1.6
"""Factor by which a set grows that was too small."""


def smallest_removal(parts: np.ndarray, rest: np.ndarray, first: int) -> tuple[np.ndarray, int] | None:
    """Finds the fewest reasons without which a candidate does not come first, and the candidate that then does.

    Args:
        parts: (n, m) contribution of each reason to the score of each candidate.
        rest: (n,) what else each score is the sum of.
        first: the candidate that comes first; of equal scores the one with the lower number does.

    Returns:
        Numbers of the reasons, ascending, and the candidate; None if it comes first without any of them.

    >>> smallest_removal(np.array([[2.0, 1.0], [0.0, 1.5]]), np.zeros(2), 0)
    (array([0]), 1)
    """
    if parts.shape[1] == 0 or len(parts) < 2:
        return None
    scores = rest + parts.sum(axis=1)
    favours = parts[first] - parts
    order = np.argsort(-favours, axis=1, kind="stable")
    leads = (scores[first] - scores)[:, None] - np.cumsum(np.take_along_axis(favours, order, axis=1), axis=1)
    numbers = np.arange(len(parts))
    loses = (leads < 0) | ((leads == 0) & (numbers < first)[:, None])
    loses[first] = False
    if not loses.any():
        return None
    fewest = np.where(loses.any(axis=1), loses.argmax(axis=1), parts.shape[1])
    count = int(fewest.min())
    rivals = np.flatnonzero(fewest == count)
    rival = int(rivals[leads[rivals, count].argmin()])
    removed = np.sort(order[rival, : count + 1])
    left = scores - parts[:, removed].sum(axis=1)
    return removed, int(np.argsort(-left, kind="stable")[0])


def search_removal(
    ask: Callable[[frozenset[int]], int | None], first: int, reasons: Sequence[int], most: int
) -> tuple[frozenset[int], int] | None:
    """Searches a small set of reasons without which something else comes first, by asking again at most so many times.

    Each of the likeliest reasons is left out alone; then ever more of them together; of a set that suffices, what is
    not needed is put back.

    Args:
        ask: function from reasons to leave out to what then comes first; None for nothing.
        first: what comes first now.
        reasons: reasons to leave out, the likeliest first.
        most: most times to ask.

    Returns:
        The reasons and what comes first without them; None if none was found.

    >>> search_removal(lambda without: 7 if {3, 4} <= without else 1, 1, [2, 3, 4], 9)
    (frozenset({3, 4}), 7)
    """
    calls = 0

    def answer(without: frozenset[int]) -> int | None:
        nonlocal calls
        calls += 1
        return ask(without)

    for reason in reasons[: max(most // 2, 1)]:
        instead = answer(frozenset([reason]))
        if instead is not None and instead != first:
            return frozenset([reason]), instead
    size, chosen, replacement = 2, frozenset[int](), None
    while calls < most and size <= len(reasons) and replacement is None:
        chosen = frozenset(reasons[:size])
        instead = answer(chosen)
        replacement = instead if instead is not None and instead != first else None
        size = len(reasons) if size < len(reasons) < size * GROWTH else int(np.ceil(size * GROWTH))
    if replacement is None:
        return None
    for reason in [each for each in reversed(reasons) if each in chosen]:
        if calls >= most or len(chosen) == 1:
            break
        instead = answer(chosen - {reason})
        if instead is not None and instead != first:
            chosen, replacement = chosen - {reason}, instead
    return chosen, replacement
