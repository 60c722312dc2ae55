"""What the events of one request may say of an account: the limits of ``feature_repo.plausibility``, and a budget.

The stream judges by the same rule what several requests say together.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from operator import attrgetter
from typing import Any

from feature_repo.events import Refused
from feature_repo.plausibility import AccountLimits
from feature_repo.windows import EventSource
from inference.security.event_budgets import EventBudgets
from transforms.pure.account_hours import AccountHours


class RequestRule:
    """Judges the events of one request in their order.

    Args:
        source: the kind of events.
        limits: what is plausible.
        budgets: counts the events of accounts; None to count none.

    Raises:
        InputError: a column of the limits is not one of the events.
    """

    def __init__(self, source: EventSource, limits: AccountLimits, budgets: EventBudgets | None) -> None:
        self._source, self._limits, self._budgets = source, limits, budgets
        self._hours = AccountHours(source, limits)
        self._key = attrgetter(*source.key)
        self._seen: set[tuple[int, Any]] = set()
        self._places: dict[str, list[int]] = defaultdict(list)

    def check(self, place: int, time: int, event: Any) -> None:
        """Judges an event, and counts it if it is plausible.

        Args:
            place: its index in the request.
            time: microseconds since 1970.
            event: an object with the columns of the source.

        Raises:
            Refused: with the events before it, it is more than an account can cause.
        """
        values, identity = [getattr(event, name) for name in self._source.columns], (time, self._key(event))
        if identity not in self._seen:  # an event that is sent twice counts once
            reason = self._hours.refusal(time, values)
            if reason:
                raise Refused(reason)
            self._hours.add(time, values)
            self._seen.add(identity)
        self._places[str(getattr(event, self._source.key[0]))].append(place)

    def over_budget(self) -> Iterator[tuple[int, str]]:
        """Yields index and reason of the plausible events whose account has sent too many today."""
        if self._budgets is None:
            return
        counts = Counter({account: len(places) for account, places in self._places.items()})
        refused = self._budgets.refused_accounts(self._source.name, counts, self._limits.per_day)
        for account, wait_s in refused.items():
            name = self._source.key[0]
            reason = f"budget: more than {self._limits.per_day:,} events of one {name} today; again in {wait_s:.0f} s"
            yield from ((place, reason) for place in self._places[account])
