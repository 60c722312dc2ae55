"""What is online of keys that have lost events, brought to what the stream counts now."""

from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from feature_repo import retractions
from feature_repo.clock import microseconds
from feature_repo.days import days_in
from feature_repo.home import Home
from feature_repo.packed import entity_key
from feature_repo.packed.correct import OnlineRows, correct
from feature_repo.packed.encode import names
from feature_repo.packed.schema import UNKNOWN_TIME, Schema
from feature_repo.packed.server import Server
from feature_repo.packed.write import Writer
from transforms.stream.state.live_table import LiveTable


def correct_online(home: Home, server: Server, live: LiveTable, now: datetime) -> int:
    """Rewrite the rows of one table whose keys have lost events.

    A row that is online keeps its moment, unless the stream has a newer one, and is known from now on, so that it wins.
    A key that has no events any more has no values; one that has old ones alone has those of empty windows.

    Args:
        home: whose project.
        server: the online store.
        live: the table, filled from all events that matter now; its tiles are up to date.
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
    columns = {key: ("String", keys[key].to_arrow()) for key in table.keys}
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
            nothing = ~(is_counted | _had_events(home, live, keys[there]))
            by_name = {name: _without(nothing, values) for name, values in by_name.items()}
        writer = Writer(server, home.project, schema, patience=60.0)
        count = correct(writer, schema, online.take(there), by_name, counted.event, microseconds(now))
    retractions.forget(files)
    return count


def _had_events(home: Home, live: LiveTable, keys: pl.DataFrame) -> np.ndarray:
    """(n,) whether there was ever an event of each key."""
    files = [Path(day) / "sums.parquet" for day in days_in(home.tiles(live.table.name)).values()]
    files = [file for file in files if file.is_file()]
    if not files:
        return np.zeros(keys.height, bool)
    tiles = pl.scan_parquet(files, hive_partitioning=False, glob=False).select(live.table.keys)
    known = tiles.join(keys.lazy(), on=live.table.keys, how="semi").unique().collect()
    beside = keys.join(known.with_columns(there=True), on=live.table.keys, how="left", maintain_order="left")
    return beside["there"].fill_null(False).to_numpy()


def _without(mask: np.ndarray, values: pa.Array) -> pa.Array:
    """(n,) values, missing where the mask is true."""
    return pc.if_else(pa.array(mask), pa.scalar(None, values.type), values)
