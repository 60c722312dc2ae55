"""What the stream may have made of events: it enriches an event with the dimension rows that have arrived by then."""

import polars as pl

from feature_repo.days import days_in
from feature_repo.home import Home
from feature_repo.windows import WindowedTable
from transforms.batch.windows.enriched import Dimensions
from transforms.batch.windows.tiles import select_counted
from transforms.raw.declared import raw_tables
from transforms.raw.left_out import LeftOut
from transforms.raw.read import scan


def possible(home: Home, table: WindowedTable, events: pl.DataFrame) -> pl.DataFrame:
    """Returns events enriched in every way: with each row at or before them that was ever reported, and with none.

    Args:
        home: the data folder.
        table: the declaration; events of a table without dimensions are returned as they are.
        events: events with their times and the columns that dimensions are joined on.
    """
    for enrich in table.enrich:
        keys = list(enrich.on_columns)
        reported = _reported(home, enrich.dimension.name).select(
            *(pl.col(key).alias(name) for name, key in zip(keys, enrich.dimension.key, strict=True)),
            *(pl.col(column).alias(name) for name, column in enrich.columns.items()),
            _since="event_timestamp",
        )
        joined = events.join(reported.unique(), on=keys, how="inner").filter(
            pl.col("_since") <= pl.col("event_timestamp")
        )
        events = pl.concat([events, joined.drop("_since")], how="diagonal")
        missing = [
            pl.lit(None, reported.schema[name]).alias(name) for name in enrich.columns if name not in events.columns
        ]
        events = events.with_columns(missing)
    return events


def other_keys(home: Home, table: WindowedTable, dimensions: Dimensions, events: pl.DataFrame) -> pl.DataFrame:
    """Returns keys that had an event if it was enriched otherwise, and have it no more.

    Args:
        home: the data folder.
        table: the declaration.
        dimensions: what the events are enriched with now.
        events: events with the table's ``reported_columns``, both times, and what all events share.
    """
    taken = {name for enrich in table.enrich for name in enrich.columns}
    if taken.isdisjoint(table.keys) and (table.where is None or taken.isdisjoint(table.where.columns)):
        return pl.DataFrame(schema=dict.fromkeys(table.keys, pl.String()))
    identity = ["_event", *table.keys]
    numbered = events.with_row_index("_event")
    counted = select_counted(table, dimensions.enriched(numbered).lazy()).select(identity)
    others = select_counted(table, possible(home, table, numbered).lazy()).select(identity)
    return others.join(counted, on=identity, how="anti").select(table.keys).unique().collect()


def _reported(home: Home, name: str) -> pl.DataFrame:
    """All rows of a raw table that were ever reported, also those that are left out of it."""
    table, folder = raw_tables(home)[name], home.raw(name)
    folders = [folder] if table.changes_slowly else [folder / f"date={day}" for day in days_in(folder)]
    return pl.concat([scan(home, name).collect(), *(LeftOut(table, place).read() for place in folders)])
