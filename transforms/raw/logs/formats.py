"""Parsers of log lines: syslog (with sshd's lines) and Apache's error log.

Syslog lines have no year. The caller passes the year of the newest line; a line whose month is later than that of the
next line belongs to the year before.
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
    """One parsed log line.

    Attributes:
        at: event time, taken as UTC (logs have no zone).
        host: name of the host; None if the format has none.
        program: name of the program that wrote the line.
        pid: process id; None if the line has none.
        level: severity; None if the line has none.
        message: rest of the line.
    """

    at: datetime
    host: str | None
    program: str
    pid: str | None
    level: str | None
    message: str


@dataclass(frozen=True)
class Attempt:
    """A login attempt that sshd logged.

    Attributes:
        user: name of the account.
        client_ip: address of the client.
        port: port of the client.
        success: whether the login was accepted.
        times: number of attempts that the line stands for.
    """

    user: str
    client_ip: str
    port: str
    success: bool
    times: int


def parse(text: str, year: int) -> Line | None:
    """Parse a line; None if it is of neither format. ``year`` is used if the line has none."""
    if match := _APACHE.fullmatch(text):
        at = _time(match["time"], "%a %b %d %H:%M:%S %Y")
        return None if at is None else Line(at, None, "apache", None, match["level"], match["message"])
    if match := _SYSLOG.fullmatch(text):
        at = _time(f"{year} {match['time']}", "%Y %b %d %H:%M:%S")
        return None if at is None else Line(at, match["host"], match["program"], match["pid"], None, match["message"])
    if match := _LINUX.fullmatch(text):
        at = _time(f"{year} {match['time']}", "%Y %b %d %H:%M:%S")
        return None if at is None else Line(at, match["host"], "syslog", None, None, match["message"])
    return None


def years(months: Sequence[int], newest: int) -> list[int]:
    """Infer the year of each line from the months of all lines, oldest first, and the newest line's year.

    >>> years([11, 12, 1], 2026)
    [2025, 2025, 2026]
    """
    descending, year = [], newest
    for index in range(len(months) - 1, -1, -1):
        if index + 1 < len(months) and months[index] > months[index + 1]:
            year -= 1
        descending.append(year)
    return descending[::-1]


def attempt(line: Line) -> Attempt | None:
    """The login attempt in a line of sshd; None if the line is not about one."""
    if line.program != "sshd":
        return None
    times, message = 1, line.message
    if repeated := _REPEATED.match(message):
        times, message = min(int(repeated["times"]), MOST_REPEATED), repeated["message"]
    for pattern, success in ((_FAILED, False), (_ACCEPTED, True)):
        if match := pattern.match(message):
            return Attempt(match["user"], match["ip"], match["port"], success, times)
    return None


def _time(text: str, pattern: str) -> datetime | None:
    try:
        return datetime.strptime(text, pattern).replace(tzinfo=UTC)
    except ValueError:
        return None
