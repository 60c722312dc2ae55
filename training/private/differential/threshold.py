"""Counts by keys that are not known beforehand: a key is published only if its noisy number of people is large.

A key that one person alone has would tell of that person by being there. Its count is 1, so it is published only if the
noise is at least the threshold - 1; the chance that this happens to any of the few keys of a person is the part of δ
that is called failure. The rest costs what the noise costs. Korolova, Kenthapadi, Mishra and Ntoulas, Releasing Search
Queries and Clicks Privately, WWW 2009; with Gaussian noise as in Rogers, A Unifying Privacy Analysis Framework for
Unknown Domain Algorithms in Differential Privacy, 2023.
"""

import math

from scipy.special import log_ndtr

from training.private.differential.guarantee import check_delta, check_sensitivity


def threshold(sigma: float, failure: float, items: int) -> int:
    """Returns the least noisy number of people with which a key is published.

    The tail of discrete Gaussian noise is bounded by that of the continuous one: P(noise ≥ m) ≤ P(normal ≥ m - 1)
    (Canonne, Kamath and Steinke 2020, proposition 25).

    Args:
        sigma: σ of the discrete Gaussian noise of the number of people; a person counts once for a key.
        failure: the chance that may be spent.
        items: the most keys of one person.

    Raises:
        InputError: an argument is not above 0, or the chance is 1 or more.

    >>> threshold(10.0, 1e-7, 1), threshold(10.0, 1e-7, 20)
    (54, 60)
    """
    check_sensitivity(sigma)
    check_delta(failure)
    check_sensitivity(items)
    goal = math.log(failure / items)
    lower, upper = 0, 1
    while log_ndtr(-(upper - 1) / sigma) > goal:
        lower, upper = upper, 2 * upper
    while upper - lower > 1:
        middle = (lower + upper) // 2
        lower, upper = (middle, upper) if log_ndtr(-(middle - 1) / sigma) > goal else (lower, middle)
    return 1 + upper
