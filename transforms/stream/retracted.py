"""What is online of keys that have lost events, brought to what the stream counts now."""

from datetime import datetime

import numpy as np
import polars as pl
import pyarrow as pa

from feature_repo import retractions
from feature_repo.clock import microseconds
from feature_repo.home import Home
from feature_repo.packed import entity_key
from feature_repo.packed.encode import MOMENT, encode, names
from feature_repo.packed.schema import UNKNOWN_TIME, Schema
from feature_repo.packed.server import Server
from feature_repo.packed.times import online_times
from feature_repo.packed.write import Writer
from transforms import feature_tables
from transforms.stream.state.live_table import LiveTable


def correct(home: Home, server: Server, live: LiveTable, now: datetime) -> int:
    """Rewrite the rows of one table whose keys have lost events.

    A row that is online keeps its moment, unless the stream has a newer one, and is known from now on, so that it wins.
    A key of which the stream knows no events has the values of its newest row in the table, or none.

    Args:
        home: whose project.
        server: the online store.
        live: the table, filled from all events that there are.
        now: when the values become known.

    Returns:
        How many rows were written.

    Raises:
        OnlineUnavailable: the online store does not answer.
    """
    table = live.table
    files = retractions.noted(home, table.name)
    if not files:
        return 0
    keys = retractions.keys(files)
    prefix = entity_key.prefix(home.project, table.name)
    entities = names(prefix, [keys[key].to_arrow() for key in sorted(table.keys)]).to_pylist()
    event, created = online_times(server, entities)
    is_online = event != UNKNOWN_TIME
    rows = keys.with_columns(
        entity=pl.Series(entities, dtype=pl.Binary), event=pl.Series(event), created=pl.Series(created)
    ).filter(pl.Series(is_online))
    if not rows.is_empty():
        schema = Schema.of(table.name, table.fields)
        writer = Writer(server, home.project, schema, patience=60.0)
        codes = live.keys.codes([live.words(key).codes(rows[key].to_list()) for key in table.keys])
        order = np.argsort(codes)
        counted = live.rows(codes[order])
        is_counted = counted.event > 0
        ordered = rows[order]
        moments = np.maximum(ordered["event"].to_numpy(), counted.event)
        known = np.maximum(ordered["created"].to_numpy() + 1, microseconds(now))
        columns = counted.single
        if not is_counted.all():
            stored = _newest(home, live, ordered, now)
            mask = pa.array(is_counted)
            columns = {name: _either(mask, columns[name], stored[name]) for name in columns}
        packed = encode(schema, columns, pa.array(moments).view(MOMENT), pa.array(known).view(MOMENT))
        writer.write(ordered["entity"].to_list(), packed)
    retractions.forget(files)
    return rows.height


def _newest(home: Home, live: LiveTable, keys: pl.DataFrame, now: datetime) -> dict[str, pa.Array]:
    """Column -> (n,) values of each key's newest row in the table as of now, missing where it has none."""
    table = live.table
    rows = (
        feature_tables.scan(home, table.name)
        .filter(pl.col("event_timestamp") <= now)
        .join(keys.lazy().select(table.keys), on=table.keys, how="semi")
        .sort("event_timestamp", "created_timestamp")
        .unique(table.keys, keep="last")
        .collect()
    )
    beside = keys.select(table.keys).join(rows, on=table.keys, how="left", maintain_order="left")
    return {name: beside[name].to_arrow() for name, _ in table.fields}


def _either(mask: pa.Array, counted: pa.Array, stored: pa.Array) -> pa.Array:
    """(n,) the first where the mask is true, else the second."""
    chosen = [
        one if first else other
        for first, one, other in zip(mask.to_pylist(), counted.to_pylist(), stored.to_pylist(), strict=True)
    ]
    return pa.array(chosen, counted.type)
