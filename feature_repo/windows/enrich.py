"""Columns that the events of a windowed table take from a dimension table, as of the time of each event."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from feature_repo.errors import InputError
from feature_repo.windows.event_source import EventSource

TIMES = ("event_timestamp", "created_timestamp")


@dataclass(frozen=True)
class Enrich:
    """Columns of a dimension table that each event of a windowed table gets.

    A dimension is a kind of events, too: each says what holds for its key from its time on. An event gets the columns
    of the newest row with its key at or before its own time. They are missing if there is no such row, or if the event
    has no key.

    Attributes:
        dimension: the kind of events that is joined. Its ``key`` is what is joined on.
        on: columns of the event, named as the key of the dimension; or column of the event → column of that key. A
            column that an earlier dimension of the table gave may be among them.
        take: columns of the dimension; or their names in the windowed table → columns of the dimension.

    >>> episodes = EventSource("episodes", columns={"episode_id": "String", "price": "Int64"}, key=("episode_id",))
    >>> Enrich(episodes, on="episode_id", take=("price",)).columns
    {'price': 'price'}
    >>> Enrich(episodes, on={"heard_id": "episode_id"}, take={"list_price": "price"}).on_columns
    ('heard_id',)
    """

    dimension: EventSource
    on: str | tuple[str, ...] | Mapping[str, str] = field(hash=False)
    take: str | tuple[str, ...] | Mapping[str, str] = field(hash=False)

    @cached_property
    def keys(self) -> dict[str, str]:
        """Column of the event → column of the dimension's key."""
        return _renamed(self.on)

    @cached_property
    def columns(self) -> dict[str, str]:
        """Name in the windowed table → column of the dimension."""
        return _renamed(self.take)

    @cached_property
    def on_columns(self) -> tuple[str, ...]:
        """Columns of the event in the order of the dimension's key."""
        return tuple(sorted(self.keys, key=lambda name: self.dimension.key.index(self.keys[name])))

    @cached_property
    def taken(self) -> EventSource:
        """The columns that events get, with their types and resolutions."""
        dimension, columns = self.dimension, self.columns
        ranges = {name: dimension.ranges[of] for name, of in columns.items() if of in dimension.ranges}
        resolution = {name: dimension.resolution[of] for name, of in columns.items() if of in dimension.resolution}
        dtypes = {name: dimension.columns[of] for name, of in columns.items()}
        return EventSource(dimension.name, dtypes, shared=(), ranges=ranges, resolution=resolution)


def enriched_source(table: str, source: EventSource, dimensions: tuple[Enrich, ...]) -> EventSource:
    """Returns a kind of events with the columns that its events get from dimensions.

    Args:
        table: name of the windowed table, for errors.
        source: the kind of events.
        dimensions: what the events are joined with, in this order.

    Raises:
        InputError: a dimension, a key or a column is not there or does not fit; the message names both places.
    """
    if not isinstance(dimensions, tuple):
        raise _error(table, "a tuple of dimensions, such as enrich=(EPISODE,)", f"enrich={dimensions!r}"[:80])
    enriched = source
    for enrich in dimensions:
        _check(table, enriched, source, enrich)
        taken = enrich.taken
        enriched = EventSource(
            source.name,
            {**enriched.columns, **taken.columns},
            source.key,
            source.shared,
            {**enriched.ranges, **taken.ranges},
            {**enriched.resolution, **taken.resolution},
        )
    return enriched


def _check(table: str, events: EventSource, source: EventSource, enrich: Enrich) -> None:
    if not isinstance(enrich, Enrich) or not isinstance(enrich.dimension, EventSource):
        example = 'such as enrich=(Enrich(episodes, on="episode_id", take=("category",)),) with its EventSource'
        raise _error(table, f"dimensions of the project, {example}", repr(getattr(enrich, "dimension", enrich)))
    dimension = enrich.dimension
    if dimension is source:
        raise _error(table, f"another kind of events than {source.name} as dimension", f"{dimension.name}, its source")
    if not dimension.key or sorted(enrich.keys.values()) != sorted(dimension.key):
        found = f"on={enrich.on!r}"
        raise _error(table, f"the key {dimension.key} of the EventSource {dimension.name} in on=, whole", found)
    for name, key in enrich.keys.items():
        here, there = events.columns.get(name), dimension.columns[key]
        if here != there:
            expected = f"the column {name} of {source.name} of the type of {key} in {dimension.name}, {there}"
            raise _error(table, expected, f"{name!r} ({here or 'which is not there'})")
    if not enrich.columns:
        raise _error(table, f"columns of the EventSource {dimension.name} in take=", "none")
    for name, column in enrich.columns.items():
        if column not in dimension.columns:
            raise _error(table, f"columns of the EventSource {dimension.name} in take=", repr(column))
        if name in TIMES or events.dtype(name) is not None:
            expected = f"a name of its own for {column} of {dimension.name}, such as take={{'{dimension.name}_{column}'"
            raise _error(
                table, f"{expected}: {column!r}}}", f"{name!r}, which the events of {source.name} have already"
            )


def _error(table: str, expected: str, found: str) -> InputError:
    return InputError(
        expected=f"{expected}, in the windowed table {table}",
        found=found,
        next_command=f"correct the declaration of {table}, then: refrain apply",
    )


def _renamed(names: str | tuple[str, ...] | Mapping[str, str]) -> dict[str, str]:
    if isinstance(names, Mapping):
        return dict(names)
    return {name: name for name in ([names] if isinstance(names, str) else names)}
