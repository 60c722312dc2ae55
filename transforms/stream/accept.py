"""Which events count: those that are well-formed, in time, told for the first time, and not part of a flood."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

import pyarrow as pa

from feature_repo import events
from feature_repo.packed.encode import ARROW, MOMENT
from feature_repo.windows import EventSource
from feature_repo.windows.table import MINUTE

FLOOD = 1_000
"""Events of one key that count within a minute: more is no listener."""

SPAN = MINUTE // 12
"""Microseconds of events that are remembered together."""


class Told(NamedTuple):
    """One event as it was told: its kind, and its JSON."""

    kind: str
    payload: bytes


@dataclass
class Dead:
    """An event that was refused."""

    reason: str
    told: Told


@dataclass
class Accepted:
    """What became of some events of one source.

    Attributes:
        time: of those that count, microseconds since 1970.
        created: of those.
        columns: of those.
        left: rows for the batch run alone (too late, or told before otherwise): times and columns.
        dead: refused.
        counts: what became of how many, by name.
    """

    source: EventSource
    time: list[int] = field(default_factory=list)
    created: list[int] = field(default_factory=list)
    columns: dict[str, Sequence[Any]] = field(default_factory=dict)
    left: list[tuple] = field(default_factory=list)
    dead: list[Dead] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def to_log(self) -> pa.Table | None:
        """All that the batch run should know, as rows of the raw table; None if there is nothing."""
        names = list(self.source.columns)
        columns = [self.time, self.created, *(self.columns[name] for name in names)]
        if self.left:
            columns = [[*column, *more] for column, more in zip(columns, zip(*self.left, strict=True), strict=True)]
        if not columns[0]:
            return None
        times = [pa.array(column, pa.int64()).view(MOMENT) for column in columns[:2]]
        told = [
            pa.array(column, ARROW.get(self.source.columns[name], pa.string()))
            for name, column in zip(names, columns[2:], strict=True)
        ]
        return pa.table([*times, *told], ["event_timestamp", "created_timestamp", *names])


class Gate:
    """Decides about each event once, in the order in which they come.

    Args:
        source: kind of event.
        lateness: microseconds; what comes later than this after newer events is left to the batch run.
        flood: events of one key that count within a minute.
    """

    def __init__(self, source: EventSource, lateness: int, flood: int = FLOOD) -> None:
        self.source, self.lateness, self.flood = source, lateness, flood
        self._names = list(source.columns)
        self._who = self._names.index(source.key[0])
        self._key = itemgetter(*(self._names.index(name) for name in source.key))
        self._known: dict[int, dict[tuple, tuple[int, int]]] = defaultdict(dict)
        """Span → what was told → digest of its words, and created time: many small ones, for one that is full is
        copied, and nothing else is done meanwhile.
        """
        self._otherwise: dict[int, set[tuple[tuple, int, int | None]]] = defaultdict(set)
        """Span → what was told once more, digest of its words, and created time, also as None: for one not told."""
        self._many: dict[int, Counter[Any]] = defaultdict(Counter)
        """Minute → key → how often."""
        self._forgotten = -1

    def remember(self, rows: Iterable[tuple]) -> None:
        """Events that count already: time, created time and columns; each as it stands, then as it was told else."""
        for row in rows:
            time, created, *values = row
            known, identity, words = self._known[time // SPAN], (time, self._key(values)), hash(tuple(values))
            if identity in known:
                self._note_otherwise(identity, words, created)
                continue
            known[identity] = words, created
            self._many[time // MINUTE][values[self._who]] += 1

    def accept(self, told: Sequence[Told], clock: int, now: int, *, arrived: int | None) -> Accepted:
        """Look at events.

        Args:
            told: in the order in which they came.
            clock: moment up to which events have come; decides what is late.
            now: of the world; nothing may happen later.
            arrived: created time of events that tell none; None for the time of the event itself.
        """
        out = Accepted(self.source)
        count, lateness, flood = out.counts, self.lateness, self.flood
        times, created, rows = [], [], []
        values_of, key_of, who, parse = attrgetter(*self._names), self._key, self._who, events.parse
        first, span = arrived or 0, -1
        for one in told:
            try:
                event, time, known_at = parse(one.kind, one.payload, now)
            except events.Refused as error:
                out.dead.append(Dead(str(error), one))
                continue
            values, created_time = values_of(event), known_at
            if known_at is None:
                known_at = time if time > first else first
            if time >= clock:
                clock = time + 1
            elif time < clock - lateness:
                out.left.append((time, known_at, *values))
                count["late"] += 1
                continue
            if time // SPAN != span:
                span = time // SPAN
                many, known = self._many[time // MINUTE], self._known[span]
            identity, words = (time, key_of(values)), hash(values)
            before = known.get(identity)
            if before is not None:
                is_same = before[0] == words and created_time in (None, before[1])
                if is_same or (identity, words, created_time) in self._otherwise[span]:
                    count["duplicate"] += 1
                else:
                    self._note_otherwise(identity, words, known_at)
                    out.left.append((time, known_at, *values))
                    count["amended"] += 1
                continue
            often = many.get(values[who], 0)
            if often >= flood:
                why = f"flood: more than {flood:,} events of one {self.source.key[0]} a minute"
                out.dead.append(Dead(why, one))
                continue
            many[values[who]] = often + 1
            known[identity] = words, known_at
            times.append(time)
            created.append(known_at)
            rows.append(values)
        out.time, out.created = times, created
        columns = zip(*rows, strict=True) if rows else [()] * len(self._names)
        out.columns = dict(zip(self._names, columns, strict=True))
        count["accepted"] += len(rows)
        count["refused"] += len(out.dead)
        self._forget(clock - lateness)
        return out

    def _note_otherwise(self, identity: tuple, words: int, created: int) -> None:
        self._otherwise[identity[0] // SPAN] |= {(identity, words, created), (identity, words, None)}

    def _forget(self, before: int) -> None:
        if before // MINUTE == self._forgotten:
            return
        self._forgotten = before // MINUTE
        for kept, unit in ((self._known, SPAN), (self._otherwise, SPAN), (self._many, MINUTE)):
            for old in [number for number in kept if (number + 1) * unit < before]:
                del kept[old]
