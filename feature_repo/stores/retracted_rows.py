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
from feature_repo.packed.correct import OnlineRows, correct
from feature_repo.packed.encode import names
from feature_repo.packed.schema import UNKNOWN_TIME
from feature_repo.packed.server import Server, persistent, raised
from feature_repo.packed.write import Writer
from feature_repo.stores.protobuf import key_types, schema_of


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
    columns = {key: (dtype, keys[key].to_arrow()) for key, dtype in key_types(view).items()}
    online = OnlineRows.read(server, names(entity_key.prefix(config.project, view.name), columns).to_pylist())
    last = microseconds(until)
    there = np.flatnonzero((online.event != UNKNOWN_TIME) & (online.event <= last))
    count = 0
    if len(there):
        values = _as_of(config, registry, view, keys[there], until)
        by_name = {field.name: values[field.name].combine_chunks() for field in view.features}
        rows = online.take(there)
        count = correct(writer, schema_of(view), rows, by_name, rows.event, microseconds(now))
    if not (online.event > last).any():
        retractions.forget(files)
    return count


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
