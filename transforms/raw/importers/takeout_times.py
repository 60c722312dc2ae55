"""Local times as Google Takeout writes them on pages, in the language and the zone of the account.

Which language names the months, whether the day or the month comes first, and what an abbreviation of a zone means, is
read from all times of a page. What they do not show is refused: no time is guessed. Names of months are those of the
Unicode CLDR, abbreviated.
"""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from feature_repo.errors import InputError
from transforms.raw.files.times import FIRST, latest
from transforms.raw.importers.takeout_zones import fixed_offset, offsets_of

MONTHS = {
    "cs": "led úno bře dub kvě čvn/červn čvc/červenc srp zář říj lis pro",
    "da, nb, sv": "jan feb mar/mars apr maj/mai jun jul aug sep okt nov dec/des",
    "de": "jan feb mär/mrz apr mai jun jul aug sep okt nov dez",
    "el": "ιαν φεβ μαρ/μάρ απρ μαΐ/μαι/μάι ιουν/ιούν ιουλ/ιούλ αυγ/αύγ σεπ οκτ νοε/νοέ δεκ",
    "en": "jan feb mar apr may jun jul aug sep oct nov dec",
    "es": "ene feb mar abr may jun jul ago sep/set oct nov dic",
    "fr": "janv févr/fév mars avr mai juin juil août/aou sept oct nov déc",
    "he": "ינו/בינו פבר/בפבר מרץ/במרץ אפר/באפר מאי/במאי יונ/ביונ יול/ביול אוג/באוג ספט/בספט אוק/באוק נוב/בנוב דצמ/בדצמ",
    "hi": "जन फ़र/फर/फ़र मार्च अप्रैल मई जून जुल अग सित अक्तू/अक्टू नव दिस",
    "hr": "sij velj ožu tra svi lip srp kol ruj lis stu pro",
    "hu": "jan febr már/márc ápr máj jún júl aug szept okt nov dec",
    "id": "jan feb mar apr mei jun jul agu/agt sep okt nov des",
    "it": "gen feb mar apr mag giu lug ago set ott nov dic",
    "nl": "jan feb mrt/maart apr mei jun jul aug sep okt nov dec",
    "pl": "sty lut mar kwi maj cze lip sie wrz paź lis gru",
    "pt": "jan fev mar abr mai jun jul ago set out nov dez",
    "ro": "ian feb mar apr mai iun iul aug sep oct nov/noi dec",
    "ru": "янв фев мар апр мая/май июн июл авг сен окт ноя дек",
    "tr": "oca şub mar nis may haz tem ağu eyl eki kas ara",
    "uk": "січ лют бер кві тра чер лип сер вер жов лис гру",
}
"""Language → how its months begin, January first; ``/`` is between several beginnings of one."""

FORENOON = {"am", "午前", "上午", "早上", "凌晨", "오전", "पूर्वाह्न"}
AFTERNOON = {"pm", "午後", "下午", "晚上", "오후", "अपराह्न"}
HALVES = FORENOON | AFTERNOON
"""Words for the halves of the day."""

FILLERS = {"de", "del", "à", "at", "um", "klo", "kl", "г", "р", "thg"}
"""Words that stand beside the parts of a date."""

UNKNOWN = "no time of a known form"
SAY_ZONE = "say the zone with --zone, such as --zone Europe/Vienna"

_CLOCK = re.compile(r"(?<![\d.:])(\d{1,2})([:.])(\d{2})\2(\d{2})(?![\d:])")
_DOTTED = re.compile(r"\d{1,2}\.\s?\d{1,2}\.\s?\d{4}")
_PART = re.compile(r"\d+|[^\d\s,،./\-年月日]+")
_ZONE = re.compile(r"(?:^|(?<=\s))(?:(?:UTC|GMT)?\s?[+\-−]\d{1,2}(?::?\d{2})?|[A-ZА-Я]{1,5})$")
_LONGEST = 60


class Day(NamedTuple):
    """A day as it is written, with the zone behind it.

    Attributes:
        year: the year.
        first: the first number beside it.
        second: the other one; 0 if the month is a word.
        word: the month as a word; empty if it is a number.
        order: which of the numbers is the month: ``md``, ``dm`` or, where the form does not say it, empty.
        zone: the zone as it is written; empty if there is none.
    """

    year: int
    first: int
    second: int
    word: str
    order: str
    zone: str


@lru_cache(1 << 17)
def parse(text: str) -> tuple[Day, timedelta] | None:
    """The day and the time of day of a local time; None if it has no known form.

    >>> parse("Jan 5, 2020, 8:45:23 PM PST")
    (Day(year=2020, first=5, second=0, word='jan', order='', zone='PST'), datetime.timedelta(seconds=74723))
    """
    clocks = list(_CLOCK.finditer(text)) if len(text) <= _LONGEST else []
    if not clocks:
        return None
    before, after = text[: clocks[-1].start()], text[clocks[-1].end() :].strip()
    match = _ZONE.search(after)
    zone = match[0] if match and match[0].casefold() not in HALVES else ""
    half = re.sub(r"[.\s]", "", after.removesuffix(zone)).casefold()
    parts = [part.casefold().strip("॰׳'’") for part in _PART.findall(before)]
    numbers = [part for part in parts if part.isdigit()]
    words = [part for part in parts if not part.isdigit() and part not in FILLERS]
    half += "".join(word for word in words if word in HALVES)
    words = [word for word in words if word not in HALVES]
    hour, minute, second = (int(clocks[-1][group]) for group in (1, 3, 4))
    clock = _time_of_day(hour, minute, second, half)
    years = [place for place, number in enumerate(numbers) if len(number) == 4]
    if clock is None or len(years) != 1 or len(words) > 1 or len(numbers) != 3 - len(words):
        return None
    year, *others = [int(numbers.pop(years[0])), *map(int, numbers)]
    order = "" if words else "md" if years[0] == 0 else "dm" if _DOTTED.search(before) or "thg" in parts else ""
    return Day(year, others[0], others[1] if not words else 0, "".join(words), order, zone), clock


def _time_of_day(hour: int, minute: int, second: int, half: str) -> timedelta | None:
    if half:
        if hour > 12 or half not in HALVES:
            return None
        hour = hour % 12 + (12 if half in AFTERNOON else 0)
    if hour > 23 or minute > 59 or second > 59:
        return None
    return timedelta(hours=hour, minutes=minute, seconds=second)


def months_of(words: Iterable[str]) -> dict[str, int]:
    """The months that words name, in the languages that know most of them; a word on which they differ is left out.

    >>> months_of(["lis"]), months_of(["lis", "sty"])
    ({}, {'lis': 11, 'sty': 1})
    """
    distinct = sorted(set(words))
    readings = [{word: month for word in distinct if (month := _month(word, text))} for text in MONTHS.values()]
    most = max(map(len, readings))
    likely = [reading for reading in readings if len(reading) == most]
    months = {word: {reading.get(word, 0) for reading in likely} for word in distinct}
    return {word: numbers.pop() for word, numbers in months.items() if len(numbers) == 1 and 0 not in numbers}


def _month(word: str, beginnings: str) -> int:
    for number, choices in enumerate(beginnings.split(), 1):
        if word.startswith(tuple(choices.split("/"))):
            return number
    return 0


class PageTimes:
    """The times of a page, after all of them were noted.

    Args:
        texts: all times of the page, as they are written.
        zone: the zone of the page, for times whose zone it does not show.

    Raises:
        InputError: there is no such zone.

    >>> times = PageTimes(["5 ene 2020, 20:45:23 CET"])
    >>> times.read("5 ene 2020, 20:45:23 CET")
    (datetime.datetime(2020, 1, 5, 19, 45, 23, tzinfo=datetime.timezone.utc), '')
    """

    def __init__(self, texts: Iterable[str], zone: str | None = None) -> None:
        self._zone = zone_named(zone) if zone else None
        days = {parsed[0] for text in texts if (parsed := parse(text))}
        self._months = months_of(day.word for day in days if day.word)
        open_days = [day for day in days if not day.word and not day.order]
        orders = {"dm" for day in open_days if day.first > 12} | {"md" for day in open_days if day.second > 12}
        self._order = orders.pop() if len(orders) == 1 else ""
        dates = {day: moment for day in days if isinstance(moment := self._date(day), date)}
        zoned = {day: (day.zone, when) for day, when in dates.items() if day.zone and fixed_offset(day.zone) is None}
        offsets = offsets_of(zoned.values())
        self._offsets = {day: offsets[pair] for day, pair in zoned.items() if pair in offsets}
        self._latest = latest()

    def read(self, text: str) -> tuple[datetime | None, str]:
        """The time in UTC; or None, and why it cannot be read."""
        parsed = parse(text)
        if parsed is None:
            return None, UNKNOWN
        day, clock = parsed
        when = self._date(day)
        if isinstance(when, str):
            return None, when
        local = datetime(when.year, when.month, when.day, tzinfo=UTC) + clock
        if not FIRST <= local <= self._latest + timedelta(hours=14):
            return None, "not between 1980 and now"
        offset = fixed_offset(day.zone) if day.zone else None
        offset = self._offsets.get(day) if offset is None else offset
        if offset is None and self._zone is not None:
            offset = _offset_in(self._zone, local, day.zone)
            if offset is None:
                return None, f"an hour that the clocks of {self._zone} skipped or repeated"
        if offset is None:
            found = f"{day.zone} may mean several zones, or none" if day.zone else "a time without a zone"
            return None, f"{found}: {SAY_ZONE}"
        moment = local - offset
        return (moment, "") if FIRST <= moment <= self._latest else (None, "not between 1980 and now")

    def _date(self, day: Day) -> date | str:
        """The date, or why it is not known."""
        if day.word:
            month, number = self._months.get(day.word, 0), day.first
            if not month:
                return "a month of an unknown language, or of several"
        else:
            order = day.order or self._order
            if not order:
                return "the page does not show whether the day or the month comes first"
            month, number = (day.first, day.second) if order == "md" else (day.second, day.first)
        try:
            return date(day.year, month, number)
        except ValueError:
            return UNKNOWN


def zone_named(name: str) -> ZoneInfo:
    """The zone of a name.

    Raises:
        InputError: there is no such zone.

    >>> zone_named("Europe/Vienna").key
    'Europe/Vienna'
    """
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError) as error:
        raise InputError(
            expected="a zone of the tz database, such as Europe/Vienna or America/Chicago",
            found=repr(name),
            next_command="refrain import youtube-music PATH --zone Europe/Vienna",
        ) from error


def _offset_in(zone: ZoneInfo, local: datetime, name: str) -> timedelta | None:
    """The offset of a local time in a zone; None if the clocks skipped it, or repeated it and no name tells which."""
    moments = [local.replace(tzinfo=zone, fold=fold) for fold in (0, 1)]
    offsets = {moment.utcoffset() for moment in moments}
    if len(offsets) == 2:
        offsets = {moment.utcoffset() for moment in moments if moment.tzname() == name}
    return offsets.pop() if len(offsets) == 1 else None
