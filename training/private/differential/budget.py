"""A budget of privacy: what all releases of one purpose may cost together, for ever or within a month."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from feature_repo.errors import InputError
from training.private.differential import zcdp
from training.private.differential.guarantee import check

LIFETIME, MONTH = "lifetime", "month"
PERIODS = (LIFETIME, MONTH)
"""How long a budget lasts: for ever, or until the end of the month, in UTC. A person's loss over months adds up."""
ALL = "all"
"""Instead of a purpose: the budget of all purposes together."""


@dataclass(frozen=True)
class Cost:
    """What was spent, or may be: exact sums.

    Attributes:
        rho: ρ.
        failure: δ of thresholds, which no ρ covers.
    """

    rho: Fraction = Fraction(0)
    failure: Fraction = Fraction(0)

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.rho + other.rho, self.failure + other.failure)

    def fits(self, most: "Cost") -> bool:
        """Whether neither part is more than another's."""
        return self.rho <= most.rho and self.failure <= most.failure


@dataclass(frozen=True)
class Budget:
    """What one purpose may cost.

    Attributes:
        purpose: a word of ``feature_repo.purposes`` or of the project; ``all`` for the sum of all.
        period: ``lifetime`` or ``month``.
        epsilon: ε that all releases of the period guarantee together.
        delta: δ, likewise: one half for the conversion of ρ, the other for thresholds.
        people: number of people that δ was compared with, at least as many as there are; 0 for none.

    Raises:
        InputError: ε or δ is no number that privacy can be had with, δ is 1/people or more, or the period is unknown.

    >>> budget = Budget("analytics", "month", 1.0, 1e-6)
    >>> round(float(budget.most.rho), 4), float(budget.most.failure)
    (0.0229, 5e-07)
    """

    purpose: str
    period: str
    epsilon: float
    delta: float
    people: int = 0

    def __post_init__(self) -> None:
        check(self.epsilon, self.delta, self.people or None)
        if self.period not in PERIODS:
            raise InputError(
                expected=f"a period, {' or '.join(PERIODS)}",
                found=repr(self.period),
                next_command="refrain privacy budget set --help",
            )

    @property
    def most(self) -> Cost:
        """What all releases of a period may cost."""
        return Cost(Fraction(zcdp.rho(self.epsilon, self.delta / 2)), Fraction(self.delta / 2))

    def spent(self, spends: Iterable[Mapping[str, Any]], month: str) -> Cost:
        """Sums the spends that count against it.

        Args:
            spends: lines of the ledger.
            month: the present month, such as ``2026-11``.
        """
        total = Cost()
        for spend in spends:
            is_purpose = self.purpose in (ALL, spend["purpose"])
            if is_purpose and (self.period == LIFETIME or spend["month"] == month):
                total += cost_of(spend)
        return total

    def epsilon_of(self, spent: Cost) -> float:
        """ε that a cost guarantees, with half of the budget's δ."""
        return zcdp.epsilon(float(spent.rho), self.delta / 2)


def cost_of(spend: Mapping[str, Any]) -> Cost:
    """The cost of a line of the ledger."""
    return Cost(Fraction(spend["rho"]), Fraction(spend["failure"]))
