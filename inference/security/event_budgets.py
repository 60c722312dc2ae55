"""Budgets of events that come over HTTP within a day: of a key, and of the account that events are of.

They are counted as requests are (``inference.security.limits``): exactly across all processes, and by each process
alone while Redis does not answer. What was sent counts, also what is sent again.
"""

import hashlib
from collections.abc import Mapping

from inference.security.caller import Caller, Limits
from inference.security.limits import Limiter, Take

_MOST = 1_000_000_000
"""Rate and burst of a budget that has only a quota of a day."""


class OverBudget(Exception):
    """A request has more events than are left of its key's budget.

    Attributes:
        wait_s: seconds until the budget begins anew.
    """

    def __init__(self, message: str, wait_s: float) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class EventBudgets:
    """Counts events of keys and accounts. Safe to share between threads.

    Args:
        limiter: the limiter of the server.
    """

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter

    def take_of_key(self, caller: Caller, count: int) -> None:
        """Counts the events of a request.

        Raises:
            OverBudget: the key has a budget, and less of it is left; nothing is counted.
        """
        per_day = caller.limits.events_per_day if caller.limits is not None else None
        if per_day is None or not count:
            return
        (verdict,) = self._limiter.take_all([_take(f"events:{caller.id}", count, per_day)])
        if not verdict.allowed:
            raise OverBudget(f"{count:,} events: the budget of this key, {per_day:,} a day, is used up", verdict.wait)

    def refused_accounts(self, kind: str, counts: Mapping[str, int], per_day: int) -> dict[str, float]:
        """Counts the events of accounts.

        Args:
            kind: the kind of events.
            counts: account → number of its events in a request.
            per_day: events of an account within a day (UTC).

        Returns:
            Account without that many left → seconds until its budget begins anew.
        """
        takes = [_take(f"events:{kind}:{_digest(account)}", count, per_day) for account, count in counts.items()]
        verdicts = self._limiter.take_all(takes) if takes else []
        return {account: verdict.wait for account, verdict in zip(counts, verdicts, strict=True) if not verdict.allowed}


def _take(name: str, count: int, per_day: int) -> Take:
    return Take(Caller(name, name, "", frozenset(), Limits(_MOST, _MOST, per_day)), count)


def _digest(account: str) -> str:
    """A name for an account in Redis, where the budget is forgotten after two days."""
    return hashlib.blake2b(account.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
