"""Makes a failing sequence of events small: greedy, in parts of halving size."""

import time
from collections.abc import Callable, Sequence

from refrain.checking.difference import Difference
from refrain.checking.generate import Arrival

SECONDS = 15.0
"""Wall time after which the smallest sequence so far is taken."""


def shrink(
    events: Sequence[Arrival],
    check: Callable[[Sequence[Arrival]], Difference | None],
    *,
    seconds: float = SECONDS,
) -> tuple[list[Arrival], Difference | None]:
    """Leaves out events as long as the check still fails.

    Args:
        events: a failing sequence.
        check: returns the difference for a sequence, None if it passes.
        seconds: wall time after which the smallest sequence so far is returned.

    Returns:
        A failing subsequence from which, time permitting, no single event can be left out; and its difference. The
        difference is None if the check does not fail on the whole sequence.
    """
    ends = time.monotonic() + seconds
    smallest, difference = list(events), check(events)
    if difference is None:
        return smallest, None
    size = len(smallest) // 2
    while size >= 1:
        place, has_shrunk = 0, False
        while place < len(smallest):
            if time.monotonic() > ends:
                return smallest, difference
            candidate = smallest[:place] + smallest[place + size :]
            found = check(candidate) if candidate else None
            if found is None:
                place += size
            else:
                smallest, difference, has_shrunk = candidate, found, True
        if size > 1 or not has_shrunk:
            size //= 2
    return smallest, difference
