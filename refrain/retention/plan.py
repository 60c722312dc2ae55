"""What is older than its period."""

from dataclasses import dataclass
from datetime import datetime

from feature_repo.home import Home
from feature_repo.horizon import Horizons
from refrain.retention.periods import Period, periods
from refrain.retention.records import RECORDS, aged_quarantine, aged_records
from refrain.retention.rows import aged_rows


@dataclass(frozen=True)
class Aged:
    """The old rows of one raw table, or records of one kind.

    Attributes:
        period: how long they are kept.
        horizon: the oldest moment that is kept; None where nothing ever goes.
        count: number of rows, lines or sets that are older.
        quarantined: number of quarantined rows of the table that are older.
        begins: up to where rows were removed before; None if none were.
    """

    period: Period
    horizon: datetime | None
    count: int
    quarantined: int
    begins: datetime | None


def aged(home: Home, now: datetime) -> list[Aged]:
    """What is older than its period: raw tables first, then records, each in the order of the names.

    Args:
        home: the data folder.
        now: the moment from which ages count.

    Raises:
        InputError: a period is not valid; see ``periods``.
        StoreError: a file is damaged.
    """
    begins = Horizons.of(home).moments
    return [_aged(home, period, now, begins.get(name)) for name, period in periods(home).items()]


def _aged(home: Home, period: Period, now: datetime, begins: datetime | None) -> Aged:
    if period.length is None:
        return Aged(period, None, 0, 0, begins)
    horizon, name = now - period.length, period.name
    if period.is_record:
        return Aged(period, horizon, aged_records(home, RECORDS[name], horizon, remove=False), 0, None)
    quarantined = aged_quarantine(home, name, horizon, remove=False)
    return Aged(period, horizon, aged_rows(home, name, horizon), quarantined, begins)
