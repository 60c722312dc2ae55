"""All live tables of one source, and their clock."""

from collections.abc import Iterator, Sequence

import numpy as np

from feature_repo.windows import EventSource, WindowedTable
from transforms.stream.state.dimensions import Dimension
from transforms.stream.state.events import Coder, Events
from transforms.stream.state.live_table import LiveTable

AT_ONCE = 20_000
"""Events that an hourly or daily table counts in one step, during which live tables wait."""


class LiveState:
    """Counts events in every table of a source.

    A live table counts events at once. An hourly or daily table counts the events of an hour or a day when it is over,
    and late events when they arrive.

    Args:
        source: the kind of event.
        tables: declarations of its tables.
        tenant: value of the columns that all events share.

    Attributes:
        dimensions: name → a dimension of one of the tables; its rows count for the events that are counted afterwards.
    """

    def __init__(self, source: EventSource, tables: Sequence[WindowedTable], tenant: str) -> None:
        coded = {name for table in tables for name in table.coded}
        self.coder = Coder(source, tenant, coded & {*source.columns})
        enrichments = [enrich for table in tables for enrich in table.enrich]
        self.dimensions = {enrich.dimension.name: Dimension(enrich.dimension) for enrich in enrichments}
        words, pairs = self.coder.words, self.coder.pairs
        self.tables = [LiveTable(table, words, pairs, self.dimensions) for table in tables]
        self.clock = 0
        self._waiting: dict[int, list[Events]] = {live.table.unit: [] for live in self.tables}
        self._to_count: dict[str, list[Events]] = {live.table.name: [] for live in self.tables}

    def queue(self, events: Events) -> None:
        """Queues accepted events, which ``advance`` counts."""
        if len(events):
            for waiting in self._waiting.values():
                waiting.append(events)

    def resume(self, events: Events, clock: int) -> None:
        """Starts from earlier events, in any order, with the clock at a moment."""
        self.clock = clock
        for live in self.tables:
            live.add(live.additions_of(events.keep(events.time < clock - clock % live.table.unit)))
        for unit, waiting in self._waiting.items():
            waiting.append(events.keep(events.time >= clock - clock % unit))

    def advance(self, clock: int) -> None:
        """Advances time to a moment, and counts the events of hours and days that are over.

        Tables with many events to count need further calls, see ``is_behind``.
        """
        for _ in self._advance(clock):
            pass

    def _advance(self, clock: int) -> Iterator[LiveTable]:
        """Counts table by table; yields each table that has counted all its events."""
        self.clock = max(self.clock, clock)
        for unit, waiting in self._waiting.items():
            self._queue_finished(unit, waiting)
        for live in self.tables:
            to_count = self._to_count[live.table.name]
            if to_count:
                self._count(live, to_count)
            if not to_count:
                live.advance(self.clock - self.clock % live.table.unit)
                yield live

    def _queue_finished(self, unit: int, waiting: list[Events]) -> None:
        edge = self.clock - self.clock % unit
        finished, remaining = [], []
        for events in waiting:
            mask = events.time < edge
            if mask.all():
                finished.append(events)
            elif mask.any():
                finished.append(events.keep(mask))
                remaining.append(events.keep(~mask))
            else:
                remaining.append(events)
        waiting[:] = remaining
        if finished:
            for live in self.tables:
                if live.table.unit == unit:
                    self._to_count[live.table.name].extend(finished)

    def _count(self, live: LiveTable, to_count: list[Events]) -> None:
        events = Events.concat(to_count)
        if live.table.is_live or len(events) <= AT_ONCE:
            step, remaining = events, []
        else:
            step, remaining = events.keep(slice(0, AT_ONCE)), [events.keep(slice(AT_ONCE, None))]
        to_count[:] = remaining
        live.add(live.additions_of(step))

    @property
    def is_behind(self) -> bool:
        """Whether a table has more events to count."""
        return any(self._to_count.values())

    def due(self, clock: int, limit: int, live_limit: int) -> Iterator[tuple[LiveTable, np.ndarray, bool]]:
        """Advances time as ``advance`` does, and yields each table as soon as it has counted.

        Args:
            clock: the moment to advance to, microseconds.
            limit: most keys of an hourly or daily table.
            live_limit: most keys of a live table.

        Yields:
            The table, codes of keys that have new rows, and whether there may be more such keys.
        """
        for live in self._advance(clock):
            table_limit = live_limit if live.table.is_live else limit
            keys = live.due(table_limit)
            if len(keys):
                yield live, keys, len(keys) == table_limit
