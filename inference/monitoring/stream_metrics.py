"""The event stream as Prometheus metrics: waiting events, lag, dead letters, and whether a reader runs."""

import time
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from feature_repo.errors import StoreError
from feature_repo.events import Names
from feature_repo.home import Home
from feature_repo.manifest import load_address
from feature_repo.packed.server import READ_TIMEOUT, open_server, raise_errors, retry

OUTCOMES = ("accepted", "amended", "duplicate", "late", "refused")
"""Outcomes of events that are reported as 0 before the first such event."""


class StreamCollector:
    """Reads the state of the event stream when it is scraped.

    ``refrain_stream_waiting`` (events that no reader has counted yet), ``refrain_stream_lag_seconds`` (since the oldest
    of them was appended), ``refrain_stream_dead_letters`` (refused events that are kept), ``refrain_stream_reader_up``,
    and ``refrain_stream_events_total`` by ``outcome``.
    """

    def __init__(self, home: Home) -> None:
        self._names = Names(home.project)
        self._server = open_server(home, load_address(home), READ_TIMEOUT)

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics; none while Redis does not answer."""
        names = self._names
        commands = [
            ("XLEN", names.stream),
            ("XRANGE", names.stream, "-", "+", "COUNT", 1),
            ("XLEN", names.dead),
            ("EXISTS", names.lease),
            ("HGETALL", names.counts),
        ]
        keys = [names.stream, names.stream, names.dead, names.lease, names.counts]
        try:
            waiting, oldest, dead, readers, counts = retry(
                self._server, lambda: raise_errors(self._server.send(commands, keys)), tries=2
            )
        except StoreError:
            return
        lag_s = max(time.time() - _appended_at(oldest[0][0]), 0.0) if oldest else 0.0
        yield GaugeMetricFamily("refrain_stream_waiting", "Events that were not counted yet", value=waiting)
        yield GaugeMetricFamily("refrain_stream_lag_seconds", "Since the oldest waiting event came", value=lag_s)
        yield GaugeMetricFamily("refrain_stream_dead_letters", "Refused events that are kept", value=dead)
        yield GaugeMetricFamily("refrain_stream_reader_up", "Whether a reader runs", value=float(readers > 0))
        events = CounterMetricFamily("refrain_stream_events", "Events by outcome", labels=["outcome"])
        flat = list(counts.items()) if isinstance(counts, dict) else list(zip(counts[::2], counts[1::2], strict=True))
        by_outcome = dict.fromkeys(OUTCOMES, 0) | {name.decode(): int(count) for name, count in flat}
        for outcome, count in by_outcome.items():
            events.add_metric([outcome], count)
        yield events


def _appended_at(entry: bytes) -> float:
    """Convert the id of a stream entry, such as ``1712000000000-0``, to seconds since 1970.

    >>> _appended_at(b"1500-3")
    1.5
    """
    return int(entry.partition(b"-")[0]) / 1e3
