"""Events with the columns of their dimensions: of each, the newest row of the key at or before the event.

A value is known since its dimension row is known, so an enriched event was created when both were. A row that repeats
the taken values of the row before it says nothing new, unless it was created earlier: then it was known earlier.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Mapping
from datetime import date
from functools import cached_property

import polars as pl

from feature_repo.home import Home
from feature_repo.windows import Enrich, WindowedTable
from transforms.raw.left_out import same_as_before
from transforms.raw.read import scan

_TIME, _CREATED = "event_timestamp", "created_timestamp"


class Dimensions:
    """The dimension tables of one windowed table.

    Args:
        table: the declaration.
        rows: name of each dimension → the rows of its raw table.

    Attributes:
        states: one frame per dimension of the table, see ``states_of``.
    """

    def __init__(self, table: WindowedTable, rows: Mapping[str, pl.DataFrame]) -> None:
        self.table = table
        self.states = [states_of(enrich, rows[enrich.dimension.name]) for enrich in table.enrich]

    @classmethod
    def read(cls, home: Home, table: WindowedTable) -> "Dimensions":
        """Reads the dimensions from the raw tables; of a table without dimensions nothing.

        Raises:
            StoreError: a file of a raw table is damaged.
        """
        return cls(table, {one.dimension.name: scan(home, one.dimension.name).collect() for one in table.enrich})

    def enriched(self, events: pl.DataFrame) -> pl.DataFrame:
        """Adds the columns of all dimensions to events, in any order of rows."""
        for enrich, states in zip(self.table.enrich, self.states, strict=True):
            events = enriched(events, enrich, states)
        return events

    def fingerprint(self, day: date) -> str:
        """Digest of all states up to the end of a day; events of the day can take no others."""
        places = [bisect_right(days, day) for days, _ in self._digests]
        return " ".join(
            digests[place - 1] if place else "none" for place, (_, digests) in zip(places, self._digests, strict=True)
        )

    @cached_property
    def _digests(self) -> list[tuple[list[date], list[str]]]:
        """Per dimension: the days of its states, oldest first, and the digest of all states up to the end of each."""
        return [_digests_by_day(states) for states in self.states]


def enriched(events: pl.DataFrame, enrich: Enrich, states: pl.DataFrame) -> pl.DataFrame:
    """Adds the columns of one dimension to events; they are created when both are known.

    Args:
        events: events with their times and the columns that the dimension is joined on.
        enrich: the declaration.
        states: result of ``states_of``.
    """
    joined = events.sort(_TIME).join_asof(
        states.sort(_TIME), on=_TIME, by=list(enrich.on_columns), check_sortedness=False, suffix=":state"
    )
    created = pl.max_horizontal(_CREATED, f"{_CREATED}:state")
    return joined.with_columns(created.alias(_CREATED)).drop(f"{_CREATED}:state")


def states_of(enrich: Enrich, rows: pl.DataFrame) -> pl.DataFrame:
    """The states of a dimension, named as in the enriched events.

    Args:
        enrich: the declaration.
        rows: rows of the dimension's raw table; of rows with the same key and time the one created last counts, of
            those the last.

    Returns:
        The columns on which the events are joined, the taken columns, the time from which the state holds, and the time
        since which its values are known; sorted by key and time.
    """
    keys, columns = list(enrich.on_columns), list(enrich.columns)
    named = rows.sort(_CREATED, maintain_order=True).select(*named_columns(enrich), _TIME, _CREATED)
    states = named.unique([*keys, _TIME], keep="last", maintain_order=True).sort(*keys, _TIME)
    states = states.with_columns(_is_new=~same_as_before([*keys, *columns])).with_columns(
        _run=pl.col("_is_new").cum_sum()
    )
    is_earlier = pl.col(_CREATED) < pl.col(_CREATED).cum_min().shift().over("_run")
    return states.filter(pl.col("_is_new") | is_earlier).drop("_is_new", "_run")


def named_columns(enrich: Enrich) -> list[pl.Expr]:
    """Key and taken columns of a dimension's raw table, named as in the enriched events."""
    names = {**enrich.keys, **enrich.columns}
    return [pl.col(column).alias(name) for name, column in names.items()]


def _digests_by_day(states: pl.DataFrame) -> tuple[list[date], list[str]]:
    dated = states.with_columns(_day=pl.col(_TIME).dt.date()).sort("_day", maintain_order=True)
    digest, days, digests = hashlib.sha256(), [], []
    for (day,), part in dated.partition_by("_day", as_dict=True, maintain_order=True).items():
        digest.update(part.write_ndjson().encode())
        days.append(day)
        digests.append(digest.hexdigest())
    return days, digests
