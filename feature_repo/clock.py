"""The current time: read once per command or request, and passed down.

``REFRAIN_NOW`` overrides it, for simulated or historical data sets. Without it, the system clock is used.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from feature_repo.days import days_in
from feature_repo.environment import changed_environment
from feature_repo.errors import InputError
from feature_repo.home import Home

NOW = "REFRAIN_NOW"
"""Name of the environment variable that stops the clock."""

QUIET = timedelta(days=2)
"""Age of the newest events from which data counts as historical or simulated, not as live."""

BEGINNING = datetime(1970, 1, 2, tzinfo=UTC)
"""The earliest moment of feature values."""

LAST = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
"""The latest representable moment."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def now() -> datetime:
    """Returns the current time in UTC.

    Raises:
        InputError: ``REFRAIN_NOW`` is not a time, or is before ``BEGINNING`` or in the future.
    """
    wall = datetime.now(UTC)
    text = os.environ.get(NOW)
    if not text:
        return wall
    remedy = f"export {NOW}=2026-03-02T00:00:00, or: unset {NOW}"
    moment = not_before_beginning(parse_time(text, next_command=remedy), NOW, next_command=remedy)
    if moment > wall:
        raise InputError(
            expected=f"{NOW} not to be in the future",
            found=f"{moment.isoformat()}, while it is {wall.isoformat(timespec='seconds')}",
            next_command=f"unset {NOW}",
        )
    return moment


def has_come(moment: datetime) -> bool:
    """Whether a moment is past by the system clock, regardless of ``REFRAIN_NOW``."""
    return moment <= datetime.now(UTC)


def end_of_data(home: Home) -> datetime | None:
    """Returns the midnight after the newest day of windowed events, else of any raw table; None without data."""
    from feature_repo.contract import contract_of

    days = [day for kind in contract_of(home).events for day in _newest_days(home, kind)] or _newest_days(home, "*")
    return datetime.fromisoformat(max(days)).replace(tzinfo=UTC) + timedelta(days=1) if days else None


def _newest_days(home: Home, table: str) -> list[str]:
    """Returns the newest day with a file, for each matching raw table; day folders may be empty."""
    newest = []
    for folder in home.root.glob(f"raw/{table}/tenant={home.tenant}"):
        days = reversed(days_in(folder).items())
        newest.append(next((day for day, path in days if any(Path(path).glob("*.parquet"))), None))
    return [day for day in newest if day is not None]


def hint(home: Home) -> str:
    """Returns advice if the newest events are old; empty if they are recent, or if the clock is stopped."""
    end = end_of_data(home)
    if end is None or os.environ.get(NOW) or datetime.now(UTC) - end < QUIET:
        return ""
    return (
        f"The newest events are of {end - timedelta(days=1):%Y-%m-%d}: as of now, they have left most windows. "
        f"To work as of then: export {NOW}={end:%Y-%m-%dT%H:%M:%S}"
    )


def seconds() -> float:
    """Returns the current time in seconds since 1970 UTC; a fast path for frequent calls."""
    return now().timestamp() if os.environ.get(NOW) else time.time()


@contextmanager
def stopped(moment: datetime | None) -> Iterator[None]:
    """Stops the clock at a moment inside the context, also for child processes; None changes nothing."""
    with changed_environment({} if moment is None else {NOW: moment.isoformat()}):
        yield


def parse_time(text: str, *, next_command: str = "refrain materialize 2026-03-02T00:00:00") -> datetime:
    """Parses an ISO 8601 time between the years 1 and 9999 to UTC; a time without a zone is UTC.

    Args:
        text: time such as ``2026-03-02T00:00:00``.
        next_command: next command of the error.

    Raises:
        InputError: the text is not such a time.

    >>> parse_time("2026-03-02T01:00:00+01:00")
    datetime.datetime(2026, 3, 2, 0, 0, tzinfo=datetime.timezone.utc)
    """
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InputError(
            expected="a time such as 2026-03-02T00:00:00, between the years 1 and 9999 in UTC",
            found=repr(text),
            next_command=next_command,
        ) from error


def not_before_beginning(moment: datetime, what: str, *, next_command: str) -> datetime:
    """Returns a moment, checked to be at or after ``BEGINNING``.

    Args:
        moment: moment in UTC.
        what: description of the moment, for the error.
        next_command: next command of the error.

    Raises:
        InputError: the moment is before ``BEGINNING``.
    """
    if moment < BEGINNING:
        raise InputError(
            expected=f"{what} to be at or after {BEGINNING.isoformat()}",
            found=moment.isoformat(),
            next_command=next_command,
        )
    return moment


def microseconds(moment: datetime) -> int:
    """Converts a datetime to microseconds since 1970; a naive datetime is UTC.

    >>> microseconds(datetime(1970, 1, 1, 0, 0, 1))
    1000000
    """
    zoned = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return (zoned - _EPOCH) // timedelta(microseconds=1)
