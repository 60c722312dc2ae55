"""What the stream may have made of events: it enriches an event with the dimension rows that have arrived by then."""

from functools import cached_property

import polars as pl

from feature_repo.days import days_in
from feature_repo.home import Home
from feature_repo.windows import Enrich, WindowedTable
from transforms.batch.windows.enriched import Dimensions, named_columns
from transforms.batch.windows.tiles import select_counted
from transforms.raw.declared import raw_tables
from transforms.raw.left_out import LeftOut
from transforms.raw.read import scan


class PossibleEvents:
    """The events of one table under all rows of its dimensions that were ever reported.

    Args:
        home: the data folder.
        table: the declaration.
        dimensions: the rows that count now.
    """

    def __init__(self, home: Home, table: WindowedTable, dimensions: Dimensions) -> None:
        self._home, self._table, self._dimensions = home, table, dimensions

    def enriched(self, events: pl.DataFrame) -> pl.DataFrame:
        """Returns events with each row at or before them, and with none; as they are for a table without dimensions.

        Args:
            events: events with their times and the columns that dimensions are joined on.
        """
        for enrich, rows in zip(self._table.enrich, self._reported, strict=True):
            joined = events.join(rows, on=list(enrich.on_columns), how="inner")
            joined = joined.filter(pl.col("_since") <= pl.col("event_timestamp")).drop("_since")
            events = pl.concat([events, joined], how="diagonal")
        return events

    def other_keys(self, events: pl.DataFrame) -> pl.DataFrame:
        """Returns keys that had one of the events if it was enriched otherwise, and do not have it now.

        Args:
            events: events with the table's ``reported_columns``, their times, and the columns that all events share.
        """
        table = self._table
        taken = {name for enrich in table.enrich for name in enrich.columns}
        if taken.isdisjoint(table.keys) and (table.where is None or taken.isdisjoint(table.where.columns)):
            return pl.DataFrame(schema=dict.fromkeys(table.keys, pl.String()))
        identity, numbered = ["_event", *table.keys], events.with_row_index("_event")
        counted = select_counted(table, self._dimensions.enriched(numbered).lazy()).select(identity)
        possible = select_counted(table, self.enriched(numbered).lazy()).select(identity)
        return possible.join(counted, on=identity, how="anti").select(table.keys).unique().collect()

    @cached_property
    def _reported(self) -> list[pl.DataFrame]:
        """Of each dimension, all rows that were ever reported, named as in the enriched events, with ``_since``."""
        return [self._rows(enrich) for enrich in self._table.enrich]

    def _rows(self, enrich: Enrich) -> pl.DataFrame:
        name = enrich.dimension.name
        raw, folder = raw_tables(self._home)[name], self._home.raw(name)
        folders = [folder] if raw.changes_slowly else [folder / f"date={day}" for day in days_in(folder)]
        rows = pl.concat([scan(self._home, name).collect(), *(LeftOut(raw, place).read() for place in folders)])
        return rows.select(*named_columns(enrich), _since="event_timestamp").unique()
