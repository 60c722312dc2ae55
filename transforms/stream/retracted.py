"""What is online of keys that have lost events, brought to what the stream counts now."""

from pathlib import Path

import numpy as np
import polars as pl

from feature_repo import retractions
from feature_repo.days import days_in
from feature_repo.home import Home
from feature_repo.packed import entity_key
from feature_repo.packed.correct import OnlineRows, correct
from feature_repo.packed.encode import encode, names
from feature_repo.packed.schema import UNKNOWN_TIME, Schema
from feature_repo.packed.server import Server
from feature_repo.packed.write import Writer
from transforms.stream.push import times
from transforms.stream.state.live_rows import LiveRows
from transforms.stream.state.live_table import LiveTable


def correct_online(home: Home, server: Server, live: LiveTable) -> int:
    """Put the rows that the stream counts now in the place of those of keys that have lost events, newer or older.

    A key that has no events any more has no row; one that has old ones alone has that of windows that have emptied.

    Args:
        home: whose project.
        server: the online store.
        live: the table, filled from all events that matter now; its tiles are up to date.

    Returns:
        How many rows were other.

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
        codes = np.sort(codes)
        counted = LiveRows.of(live, codes)
        last = _last_events(home, live, keys[there])
        event = np.where(counted.event > 0, counted.event, np.maximum(live.moments(last), live.closed(codes)))
        created = np.maximum(counted.created, event)
        schema = Schema.of(table.name, table.fields)
        packed = encode(schema, counted.columns, times(event), times(created))
        is_known = (counted.event > 0) | (last >= 0)
        right = [value if known else None for value, known in zip(packed, is_known.tolist(), strict=True)]
        count = correct(Writer(server, home.project, schema, patience=60.0), online.take(there), right)
    retractions.forget(files)
    return count


def _last_events(home: Home, live: LiveTable, keys: pl.DataFrame) -> np.ndarray:
    """(n,) time of the newest event of each key to which a row has been due, -1 without any."""
    files = [Path(day) / "sums.parquet" for day in days_in(home.tiles(live.table.name)).values()]
    files = [file for file in files if file.is_file()]
    if not files:
        return np.full(keys.height, -1)
    tiles = pl.scan_parquet(files, hive_partitioning=False, glob=False).select(*live.table.keys, "last")
    tiles = tiles.filter(pl.col("last") < live.clock)
    known = tiles.join(keys.lazy(), on=live.table.keys, how="semi").group_by(live.table.keys).agg(pl.max("last"))
    beside = keys.join(known.collect(), on=live.table.keys, how="left", maintain_order="left")
    return beside["last"].fill_null(-1).to_numpy()
