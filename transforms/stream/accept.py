"""Which events count: those that are well-formed, in time, told for the first time, and not part of a flood."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from feature_repo import events
from feature_repo.windows import EventSource
from feature_repo.windows.table import DAY, MINUTE

FLOOD = 1_000
"""Events of one key that count within a minute: more is no listener."""


@dataclass(frozen=True)
class Told:
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
        left: rows for the batch run alone (too late, or told before in other words): times and columns.
        dead: refused.
        counts: what became of how many, by name.
    """

    source: EventSource
    time: list[int] = field(default_factory=list)
    created: list[int] = field(default_factory=list)
    columns: dict[str, list[Any]] = field(default_factory=dict)
    left: list[tuple] = field(default_factory=list)
    dead: list[Dead] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def to_log(self) -> pl.DataFrame | None:
        """All that the batch run should know, as rows of the raw table; None if there is nothing."""
        names = list(self.source.columns)
        rows = [*zip(self.time, self.created, *(self.columns[name] for name in names), strict=True), *self.left]
        return _frame(self.source, rows) if rows else None


def _frame(source: EventSource, rows: Sequence[tuple]) -> pl.DataFrame:
    types = {"String": pl.String(), "Int64": pl.Int64(), "Bool": pl.Boolean()}
    schema = {
        "event_timestamp": pl.Int64(),
        "created_timestamp": pl.Int64(),
        **{name: types[dtype] for name, dtype in source.columns.items()},
    }
    columns = zip(*rows, strict=True)
    made = {name: pl.Series(name, column, schema[name]) for name, column in zip(schema, columns, strict=True)}
    times = pl.col("event_timestamp", "created_timestamp").cast(pl.Datetime("us", "UTC"))
    return pl.DataFrame(made).with_columns(times)


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
        self._key = [self._names.index(name) for name in source.key]
        self._known: dict[int, dict[tuple, int]] = {}
        """Day → what was told → digest of how."""
        self._many: dict[int, Counter[Any]] = {}
        """Minute → key → how often."""

    def remember(self, rows: Iterable[tuple]) -> None:
        """Events that count already: time, created time and columns."""
        for row in rows:
            time, _, *values = row
            self._known.setdefault(time // DAY, {})[self._identity(time, values)] = hash(tuple(values))
            self._many.setdefault(time // MINUTE, Counter())[values[self._key[0]]] += 1

    def accept(self, told: Sequence[Told], clock: int, now: int, *, arrived: int | None) -> Accepted:
        """Look at events.

        Args:
            told: in the order in which they came.
            clock: moment up to which events have come; decides what is late.
            now: of the world; nothing may happen later.
            arrived: created time of events that tell none; None for the time of the event itself.
        """
        out = Accepted(self.source, columns={name: [] for name in self._names})
        count = out.counts
        for one in told:
            try:
                event, time, created = events.parse(one.kind, one.payload, now)
            except events.Refused as error:
                out.dead.append(Dead(str(error), one))
                continue
            values = [getattr(event, name) for name in self._names]
            known_at = created if created is not None else max(time, arrived or 0)
            clock = max(clock, time + 1)
            if time < clock - self.lateness:
                out.left.append((time, known_at, *values))
                count["late"] += 1
                continue
            known, identity, how = self._known.setdefault(time // DAY, {}), self._identity(time, values), None
            before = known.get(identity)
            if before is not None:
                how = hash(tuple(values))
                if before == how:
                    count["duplicate"] += 1
                else:
                    out.left.append((time, known_at, *values))
                    count["amended"] += 1
                continue
            many = self._many.setdefault(time // MINUTE, Counter())
            who = values[self._key[0]]
            if many[who] >= self.flood:
                out.dead.append(
                    Dead(f"flood: more than {self.flood:,} events of one {self.source.key[0]} a minute", one)
                )
                continue
            many[who] += 1
            known[identity] = hash(tuple(values))
            out.time.append(time)
            out.created.append(known_at)
            for name, value in zip(self._names, values, strict=True):
                out.columns[name].append(value)
        count["accepted"] += len(out.time)
        count["refused"] += len(out.dead)
        self._forget(clock - self.lateness)
        return out

    def _identity(self, time: int, values: Sequence[Any]) -> tuple:
        return time, *(values[place] for place in self._key)

    def _forget(self, before: int) -> None:
        for kept, unit in ((self._known, DAY), (self._many, MINUTE)):
            for old in [number for number in kept if (number + 1) * unit < before]:
                del kept[old]
