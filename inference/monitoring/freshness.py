"""Freshness of the views in the online store, as a table and as Prometheus metrics."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from feature_repo import clock
from feature_repo.errors import StoreError
from feature_repo.home import Home
from feature_repo.manifest import load_address, load_definitions, load_views
from feature_repo.packed.freshness import Freshness, freshness
from feature_repo.packed.server import READ_TIMEOUT, open_server
from inference.monitoring.staleness import STALE_AFTER_S

if TYPE_CHECKING:
    from prometheus_client.core import Metric


class FreshnessReader:
    """Reads freshness from the online store. The manifest is read each time, so new views need no restart."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._server = open_server(home, load_address(home), READ_TIMEOUT)

    def read(self) -> list[Freshness]:
        """Read the freshness of every view of every service, by name.

        Raises:
            StoreError: there is no manifest.
            OnlineUnavailable: Redis does not answer.
        """
        project, views = load_views(self._home)
        return freshness(self._server, project, views)

    def windowed(self) -> set[str]:
        """Return the names of the views that are computed from events, and so have new rows every day.

        The newest event of other views, such as a catalogue, may rightly be old.

        Raises:
            StoreError: there is no manifest.
        """
        return set(load_definitions(self._home))


class FreshnessCollector:
    """Prometheus gauges, read from the online store when they are scraped.

    ``refrain_feature_age_seconds`` (since the newest event of a view), ``refrain_feature_written_seconds`` (since the
    last write), ``refrain_feature_stale_after_seconds`` (age from which on a windowed view is stale),
    ``refrain_feature_rows_written_total``, each by ``view``; ``refrain_feature_views_written`` (number of views with
    rows online) and ``refrain_online_store_up``.
    """

    def __init__(self, home: Home) -> None:
        self._reader = FreshnessReader(home)

    def collect(self) -> "Iterator[Metric]":
        """Yield one sample for each view that was ever written; none while Redis does not answer."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        now, wall = clock.seconds(), time.time()
        try:
            views, windowed, is_up = self._reader.read(), self._reader.windowed(), 1.0
        except StoreError:
            views, windowed, is_up = [], set(), 0.0
        age = GaugeMetricFamily("refrain_feature_age_seconds", "Since the newest event of a view", labels=["view"])
        written = GaugeMetricFamily("refrain_feature_written_seconds", "Since a view was last written", labels=["view"])
        rows = CounterMetricFamily(
            "refrain_feature_rows_written",
            "Rows written of a view; one that is written again counts again",
            labels=["view"],
        )
        stale = GaugeMetricFamily("refrain_feature_stale_after_seconds", "Age that is stale", labels=["view"])
        for view in views:
            if view.newest_event is not None and view.written_at is not None:
                age.add_metric([view.view], now - view.newest_event)
                written.add_metric([view.view], wall - view.written_at)
                rows.add_metric([view.view], view.rows_written)
                if view.view in windowed:
                    stale.add_metric([view.view], STALE_AFTER_S)
        yield from (age, written, rows, stale)
        if is_up:
            count = sum(view.written_at is not None for view in views)
            yield GaugeMetricFamily("refrain_feature_views_written", "Views with rows online", value=count)
        yield GaugeMetricFamily("refrain_online_store_up", "Whether the online store answers", value=is_up)


def stale_views(
    views: list[Freshness], windowed: set[str], now: float, after_s: float = STALE_AFTER_S
) -> list[tuple[str, float]]:
    """List name and age in seconds of the windowed views whose newest event is too old, oldest first.

    Args:
        views: freshness of all views. A view that was never written has no features that could be stale.
        windowed: names of the windowed views.
        now: current time in seconds since 1970.
        after_s: age in seconds from which on a view is stale.

    >>> stale_views([Freshness("plays", 0.0, 5.0, 1), Freshness("titles", 0.0, 5.0, 1)], {"plays"}, 200.0, 100.0)
    [('plays', 200.0)]
    """
    ages = [(view.view, view.age(now)) for view in views if view.view in windowed]
    stale = [(name, age) for name, age in ages if age is not None and age > after_s]
    return sorted(stale, key=lambda pair: -pair[1])


def table(views: list[Freshness], now: float, wall: float) -> list[str]:
    """Format the freshness of views as lines of a table, oldest first; views that were never written come on top.

    Args:
        views: freshness of all views.
        now: current time in seconds since 1970, for the age of events.
        wall: system time in seconds since 1970, for the time since the last write.
    """
    ordered = sorted(views, key=lambda view: -(view.age(now) or float("inf")))
    width = max((len(view.view) for view in ordered), default=4)
    lines = [f"{'view':{width}}  {'newest event (UTC)':20} {'age':>10} {'written':>12} {'rows written':>12}"]
    for view in ordered:
        if view.newest_event is None or view.written_at is None:
            lines.append(f"{view.view:{width}}  {'never':20} {'':>10} {'':>12} {0:>12}")
            continue
        newest = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(view.newest_event))
        age, written = span(now - view.newest_event), f"{span(wall - view.written_at)} ago"
        lines.append(f"{view.view:{width}}  {newest:20} {age:>10} {written:>12} {view.rows_written:>12,}")
    return lines


def cells(views: list[Freshness], now: float, wall: float) -> list[list[str]]:
    """Format name, age of the newest event, time since the last write, and rows of each view as cells of a page.

    Views are ordered by name. The arguments are those of ``table``.
    """
    return [
        [
            view.view,
            "never" if view.newest_event is None else span(now - view.newest_event),
            "" if view.written_at is None else f"{span(wall - view.written_at)} ago",
            f"{view.rows_written:,}",
        ]
        for view in sorted(views, key=lambda view: view.view)
    ]


def span(seconds: float) -> str:
    """Format a time span in the largest unit that gives at least two.

    >>> span(90), span(7_300), span(200_000)
    ('90 s', '2 h', '2 d')
    """
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if abs(seconds) >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
