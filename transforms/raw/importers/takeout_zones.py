"""Zones of local times on a page: what PST, MEZ or IST means there, or that nothing on the page shows it.

An abbreviation may be of several zones (IST: India, Israel, Ireland). All times of a page are in one zone, so those
zones count in which every abbreviation of the page was in use on its day (IST in January and in July: India alone); if
there is none, each abbreviation counts by itself. If the zones differ in their offset, the time is not known. The names
are those of the tz database, and a few of Java's.
"""

import re
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

Day = tuple[str, date]
"""An abbreviation, and a local day on which it is written."""

ALIASES = {
    **{"MEZ": "CET", "MESZ": "CEST", "OEZ": "EET", "OESZ": "EEST", "WEZ": "WET", "WESZ": "WEST", "МСК": "MSK"},
    **{"HNE": "EST", "HAE": "EDT", "HNC": "CST", "HAC": "CDT", "HNR": "MST", "HAR": "MDT"},
    **{"HNP": "PST", "HAP": "PDT", "HNA": "AST", "HAA": "ADT"},
}
"""German, Russian and Canadian French abbreviations → English ones."""

HOURS = {
    **{"UTC": 0, "GMT": 0, "Z": 0, "TRT": 3, "SGT": 8, "MYT": 8, "PHT": 8, "ICT": 7, "NPT": 5.75},
    **{"BRT": -3, "BRST": -2, "ART": -3, "CLT": -4, "CLST": -3, "COT": -5, "PET": -5, "BOT": -4, "UYT": -3},
}
"""Abbreviations with one meaning that the tz database does not have → hours from UTC."""

OTHER_NAMES = {
    **dict.fromkeys(("Asia/Riyadh", "Asia/Kuwait", "Asia/Baghdad", "Asia/Qatar"), "AST"),
    **dict.fromkeys(("Asia/Dubai", "Atlantic/South_Georgia"), "GST"),
    **dict.fromkeys(("America/Manaus", "Asia/Yerevan"), "AMT"),
}
"""Zones that are numbers in the tz database and have an ambiguous name in Java."""

NOT_OFFERED = {"America/Havana", "Cuba"}
"""YouTube Music is not offered in Cuba, whose CST and CDT are an hour from those of the United States."""

_OFFSET = re.compile(r"(?:UTC|GMT)?\s?([+\-−])(\d{1,2}):?(\d{2})?")
_CLOCKS = (time(0), time(12), time(23, 59, 59))


def fixed_offset(name: str) -> timedelta | None:
    """The offset from UTC of a zone that is written as a number or has one meaning; None for another one.

    >>> fixed_offset("GMT+05:30"), fixed_offset("UTC"), fixed_offset("IST")
    (datetime.timedelta(seconds=19800), datetime.timedelta(0), None)
    """
    if match := _OFFSET.fullmatch(name):
        sign, hours, minutes = match.groups()
        size = timedelta(hours=int(hours), minutes=int(minutes or 0))
        return (size if sign == "+" else -size) if size <= timedelta(hours=14) else None
    return timedelta(hours=HOURS[name]) if name in HOURS else None


def offsets_of(days: Iterable[Day]) -> dict[Day, timedelta]:
    """The offsets of a page's abbreviations; days whose offset is not known are left out.

    >>> india = offsets_of([("IST", date(2024, 1, 5)), ("IST", date(2024, 7, 5))])
    >>> india[("IST", date(2024, 1, 5))], offsets_of([("IST", date(2024, 1, 5))])
    (datetime.timedelta(seconds=19800), {})
    """
    ordered = [day for day in sorted(set(days)) if any(_offsets(zone, day) for zone in _zones())]
    zones = [zone for zone in _zones() if all(_offsets(zone, day) for day in ordered)] or _zones()
    found = {}
    for day in ordered:
        offsets = {offset for zone in zones for offset in _offsets(zone, day)}
        if len(offsets) == 1:
            found[day] = offsets.pop()
    return found


def _offsets(zone: str, day: Day) -> set[timedelta]:
    """The offsets of a zone while it has the abbreviation on a day; usually one or none."""
    name, when = ALIASES.get(day[0], day[0]), day[1]
    info, other = _info(zone), OTHER_NAMES.get(zone)
    moments = [datetime.combine(when, clock, info) for clock in _CLOCKS]
    return {moment.utcoffset() or timedelta() for moment in moments if (other or moment.tzname()) == name}


@cache
def _info(zone: str) -> ZoneInfo:
    return ZoneInfo(zone)


@cache
def _zones() -> tuple[str, ...]:
    return tuple(sorted(name for name in available_timezones() if "/" in name and name not in NOT_OFFERED))
