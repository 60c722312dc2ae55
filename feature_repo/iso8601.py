"""Parser of instants in ISO 8601. No other format is accepted, so that dates are unambiguous."""

import re
from datetime import UTC, datetime, timedelta

DATE, CLOCK = r"([0-9]{4}-[0-9]{2}-[0-9]{2})", r"([0-9]{2}:[0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,9}))?)?"
PATTERN = rf"^{DATE}(?:[Tt ]{CLOCK} ?([Zz]|[+-][0-9]{{2}}(?::?[0-9]{{2}})?)?)?$"
"""Date, hours and minutes, seconds, fraction, offset. ``03/04/2026``, ``20260304`` and ``2026-3-4`` do not match."""

EXAMPLES = "ISO 8601, such as 2026-04-03, 2026-04-03 12:00:00 or 2026-04-03T12:00:00.5+02:00"

_PATTERN = re.compile(PATTERN, re.ASCII)


def parse(text: str) -> datetime:
    """Parses an instant to UTC. A text without an offset is UTC; a date without a time is its midnight.

    Digits beyond the microsecond are cut off.

    Raises:
        ValueError: the text is not ISO 8601, or the day or time does not exist.

    >>> parse("2026-04-03T12:00:00+02:00").isoformat()
    '2026-04-03T10:00:00+00:00'
    """
    match = _PATTERN.match(text)
    if match is None or text.endswith("\n"):
        raise ValueError(f"{text[:60]!r} is not {EXAMPLES}")
    day, clock, seconds, fraction, offset = match.groups()
    local = datetime.strptime(f"{day} {clock or '00:00'}:{seconds or '00'}", "%Y-%m-%d %H:%M:%S")
    local = local.replace(microsecond=int((fraction or "0")[:6].ljust(6, "0")), tzinfo=UTC)
    try:
        return local - timedelta(minutes=offset_minutes(offset))
    except OverflowError as error:
        raise ValueError(f"{text[:60]!r} is not between the years 1 and 9999") from error


def offset_minutes(offset: str | None) -> int:
    """Parses an offset (``+05:30``, ``-0200``, ``+02``, ``Z`` or None) to minutes east of Greenwich.

    Raises:
        ValueError: the offset is a day or more.
    """
    if not offset or offset in "Zz":
        return 0
    digits = offset[1:].replace(":", "").ljust(4, "0")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if hours > 23 or minutes > 59:
        raise ValueError(f"there is no offset {offset}")
    return (hours * 60 + minutes) * (-1 if offset[0] == "-" else 1)
