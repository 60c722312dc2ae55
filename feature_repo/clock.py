"""What time it is: decided once for a command or a request, and passed down.

``REFRAIN_NOW`` sets it, for worlds that are over: a simulated one, an old data set. Without it the clock of the machine
counts.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from feature_repo.days import days_in
from feature_repo.errors import InputError
from feature_repo.home import Home

NOW = "REFRAIN_NOW"
"""Name of the variable that stops the clock."""

QUIET = timedelta(days=2)
"""Events older than this are no news: a data set or a simulated world, not a service that runs."""

BEGINNING = datetime(1970, 1, 2, tzinfo=UTC)
"""The first moment of which there are values."""

LAST = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
"""The last moment that there is."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def now() -> datetime:
    """The moment at which a command runs, UTC.

    Raises:
        InputError: ``REFRAIN_NOW`` is no time, one before ``BEGINNING``, or one that has not come yet.
    """
    wall = datetime.now(UTC)
    text = os.environ.get(NOW)
    if not text:
        return wall
    advice = f"export {NOW}=2026-03-02T00:00:00, or: unset {NOW}"
    moment = not_before_beginning(parse_time(text, next_command=advice), NOW, next_command=advice)
    if moment > wall:
        raise InputError(
            expected=f"{NOW} to be a moment that has come",
            found=f"{moment.isoformat()}, while it is {wall.isoformat(timespec='seconds')}",
            next_command=f"unset {NOW}",
        )
    return moment


def has_come(moment: datetime) -> bool:
    """Whether a moment is over by the clock of the machine, wherever ``now`` was stopped."""
    return moment <= datetime.now(UTC)


def end_of_data(home: Home) -> datetime | None:
    """The midnight after the newest day of which there are events of which windows are made; of anything else where
    there are none, and None without any.
    """
    from feature_repo.windows import EVENTS

    days = [day for kind in EVENTS for day in _days(home, kind)] or _days(home, "*")
    return datetime.fromisoformat(max(days)).replace(tzinfo=UTC) + timedelta(days=1) if days else None


def _days(home: Home, table: str) -> list[str]:
    """The newest day of each table of a name that has a file: a folder may be left empty."""
    newest = []
    for folder in home.root.glob(f"raw/{table}/tenant={home.tenant}"):
        days = reversed(days_in(folder).items())
        newest.append(next((day for day, path in days if any(Path(path).glob("*.parquet"))), None))
    return [day for day in newest if day is not None]


def hint(home: Home) -> str:
    """What to do where the newest events are not of these days; empty where they are, or the clock is stopped."""
    end = end_of_data(home)
    if end is None or os.environ.get(NOW) or datetime.now(UTC) - end < QUIET:
        return ""
    return (
        f"The newest events are of {end - timedelta(days=1):%Y-%m-%d}: by now they have left most windows. "
        f"To work as of then: export {NOW}={end:%Y-%m-%dT%H:%M:%S}"
    )


def seconds() -> float:
    """Now, as seconds since 1970 UTC: for what is asked many times a second."""
    return now().timestamp() if os.environ.get(NOW) else time.time()


@contextmanager
def stopped(moment: datetime | None) -> Iterator[None]:
    """While this holds, now is a moment, in this process and in those that it starts; None leaves it as it is."""
    before = os.environ.get(NOW)
    if moment is not None:
        os.environ[NOW] = moment.isoformat()
    try:
        yield
    finally:
        if moment is not None:
            os.environ.pop(NOW)
            if before is not None:
                os.environ[NOW] = before


def parse_time(text: str, *, next_command: str = "python -m feature_repo materialize 2026-03-02T00:00:00") -> datetime:
    """An ISO 8601 time between the years 1 and 9999 in UTC; without a zone it is UTC.

    Args:
        text: such as ``2026-03-02T00:00:00``.
        next_command: for the error.

    Raises:
        InputError: it is not one.

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
    """The moment.

    Args:
        moment: in UTC.
        what: it is, for the error.
        next_command: for the error.

    Raises:
        InputError: it is before there were values.
    """
    if moment < BEGINNING:
        raise InputError(
            expected=f"{what} to be at or after {BEGINNING.isoformat()}",
            found=moment.isoformat(),
            next_command=next_command,
        )
    return moment


def microseconds(moment: datetime) -> int:
    """Whole microseconds since 1970; a time without a zone is UTC.

    >>> microseconds(datetime(1970, 1, 1, 0, 0, 1))
    1000000
    """
    zoned = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return (zoned - _EPOCH) // timedelta(microseconds=1)
