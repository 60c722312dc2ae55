"""The two numbers of a guarantee, and what they may be."""

import math

from feature_repo.errors import InputError

LARGEST_EPSILON = 1_000.0
"""Above it, a guarantee says nothing that arithmetic could hold."""


def check(epsilon: float, delta: float, people: int | None = None) -> None:
    """Checks ε and δ.

    Args:
        epsilon: ε, above 0 and at most 1,000; above 10 or so it promises little, and nothing of it is refused.
        delta: δ, above 0 and below 1: the chance that ε does not hold.
        people: number of people that δ is compared with; None where it is not known.

    Raises:
        InputError: ε or δ is no such number, or δ is 1/people or more: a release of one person's rows in whole would
            pass.

    >>> check(1.0, 1e-6, people=10_000)
    """
    if not 0 < epsilon <= LARGEST_EPSILON:  # also if it is not a number
        raise InputError(
            expected="an ε above 0 and at most 1,000",
            found=f"{epsilon:g}",
            next_command="refrain privacy budget show",
        )
    check_delta(delta, people)


def check_delta(delta: float, people: int | None = None) -> None:
    """Checks δ; see ``check``."""
    most = 1.0 if people is None else 1 / max(people, 1)
    if not 0 < delta < most:
        what = "1" if people is None else f"1/{people:,}, one by the number of people"
        raise InputError(
            expected=f"a δ above 0 and below {what}",
            found=f"{delta:g}",
            next_command="refrain privacy budget show",
        )


def check_sensitivity(sensitivity: float) -> None:
    """Checks how much one person can change a sum.

    Raises:
        InputError: it is not above 0, or infinite.
    """
    if not 0 < sensitivity < math.inf:
        raise InputError(
            expected="a bound above 0 of what one person adds to a sum",
            found=f"{sensitivity:g}",
            next_command="refrain privacy show",
        )
