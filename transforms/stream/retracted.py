"""What is online of keys that have lost events, brought to what the stream counts now."""

from datetime import datetime

import numpy as np
import polars as pl
import pyarrow as pa

from feature_repo import retractions
from feature_repo.clock import microseconds
from feature_repo.home import Home
from feature_repo.packed import entity_key
from feature_repo.packed.correct import OnlineRows, correct
from feature_repo.packed.encode import names
from feature_repo.packed.schema import UNKNOWN_TIME, Schema
from feature_repo.packed.server import Server
from feature_repo.packed.write import Writer
from transforms import feature_tables
from transforms.stream.state.live_table import LiveTable


def correct_online(home: Home, server: Server, live: LiveTable, now: datetime) -> int:
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
    columns = [keys[key].to_arrow() for key in sorted(table.keys)]
    online = OnlineRows.read(server, names(entity_key.prefix(home.project, table.name), columns).to_pylist())
    there = np.flatnonzero(online.event != UNKNOWN_TIME)
    codes = live.keys.codes([live.words(key).codes(keys[key].gather(there).to_list()) for key in table.keys])
    there = there[np.argsort(codes)]
    count = 0
    if len(there):
        schema = Schema.of(table.name, table.fields)
        counted = live.rows(np.sort(codes))
        by_name = counted.single
        is_counted = counted.event > 0
        if not is_counted.all():
            stored = _newest(home, live, keys[there], now)
            by_name = {name: _either(is_counted, values, stored[name]) for name, values in by_name.items()}
        writer = Writer(server, home.project, schema, patience=60.0)
        count = correct(writer, schema, online.take(there), by_name, counted.event, microseconds(now))
    retractions.forget(files)
    return count


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


def _either(mask: np.ndarray, counted: pa.Array, stored: pa.Array) -> pa.Array:
    """(n,) the first where the mask is true, else the second."""
    pairs = zip(mask.tolist(), counted.to_pylist(), stored.to_pylist(), strict=True)
    return pa.array([one if is_counted else other for is_counted, one, other in pairs], counted.type)
