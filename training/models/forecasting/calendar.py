"""Calendar inputs of future days: weekday, season of the year, and public holidays."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import cache

import numpy as np

NAMES = ("weekday", "weekend", "year_sine", "year_cosine", "holiday", "holiday_before", "holiday_after")


def days_ahead(origin: datetime, horizon: int, countries: Mapping[str, float]) -> np.ndarray:
    """Computes the calendar inputs (horizon, len(NAMES)) of the days from the origin on.

    Args:
        origin: midnight at which the first day starts.
        horizon: number of days.
        countries: ISO code → share of the listeners, the weight of its holidays; unknown codes have no holidays.
    """
    days = (origin.date() + timedelta(days=number) for number in range(horizon))
    return np.array([_day_inputs(day, tuple(sorted(countries.items()))) for day in days])


@cache
def _day_inputs(day: date, countries: tuple[tuple[str, float], ...]) -> list[float]:
    angle = 2 * np.pi * day.timetuple().tm_yday / 365.25
    holiday_shares = [_holiday_share(day + timedelta(days=shift), countries) for shift in (0, -1, 1)]
    return [day.weekday(), float(day.weekday() >= 5), np.sin(angle), np.cos(angle), *holiday_shares]


def _holiday_share(day: date, countries: tuple[tuple[str, float], ...]) -> float:
    """Computes the share of listeners with a public holiday on a day."""
    total = sum(share for _, share in countries) or 1.0
    return sum(share for code, share in countries if day in _holidays(code, day.year)) / total


@cache
def _holidays(country: str, year: int) -> frozenset[date]:
    import holidays

    try:
        return frozenset(holidays.country_holidays(country, years=year))
    except NotImplementedError:
        return frozenset()
