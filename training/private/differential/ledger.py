"""The ledger of privacy budgets: what may be spent, and what was, for each tenant and purpose.

A release is paid for before its noise is drawn, and is refused if the budget does not have it. Prices are ρ of ``zcdp``
(and the δ of thresholds): they add exactly, as fractions. A release with the id of an earlier one costs nothing: its
answer is kept, and returned as it was (``releases``). Files: ``ledger_lines``.
"""

import math
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

from feature_repo import clock
from feature_repo.access.viewer import user_name
from feature_repo.errors import InputError, RefrainError
from feature_repo.home import Home
from feature_repo.project import Project
from feature_repo.purposes import PURPOSES
from training.private.differential.budget import ALL, MONTH, Budget, Cost
from training.private.differential.ledger_lines import LedgerFile

Entry = dict[str, Any]


class BudgetSpent(RefrainError):
    """A release costs more than its budget has left; nothing was spent."""


@dataclass(frozen=True)
class Ledger:
    """The ledger of a data folder's tenant.

    Attributes:
        home: the data folder.
        file: its lines.

    >>> ledger = Ledger.open(Home.from_env())                                                       # doctest: +SKIP
    >>> ledger.set(Budget("analytics", "month", 1.0, 1e-6))                                         # doctest: +SKIP
    >>> ledger.spend("analytics", 0.001, "plays of countries, 2026-11-29")                          # doctest: +SKIP
    """

    home: Home
    file: LedgerFile

    @classmethod
    def open(cls, home: Home) -> "Ledger":
        """The ledger of a data folder; nothing is read yet."""
        return cls(home, LedgerFile.of(home))

    def set(self, budget: Budget) -> None:
        """Sets a budget from now on; what was spent stays spent.

        Raises:
            InputError: the purpose is none of the project.
            LedgerDamaged: see ``LedgerFile.read``.
        """
        words = (*sorted({*PURPOSES, *Project.load(self.home.project_folder).purposes}), ALL)
        if budget.purpose not in words:
            raise InputError(
                expected=f"a purpose: {', '.join(words)}",
                found=repr(budget.purpose),
                next_command="refrain privacy budget show",
            )
        with self.file.locked():
            entries = self.file.read()
            fields = {
                "kind": "budget",
                **{name: getattr(budget, name) for name in ("purpose", "period", "epsilon", "delta", "people")},
                "by": user_name(),
            }
            self.file.append(entries, {"at": _moment(entries).isoformat(), **fields})

    def spend(self, purpose: str, rho: float, what: str, *, request: str = "", failure: float = 0.0) -> None:
        """Spends from a budget, before the noise is drawn; of many at once none spends more than there is.

        Args:
            purpose: whose budget.
            rho: the cost, above 0.
            what: what will be published, in words.
            request: id of the release: a second call with it costs nothing. Empty for one that is not repeated: every
                call costs.
            failure: δ of a threshold.

        Raises:
            BudgetSpent: there is no budget, or it does not have so much; the error says what is left.
            InputError: ρ or δ is no cost, or the id was that of another release.
            LedgerDamaged: see ``LedgerFile.read``.
        """
        if not (0 < rho < math.inf and 0 <= failure < 1):
            raise InputError(
                expected="a cost ρ above 0, and a δ of at least 0",
                found=f"ρ = {rho:g}, δ = {failure:g}",
                next_command="refrain privacy budget show",
            )
        with self.file.locked():
            entries = self.file.read()
            fields = {"purpose": purpose, "rho": rho, "failure": failure, "what": what}
            earlier = spend_of(entries, request) if request else None
            if earlier is not None:
                self._check_same(earlier, fields)
                return
            at = _moment(entries)
            self._check_budgets(entries, fields, f"{at:%Y-%m}")
            identity = {"request": request or uuid.uuid4().hex, "month": f"{at:%Y-%m}", "by": user_name()}
            self.file.append(entries, {"at": at.isoformat(), "kind": "spend", **fields, **identity})

    def entries(self) -> list[Entry]:
        """Returns all lines, oldest first.

        Raises:
            LedgerDamaged: see ``LedgerFile.read``.
        """
        with self.file.locked():
            return self.file.read()

    def month(self, entries: list[Entry]) -> str:
        """The month that counts now, such as ``2026-11``."""
        return f"{_moment(entries):%Y-%m}"

    def _check_same(self, earlier: Entry, fields: Entry) -> None:
        """Checks that a repeated id is that of the same release."""
        different = [name for name, value in fields.items() if earlier[name] != value]
        if different:
            raise InputError(
                expected=f"the release {earlier['request']} as it was paid for: {earlier['what']}",
                found="another " + ", ".join(f"{name} ({fields[name]})" for name in different),
                next_command="give another release an id of its own",
            )

    def _check_budgets(self, entries: list[Entry], fields: Entry, month: str) -> None:
        """Checks that every budget of a purpose has what is asked."""
        purpose, price = fields["purpose"], Cost(Fraction(fields["rho"]), Fraction(fields["failure"]))
        budgets = budgets_of(entries)
        if not any(budget.purpose == purpose for budget in budgets):
            raise BudgetSpent(
                expected=f"a privacy budget for {purpose}",
                found="none, so that nothing is published",
                next_command=f"refrain privacy budget set {purpose} --epsilon 1 --delta 1e-6",
            )
        spends = [entry for entry in entries if entry["kind"] == "spend"]
        for budget in budgets:
            if budget.purpose not in (ALL, purpose):
                continue
            spent, most = budget.spent(spends, month), budget.most
            if not (spent + price).fits(most):
                raise _spent(budget, spent, price, month)


def budgets_of(entries: list[Entry]) -> list[Budget]:
    """Returns the budgets that hold: of each purpose and period the newest."""
    names = ("purpose", "period", "epsilon", "delta", "people")
    newest = {(e["purpose"], e["period"]): e for e in entries if e["kind"] == "budget"}
    return [Budget(**{name: entry[name] for name in names}) for _, entry in sorted(newest.items())]


def people_of(entries: list[Entry], purpose: str) -> int | None:
    """Returns the number of people that δ of a purpose is compared with: the largest that its budgets name, and those
    of all purposes; None if they name none."""
    named = [budget.people for budget in budgets_of(entries) if budget.purpose in (ALL, purpose) and budget.people]
    return max(named, default=None)


def spend_of(entries: list[Entry], request: str) -> Entry | None:
    """Returns the line that paid for a release; None if none did."""
    return next((e for e in entries if e["kind"] == "spend" and e["request"] == request), None)


def _spent(budget: Budget, spent: Cost, price: Cost, month: str) -> BudgetSpent:
    left = Cost(max(budget.most.rho - spent.rho, Fraction(0)), max(budget.most.failure - spent.failure, Fraction(0)))
    until = f"of {month}" if budget.period == MONTH else "for ever"
    return BudgetSpent(
        expected=f"a release of at most what is left of the budget of {budget.purpose} {until}: "
        f"ρ = {float(left.rho):.4g} and δ = {float(left.failure):.2g} for thresholds "
        f"(ε {budget.epsilon_of(spent):.3g} of {budget.epsilon:g} is spent)",
        found=f"one of ρ = {float(price.rho):.4g} and δ = {float(price.failure):.2g}",
        next_command="refrain privacy budget show",
    )


def _moment(entries: list[Entry]) -> datetime:
    """Now, or the time of the newest line if the clock was put back since: no month comes again."""
    now = clock.now().astimezone(UTC)
    return max(now, datetime.fromisoformat(entries[-1]["at"])) if entries else now
