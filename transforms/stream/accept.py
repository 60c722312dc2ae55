"""The gate of the stream: it accepts events that are well-formed, in time, new, and not part of a flood."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

import pyarrow as pa

from feature_repo import events
from feature_repo.forgotten import Forgotten
from feature_repo.packed.encode import ARROW, MOMENT
from feature_repo.plausibility import AccountLimits
from feature_repo.windows import EventSource
from feature_repo.windows.table import MINUTE
from transforms.pure.account_hours import AccountHours

FLOOD = 1_000
"""Accepted events of one key per minute: a listener does not cause more."""

SPAN = MINUTE // 12
"""Microseconds of event time whose events share one dictionary of accepted events."""


class RawEvent(NamedTuple):
    """One event as it was reported: its kind and its JSON text."""

    kind: str
    payload: bytes


@dataclass
class Dead:
    """A refused event, with the reason."""

    reason: str
    event: RawEvent


@dataclass
class Accepted:
    """The gate's decisions about a batch of events of one source.

    Attributes:
        source: the kind of event.
        time: event times of the accepted events, microseconds since 1970.
        created: created times of the accepted events, microseconds since 1970.
        columns: columns of the accepted events.
        batch_only: rows that only the batch run counts (too late, or amended): two times, then the columns.
        dead: refused events.
        counts: outcome → number of events.
    """

    source: EventSource
    time: list[int] = field(default_factory=list)
    created: list[int] = field(default_factory=list)
    columns: dict[str, Sequence[Any]] = field(default_factory=dict)
    batch_only: list[tuple] = field(default_factory=list)
    dead: list[Dead] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def reported(self) -> Iterator[tuple]:
        """Yields all rows, accepted ones and those in ``batch_only``: two times, then the columns."""
        yield from zip(self.time, self.created, *self.columns.values(), strict=True)
        yield from self.batch_only

    def to_log(self) -> pa.Table | None:
        """Rows of the raw table for the batch run, accepted events and those in ``batch_only``; None without any."""
        names = list(self.source.columns)
        columns = [self.time, self.created, *(self.columns[name] for name in names)]
        if self.batch_only:
            columns = [
                [*column, *more] for column, more in zip(columns, zip(*self.batch_only, strict=True), strict=True)
            ]
        if not columns[0]:
            return None
        times = [pa.array(column, pa.int64()).view(MOMENT) for column in columns[:2]]
        arrays = [
            pa.array(column, ARROW.get(self.source.columns[name], pa.string()))
            for name, column in zip(names, columns[2:], strict=True)
        ]
        return pa.table([*times, *arrays], ["event_timestamp", "created_timestamp", *names])


class _OfForgotten(events.Refused):
    """An event of a person who asked to be forgotten."""


class Gate:
    """Decides about each event once, in the order of arrival.

    Args:
        source: the kind of event.
        lateness: microseconds; an event that arrives later than this after newer events is left to the batch run.
        flood: events of one key that are accepted within a minute.
        kinds: all kinds of events, for the reason when one is unknown.
        forgotten: people whose events are dropped, and not kept as refused ones.
        limits: what one account can plausibly do within an hour; None if that is not judged.
    """

    def __init__(
        self,
        source: EventSource,
        lateness: int,
        flood: int = FLOOD,
        kinds: Collection[str] = (),
        forgotten: Forgotten | None = None,
        limits: AccountLimits | None = None,
    ) -> None:
        self._forgotten = forgotten if forgotten is not None and forgotten.digests else None
        self.source, self.lateness, self.flood, self._kinds = source, lateness, flood, sorted(kinds)
        self._names = list(source.columns)
        self._flood_column = self._names.index(source.key[0])
        self._key = itemgetter(*(self._names.index(name) for name in source.key))
        self._accepted: dict[int, dict[tuple, tuple[int, int]]] = defaultdict(dict)
        """Span → identity of an event → digest of its values, and created time. There are many small dictionaries,
        because a full one is copied, during which the stream does nothing else.
        """
        self._amended: dict[int, set[tuple[tuple, int, int | None]]] = defaultdict(set)
        """Span → identity, digest and created time of amended events; each also with None, for reports without one."""
        self._minute_counts: dict[int, Counter[Any]] = defaultdict(Counter)
        """Minute → key → number of events."""
        self._accounts = None if limits is None else AccountHours(source, limits)
        self._forgotten_minute = -1

    def remember(self, rows: Iterable[tuple]) -> None:
        """Registers events that are counted already.

        Args:
            rows: event time, created time, then the columns; the version that stands precedes the event's others.
        """
        for row in rows:
            time, created, *values = row
            accepted, identity, digest = self._accepted[time // SPAN], (time, self._key(values)), hash(tuple(values))
            if identity in accepted:
                self._note_amended(identity, digest, created)
                continue
            accepted[identity] = digest, created
            self._minute_counts[time // MINUTE][values[self._flood_column]] += 1
            if self._accounts is not None:
                self._accounts.add(time, values)

    def _parse(self, raw_event: RawEvent, now: int) -> tuple[Any, int, int | None]:
        if raw_event.kind != self.source.name:  # the first gate also receives the kinds that do not exist
            raise events.Refused(f"unknown kind {raw_event.kind[:40]!r}, not one of {self._kinds}")
        event, time, created = events.parse(self.source, raw_event.payload, now)
        if self._forgotten is not None and self._forgotten.have_caused(event):
            raise _OfForgotten
        return event, time, created

    @staticmethod
    def _refuse(raw_event: RawEvent, error: events.Refused, out: Accepted) -> None:
        if isinstance(error, _OfForgotten):  # nothing of it is kept
            out.counts["forgotten"] += 1
        else:
            out.dead.append(Dead(str(error), raw_event))

    def accept(self, raw_events: Sequence[RawEvent], clock: int, now: int, *, arrived: int | None) -> Accepted:
        """Decides about events.

        Args:
            raw_events: the events, in the order of arrival.
            clock: moment up to which events have arrived, microseconds; decides which events are late.
            now: the current moment, microseconds; later events are refused.
            arrived: created time of events that report none; None for the event time itself.
        """
        out = Accepted(self.source)
        count, lateness, flood = out.counts, self.lateness, self.flood
        times, created, rows = [], [], []
        values_of, key_of, flood_column = attrgetter(*self._names), self._key, self._flood_column
        earliest_created, span, accounts = arrived or 0, -1, self._accounts
        for raw_event in raw_events:
            try:
                event, time, created_at = self._parse(raw_event, now)
            except events.Refused as error:
                self._refuse(raw_event, error, out)
                continue
            values, reported_created = values_of(event), created_at
            if created_at is None:
                created_at = time if time > earliest_created else earliest_created
            if time >= clock:
                clock = time + 1
            elif time < clock - lateness:
                out.batch_only.append((time, created_at, *values))
                count["late"] += 1
                continue
            if time // SPAN != span:
                span = time // SPAN
                minute_counts, accepted = self._minute_counts[time // MINUTE], self._accepted[span]
            identity, digest = (time, key_of(values)), hash(values)
            before = accepted.get(identity)
            if before is not None:
                is_same = before[0] == digest and reported_created in (None, before[1])
                if is_same or (identity, digest, reported_created) in self._amended[span]:
                    count["duplicate"] += 1
                else:
                    self._note_amended(identity, digest, created_at)
                    out.batch_only.append((time, created_at, *values))
                    count["amended"] += 1
                continue
            minute_count = minute_counts.get(values[flood_column], 0)
            if accounts is not None or minute_count >= flood:
                reason = self._implausible(minute_count, time, values)
                if reason:
                    out.dead.append(Dead(reason, raw_event))
                    continue
            minute_counts[values[flood_column]] = minute_count + 1
            accepted[identity] = digest, created_at
            times.append(time)
            created.append(created_at)
            rows.append(values)
        out.time, out.created = times, created
        columns = zip(*rows, strict=True) if rows else [()] * len(self._names)
        out.columns = dict(zip(self._names, columns, strict=True))
        count.update(accepted=len(rows), refused=len(out.dead))
        self._forget(clock - lateness)
        return out

    def _implausible(self, minute_count: int, time: int, values: Sequence[Any]) -> str:
        """Return why an event is not one of a person; empty if it may be, and is counted."""
        if minute_count >= self.flood:
            return f"flood: more than {self.flood:,} events of one {self.source.key[0]} a minute"
        if self._accounts is None:
            return ""
        reason = self._accounts.refusal(time, values)
        if not reason:
            self._accounts.add(time, values)
        return reason

    def _note_amended(self, identity: tuple, digest: int, created: int) -> None:
        self._amended[identity[0] // SPAN] |= {(identity, digest, created), (identity, digest, None)}

    def _forget(self, before: int) -> None:
        if before // MINUTE == self._forgotten_minute:
            return
        self._forgotten_minute = before // MINUTE
        if self._accounts is not None:
            self._accounts.forget(before)
        for memory, unit in ((self._accepted, SPAN), (self._amended, SPAN), (self._minute_counts, MINUTE)):
            for old in [number for number in memory if (number + 1) * unit < before]:
                del memory[old]
