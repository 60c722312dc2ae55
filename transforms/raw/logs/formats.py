"""A line of a log taken apart: syslog (which sshd writes into too) and Apache's error log.

Syslog tells no year: that of the file's newest line is given by whoever reads it, and a line whose month is later than
the one after it belongs to the year before.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

_SYSLOG = re.compile(
    r"(?P<time>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) (?P<host>\S+) "
    r"(?P<program>[^\s\[:]+?)(?:\[(?P<pid>\d+)\])?: (?P<message>.*)"
)
_LINUX = re.compile(r"(?P<time>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) (?P<host>\S+) (?P<message>.*)")
_APACHE = re.compile(
    r"\[(?P<time>[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d \d{4})\] \[(?P<level>\w+)\] (?P<message>.*)"
)
_FAILED = re.compile(r"Failed \S+ for (?:invalid user )?(?P<user>.*?) from (?P<ip>\S+) port (?P<port>\d+)")
_ACCEPTED = re.compile(r"Accepted \S+ for (?P<user>\S+) from (?P<ip>\S+) port (?P<port>\d+)")
_REPEATED = re.compile(r"message repeated (?P<times>\d+) times: \[ ?(?P<message>.*?)\]$")
MOST_REPEATED = 10_000


@dataclass(frozen=True)
class Line:
    """One line.

    Attributes:
        at: when, UTC (logs tell no zone).
        host: where; None if the format does not tell.
        program: who wrote it.
        pid: of the process; None if not told.
        level: None if not told.
        message: the rest.
    """

    at: datetime
    host: str | None
    program: str
    pid: str | None
    level: str | None
    message: str


@dataclass(frozen=True)
class Attempt:
    """An attempt to log in, as sshd told it.

    Attributes:
        user: whose account.
        client_ip: from where.
        port: of the client.
        success: whether it was let in.
        times: how often.
    """

    user: str
    client_ip: str
    port: str
    success: bool
    times: int


def parse(text: str, year: int) -> Line | None:
    """A line, or None if it is of neither format. ``year`` counts where the line tells none."""
    if found := _APACHE.fullmatch(text):
        at = _time(found["time"], "%a %b %d %H:%M:%S %Y")
        return None if at is None else Line(at, None, "apache", None, found["level"], found["message"])
    if found := _SYSLOG.fullmatch(text):
        at = _time(f"{year} {found['time']}", "%Y %b %d %H:%M:%S")
        return None if at is None else Line(at, found["host"], found["program"], found["pid"], None, found["message"])
    if found := _LINUX.fullmatch(text):
        at = _time(f"{year} {found['time']}", "%Y %b %d %H:%M:%S")
        return None if at is None else Line(at, found["host"], "syslog", None, None, found["message"])
    return None


def years(months: Sequence[int], newest: int) -> list[int]:
    """Year of each line from the months of all of them, oldest first, and the newest line's year.

    >>> years([11, 12, 1], 2026)
    [2025, 2025, 2026]
    """
    found, year = [], newest
    for place in range(len(months) - 1, -1, -1):
        if place + 1 < len(months) and months[place] > months[place + 1]:
            year -= 1
        found.append(year)
    return found[::-1]


def attempt(line: Line) -> Attempt | None:
    """The attempt to log in that a line of sshd tells of, if it does."""
    if line.program != "sshd":
        return None
    times, message = 1, line.message
    if repeated := _REPEATED.match(message):
        times, message = min(int(repeated["times"]), MOST_REPEATED), repeated["message"]
    for pattern, success in ((_FAILED, False), (_ACCEPTED, True)):
        if found := pattern.match(message):
            return Attempt(found["user"], found["ip"], found["port"], success, times)
    return None


def _time(text: str, shape: str) -> datetime | None:
    try:
        return datetime.strptime(text, shape).replace(tzinfo=UTC)
    except ValueError:
        return None
