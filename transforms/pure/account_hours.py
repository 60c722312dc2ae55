"""What each account did in each hour, and whether one event more is plausible; see ``feature_repo.plausibility``.

Hours are those of the events' own times, so that the decision does not depend on when a reader was started: what it
remembers of the last hours is read again from the accepted events. An event that is refused here is kept with its
reason, like every other refused one.
"""

from collections.abc import Sequence
from typing import Any

from feature_repo.plausibility import AccountLimits
from feature_repo.windows import EventSource

HOUR_MS, HOUR_US = 3_600_000, 3_600_000_000


class _Hour:
    """One account within one hour: events, milliseconds, devices."""

    __slots__ = ("devices", "events", "ms")

    def __init__(self) -> None:
        self.events, self.ms = 0, 0
        self.devices: set[Any] = set()


class AccountHours:
    """The hours of the accounts of one kind of events.

    Args:
        source: the kind of events; the first column of its key is the account.
        limits: what is plausible.

    Raises:
        InputError: a column of the limits is not one of the events.
    """

    def __init__(self, source: EventSource, limits: AccountLimits) -> None:
        limits.check(source)
        names = list(source.columns)
        self._limits, self._account, self._place = limits, names.index(source.key[0]), source.key[0]
        self._duration = names.index(limits.duration) if limits.duration else -1
        self._device = names.index(limits.device) if limits.device else -1
        self._most_ms = round(limits.at_once * HOUR_MS)
        self._hours: dict[int, dict[Any, _Hour]] = {}

    def refusal(self, time: int, values: Sequence[Any]) -> str:
        """Returns why an event is not plausible after those that were added; empty if it is.

        Args:
            time: microseconds since 1970.
            values: values of the columns of the source.
        """
        hour = self._hours.get(time // HOUR_US, {}).get(values[self._account])
        if hour is None:
            return ""
        limits, account = self._limits, self._place
        if hour.events >= limits.events:
            return f"implausible: more than {limits.events:,} events of one {account} within an hour"
        if hour.ms + self._ms(values) > self._most_ms:
            return f"implausible: more than {limits.at_once:g} hours of one {account} within an hour"
        device = values[self._device] if self._device >= 0 else None
        if device is not None and device not in hour.devices and len(hour.devices) >= limits.devices:
            return f"implausible: more than {limits.devices:,} devices of one {account} within an hour"
        return ""

    def add(self, time: int, values: Sequence[Any]) -> None:
        """Counts an event that was accepted."""
        accounts = self._hours.setdefault(time // HOUR_US, {})
        account = values[self._account]
        hour = accounts.get(account)
        if hour is None:
            hour = accounts[account] = _Hour()
        hour.events += 1
        hour.ms += self._ms(values)
        if self._device >= 0 and values[self._device] is not None:
            hour.devices.add(values[self._device])

    def forget(self, before: int) -> None:
        """Forgets the hours that ended before a moment, in microseconds since 1970."""
        for old in [number for number in self._hours if (number + 1) * HOUR_US < before]:
            del self._hours[old]

    def _ms(self, values: Sequence[Any]) -> int:
        return max(0, min(values[self._duration] or 0, HOUR_MS)) if self._duration >= 0 else 0
