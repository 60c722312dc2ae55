"""What is online of keys that have lost events: brought to what the tables say now.

The stream may have written a row of such a key that is newer than any that the tables have. It keeps its moment and
gets the values of now, known from now on, so that it wins.
"""

from datetime import datetime

import numpy as np
import polars as pl
import pyarrow as pa
from feast import FeatureView, RepoConfig
from feast.infra.registry.base_registry import BaseRegistry

from feature_repo import retractions
from feature_repo.clock import microseconds
from feature_repo.events import Names
from feature_repo.home import Home
from feature_repo.packed import entity_key
from feature_repo.packed.encode import MOMENT, encode, names
from feature_repo.packed.schema import UNKNOWN_TIME, Schema
from feature_repo.packed.server import Server, persistent, raised
from feature_repo.packed.times import online_times
from feature_repo.packed.write import Writer


def write_retracted(
    config: RepoConfig,
    registry: BaseRegistry,
    view: FeatureView,
    writer: Writer,
    server: Server,
    until: datetime,
    now: datetime,
) -> int:
    """Rewrite the rows of a view whose keys have lost events; the stream does it itself where it runs.

    Args:
        config: of the repository.
        registry: with the view.
        view: that is materialized.
        writer: of its rows.
        server: the online store.
        until: the moment of the values; rows that are newer stay, and are looked at again the next time.
        now: when the values become known.

    Returns:
        How many rows were rewritten.

    Raises:
        OnlineUnavailable: Redis does not answer.
    """
    home = Home.from_env()
    files = retractions.noted(home, view.name)
    if not files or stream_runs(server, config.project):
        return 0
    keys = retractions.keys(files)
    columns = sorted(view.join_keys)
    entities = names(
        entity_key.prefix(config.project, view.name), [keys[key].to_arrow() for key in columns]
    ).to_pylist()
    event, created = online_times(server, entities)
    there = (event != UNKNOWN_TIME) & (event <= microseconds(until))
    if there.any():
        rows = keys.filter(pl.Series(there))
        at = np.flatnonzero(there)
        values = _as_of(config, registry, view, rows, until)
        known = np.maximum(created[at] + 1, microseconds(now))
        packed = encode(
            Schema.of(view.name, [(f.name, str(f.dtype), f.vector_length or 0) for f in view.features]),
            {field.name: values[field.name].combine_chunks() for field in view.features},
            pa.array(event[at]).view(MOMENT),
            pa.array(known).view(MOMENT),
        )
        writer.write([entities[place] for place in at], packed)
    if not (event > microseconds(until)).any():
        retractions.forget(files)
    return int(there.sum())


def stream_runs(server: Server, project: str) -> bool:
    """Whether a reader of the stream is at work."""
    lease = Names(project).lease
    return bool(persistent(server, lambda: raised(server.send([("EXISTS", lease)], [lease]))[0], tries=2))


def _as_of(
    config: RepoConfig, registry: BaseRegistry, view: FeatureView, keys: pl.DataFrame, until: datetime
) -> pa.Table:
    from feature_repo.stores.offline import AsOfOfflineStore

    spine = keys.with_columns(event_timestamp=pl.lit(until, pl.Datetime("us", "UTC"))).to_arrow()
    references = [f"{view.name}:{feature.name}" for feature in view.features]
    job = AsOfOfflineStore.get_historical_features(config, [view], references, spine, registry, config.project)
    return job.to_arrow()
