"""Dimension tables in memory, and events with the columns that they take from them."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Any

from feature_repo.windows import EventSource, WindowedTable
from transforms.stream.state.events import Coder, Events
from transforms.stream.state.words import Words


class Dimension:
    """What holds for each key as of a moment, by the rows that have arrived.

    Args:
        source: the kind of events whose rows they are.

    >>> episodes = EventSource("episodes", columns={"episode_id": "String", "price": "Int64"}, key=("episode_id",))
    >>> dimension = Dimension(episodes)
    >>> dimension.add([(20, 20, "e1", 7), (10, 30, "e1", 5)])
    >>> dimension.as_of(["e1", "e1", "e1", "e2"], [9, 10, 25, 25])
    [None, ('e1', 5), ('e1', 7), None]
    """

    def __init__(self, source: EventSource) -> None:
        self.source = source
        self._key = itemgetter(*(list(source.columns).index(name) for name in source.key))
        self._rows: dict[Any, list[tuple[int, int, tuple]]] = {}
        """Key → event time, created time and columns of its rows, by event time."""

    def add(self, rows: Iterable[Sequence[Any]]) -> None:
        """Adds rows in any order; of those with the same key and time the one created last counts.

        Args:
            rows: event time and created time in microseconds since 1970, then the columns.
        """
        for time, created, *columns in rows:
            own_rows, row = self._rows.setdefault(self._key(columns), []), (time, created, tuple(columns))
            place = bisect_left(own_rows, time, key=itemgetter(0))
            if place == len(own_rows) or own_rows[place][0] != time:
                own_rows.insert(place, row)
            elif own_rows[place][1] <= created:
                own_rows[place] = row

    def as_of(self, keys: Iterable[Any], times: Iterable[int]) -> list[tuple | None]:
        """Returns the columns of the newest row of each key at or before a time; None without one.

        Args:
            keys: (n,) keys; tuples if the key has several columns.
            times: (n,) microseconds since 1970.
        """
        columns: list[tuple | None] = []
        for key, time in zip(keys, times, strict=True):
            own_rows = self._rows.get(key, ())
            place = bisect_right(own_rows, time, key=itemgetter(0))
            columns.append(own_rows[place - 1][2] if place else None)
        return columns


class Enrichment:
    """Adds the columns of its dimensions to the events of one table.

    Args:
        table: the declaration.
        dimensions: name → the dimension, at least those of the table.

    Attributes:
        words: text column that events get → its texts.
    """

    def __init__(self, table: WindowedTable, dimensions: Mapping[str, Dimension]) -> None:
        self._joins = [
            (one, dimensions[one.dimension.name], Coder(one.taken, "", one.columns.keys() & {*table.coded}))
            for one in table.enrich
        ]
        self.words: dict[str, Words] = {}
        for _, _, coder in self._joins:
            self.words |= coder.words

    def enriched(self, events: Events) -> Events:
        """Returns events with the columns of the rows that have arrived; events of a table without dimensions as is."""
        for enrich, dimension, coder in self._joins:
            key_columns = [_values(events, name) for name in enrich.on_columns]
            keys = key_columns[0] if len(key_columns) == 1 else zip(*key_columns, strict=True)
            rows = dimension.as_of(keys, events.time.tolist())
            places = {name: list(dimension.source.columns).index(column) for name, column in enrich.columns.items()}
            columns = {name: [row and row[place] for row in rows] for name, place in places.items()}
            taken = coder.events(events.time, events.created, columns)
            events = replace(
                events,
                texts={**events.texts, **taken.texts},
                numbers={**events.numbers, **taken.numbers},
                present={**events.present, **taken.present},
                words={**events.words, **taken.words},
            )
        return events


def _values(events: Events, name: str) -> list[Any]:
    """(n,) values of a column, None where missing."""
    if name in events.texts:
        texts = events.words[name].texts
        return [texts[code] if code >= 0 else None for code in events.texts[name].tolist()]
    pairs = zip(events.numbers[name].tolist(), events.present[name].tolist(), strict=True)
    return [number if is_present else None for number, is_present in pairs]
