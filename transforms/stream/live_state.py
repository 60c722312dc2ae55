"""All live tables of one source, and how far their time has come."""

from collections.abc import Iterator, Sequence

import numpy as np

from feature_repo.windows import EventSource, WindowedTable
from transforms.stream.state.events import Coder, Events
from transforms.stream.state.live_table import LiveTable

AT_ONCE = 20_000
"""Events that a table of hours or days counts in one step: live tables wait meanwhile."""


class LiveState:
    """Counts events in every table, each when its time has come.

    A table that is written after every event counts at once; one of hours or days counts the events of an hour or a
    day when it is over, and late ones when they come.

    Args:
        source: kind of event.
        tables: declarations over it.
        tenant: stands in the columns that all events share.
    """

    def __init__(self, source: EventSource, tables: Sequence[WindowedTable], tenant: str) -> None:
        self.coder = Coder(source, tenant)
        self.tables = [LiveTable(table, self.coder.words, self.coder.pairs) for table in tables]
        self.clock = 0
        self._waiting: dict[int, list[Events]] = {live.table.unit: [] for live in self.tables}
        self._to_count: dict[str, list[Events]] = {live.table.name: [] for live in self.tables}

    def take(self, events: Events) -> None:
        """Events that count; they are counted by ``advance``."""
        if len(events):
            for waiting in self._waiting.values():
                waiting.append(events)

    def resume(self, events: Events, clock: int) -> None:
        """Go on with events that were there before, in any order."""
        self.clock = clock
        for live in self.tables:
            live.add(live.of_events(events.keep(events.time < clock - clock % live.table.unit)))
        for unit, waiting in self._waiting.items():
            waiting.append(events.keep(events.time >= clock - clock % unit))

    def advance(self, clock: int) -> None:
        """Let time pass up to a moment; count what is over.

        Tables that still have much to count are finished by further calls, see ``is_behind``.
        """
        for _ in self._advance(clock):
            pass

    def _advance(self, clock: int) -> Iterator[LiveTable]:
        """One table after the other; each that has counted all there is."""
        self.clock = max(self.clock, clock)
        for unit, waiting in self._waiting.items():
            self._count_what_is_over(unit, waiting)
        for live in self.tables:
            to_count = self._to_count[live.table.name]
            if to_count:
                self._count_some(live, to_count)
            if not to_count:
                live.advance(self.clock - self.clock % live.table.unit)
                yield live

    def _count_what_is_over(self, unit: int, waiting: list[Events]) -> None:
        edge = self.clock - self.clock % unit
        over, rest = [], []
        for events in waiting:
            mask = events.time < edge
            if mask.all():
                over.append(events)
            elif mask.any():
                over.append(events.keep(mask))
                rest.append(events.keep(~mask))
            else:
                rest.append(events)
        waiting[:] = rest
        if over:
            for live in self.tables:
                if live.table.unit == unit:
                    self._to_count[live.table.name].extend(over)

    def _count_some(self, live: LiveTable, to_count: list[Events]) -> None:
        together = Events.concat(to_count)
        if live.table.is_live or len(together) <= AT_ONCE:
            some, rest = together, []
        else:
            some, rest = together.keep(slice(0, AT_ONCE)), [together.keep(slice(AT_ONCE, None))]
        to_count[:] = rest
        live.add(live.of_events(some))

    @property
    def is_behind(self) -> bool:
        """Whether some table has more to count."""
        return any(self._to_count.values())

    def due(self, clock: int, most: int, most_live: int) -> Iterator[tuple[LiveTable, np.ndarray, bool]]:
        """Let time pass as ``advance`` does, and give each table as soon as it has counted, so that its rows need not
        wait for the next one: with keys that have new rows, and whether there may be more; of tables of events
        ``most_live`` at the most.
        """
        for live in self._advance(clock):
            limit = most_live if live.table.is_live else most
            keys = live.due(limit)
            if len(keys):
                yield live, keys, len(keys) == limit
