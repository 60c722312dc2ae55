"""From when on the features of a service are whole, where rows were removed because of their age.

Before that moment a window would count events that are gone, so a training set has no rows there.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time

import polars as pl

from feature_repo.compile_manifest import resolve_service
from feature_repo.contract import contract_of
from feature_repo.home import Home
from feature_repo.horizon import Horizons
from feature_repo.store import open_store


@dataclass(frozen=True)
class KeptHistory:
    """The history of some views.

    Attributes:
        begins: the first moment at which all their features are whole.
        view: the view that says so.
    """

    begins: datetime
    view: str


def kept_history(home: Home, views: Iterable[str]) -> KeptHistory | None:
    """From when on some views are whole; None if nothing was removed of what they are computed from.

    Args:
        home: the data folder.
        views: names of views. Windowed ones are whole once their longest window lies behind the horizon, those that
            one function computes from the horizons of their raw tables on, and others always.
    """
    horizons, contract = Horizons.of(home), contract_of(home)
    if not horizons.moments:
        return None
    histories = []
    for view in views:
        if view in contract.windowed:
            day = horizons.whole_from(contract.windowed[view])
            moments = [] if day is None else [datetime.combine(day, time.min, UTC)]
        else:
            computed = contract.computed_tables.get(view)
            sources = computed.sources if computed is not None else ()
            moments = [horizons.moments[name] for name in sources if name in horizons.moments]
        histories += [KeptHistory(moment, view) for moment in moments]
    return max(histories, key=lambda history: history.begins, default=None)


def of_kept_history(home: Home, service: str, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows of a spine at whose moments the features of a service are whole.

    Args:
        home: the data folder.
        service: name of an applied service.
        rows: rows with ``event_timestamp``; times without a zone are UTC.

    >>> of_kept_history(Home.from_env(), "listener_v1", spine)                          # doctest: +SKIP
    """
    if not Horizons.of(home).moments:
        return rows
    views = resolve_service(open_store(home), contract_of(home), service).views
    history = kept_history(home, [view.name for view in views])
    if history is None:
        return rows
    is_utc = getattr(rows.schema["event_timestamp"], "time_zone", None) is not None
    begins = history.begins if is_utc else history.begins.replace(tzinfo=None)
    return rows.filter(pl.col("event_timestamp") >= begins)
