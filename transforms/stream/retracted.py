"""Corrects the online rows of keys that have lost events."""

from pathlib import Path

import numpy as np
import polars as pl

from feature_repo import retractions
from feature_repo.days import days_in
from feature_repo.encryption import parquet_files
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
    """Replaces the online rows of keys that have lost events by the current rows, even by older ones.

    The row of a key that has no events any more is removed. A key whose events have all left the windows gets the row
    of empty windows.

    Args:
        home: the data folder.
        server: the online store.
        live: the table, filled from all relevant events, with its tiles up to date.

    Returns:
        Number of rows that changed.

    Raises:
        OnlineUnavailable: the online store does not answer.
    """
    table = live.table
    files = retractions.list_files(home, table.name)
    if not files:
        return 0
    keys = retractions.keys(files)
    columns = {key: (str(table.enriched.feast_type(key)), keys[key].to_arrow()) for key in table.keys}
    online = OnlineRows.read(server, names(entity_key.prefix(home.project, table.name), columns).to_pylist())
    places = np.flatnonzero(online.event != UNKNOWN_TIME)
    codes = live.keys.codes([live.words(key).codes(keys[key].gather(places).to_list()) for key in table.keys])
    places = places[np.argsort(codes)]
    count = 0
    if len(places):
        codes = np.sort(codes)
        counted = LiveRows.of(live, codes)
        last = _last_events(home, live, keys[places])
        event = np.where(counted.event > 0, counted.event, np.maximum(live.moments(last), live.closed(codes)))
        created = np.maximum(counted.created, event)
        schema = Schema.of(table.name, table.fields)
        packed = encode(schema, counted.columns, times(event), times(created))
        has_events = (counted.event > 0) | (last >= 0)
        values = [value if has_event else None for value, has_event in zip(packed, has_events.tolist(), strict=True)]
        count = correct(Writer(server, home.project, schema, patience=60.0), online.take(places), values)
    retractions.forget(files)
    return count


def _last_events(home: Home, live: LiveTable, keys: pl.DataFrame) -> np.ndarray:
    """(n,) time of each key's newest event before the table's clock; -1 for a key without events."""
    files = [Path(day) / "sums.parquet" for day in days_in(home.tiles(live.table.name)).values()]
    files = [file for file in files if file.is_file()]
    if not files:
        return np.full(keys.height, -1)
    tiles = parquet_files.scan(files, hive_partitioning=False).select(*live.table.keys, "last")
    tiles = tiles.filter(pl.col("last") < live.clock)
    last = tiles.join(keys.lazy(), on=live.table.keys, how="semi").group_by(live.table.keys).agg(pl.max("last"))
    with_last = keys.join(last.collect(), on=live.table.keys, how="left", maintain_order="left")
    return with_last["last"].fill_null(-1).to_numpy()
