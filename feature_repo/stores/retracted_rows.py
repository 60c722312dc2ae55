"""Rewrites online rows of keys whose events were retracted, from the current feature tables.

The stream may have written a row of such a key that is newer than all rows of the tables. It is replaced by the newest
row of the tables, or deleted if there is none.
"""

import dataclasses
from datetime import datetime

import numpy as np
import polars as pl
import pyarrow as pa
from feast import FeatureView, RepoConfig

from feature_repo import retractions
from feature_repo.clock import microseconds
from feature_repo.events import Names
from feature_repo.home import Home
from feature_repo.packed import entity_key
from feature_repo.packed.correct import OnlineRows, correct
from feature_repo.packed.encode import names
from feature_repo.packed.schema import UNKNOWN_TIME
from feature_repo.packed.server import Server, raise_errors, retry
from feature_repo.packed.write import Writer
from feature_repo.stores.join import Join
from feature_repo.stores.packed_rows import packed_rows
from feature_repo.stores.protobuf import key_types
from feature_repo.stores.source_path import source_of
from feature_repo.stores.spine import Spine
from feature_repo.stores.view_histories import histories_of


def write_retracted(
    config: RepoConfig,
    view: FeatureView,
    writer: Writer,
    server: Server,
    until: datetime,
) -> int:
    """Rewrites the rows of a view whose keys lost events. Does nothing while the stream runs: it does this itself.

    Args:
        config: configuration of the repository.
        view: the view that is materialized.
        writer: writer of the view's rows.
        server: the online store.
        until: moment of the values. Newer rows are kept and checked again by the next run.

    Returns:
        Number of rewritten rows.

    Raises:
        OnlineUnavailable: Redis does not answer.
    """
    home = Home.from_env()
    files = retractions.list_files(home, view.name)
    if not files or stream_runs(server, config.project):
        return 0
    keys = retractions.keys(files)
    columns = {key: (dtype, keys[key].to_arrow()) for key, dtype in key_types(view).items()}
    online = OnlineRows.read(server, names(entity_key.prefix(config.project, view.name), columns).to_pylist())
    until_us = microseconds(until)
    existing = np.flatnonzero((online.event != UNKNOWN_TIME) & (online.event <= until_us))
    count = 0
    if len(existing):
        rows = online.take(existing)
        value_by_name = dict(
            zip(*packed_rows(config, view, newest_rows(config, view, keys[existing], until)), strict=True)
        )
        count = correct(writer, rows, [value_by_name.get(name) for name in rows.names])
    if not (online.event > until_us).any():
        retractions.forget(files)
    return count


def stream_runs(server: Server, project: str) -> bool:
    """Whether a reader of the stream is running."""
    lease = Names(project).lease
    return bool(retry(server, lambda: raise_errors(server.send([("EXISTS", lease)], [lease]))[0], tries=2))


def newest_rows(config: RepoConfig, view: FeatureView, keys: pl.DataFrame, until: datetime) -> pa.Table:
    """Returns the newest row of each key up to a moment, with the names of the view; null times if there is none.

    Args:
        config: configuration of the repository.
        view: the view of the rows.
        keys: (n,) join keys.
        until: the moment.
    """
    references = [f"{view.name}:{feature.name}" for feature in view.features]
    (history,) = histories_of(config, [view], references, full_feature_names=False)
    source = source_of(view)
    field_mapping = source.field_mapping or {}
    times = {field_mapping.get(column, column): column for column in (history.time, history.created) if column}
    with_times = dataclasses.replace(history, features={**history.features, **times}, ttl=None)
    moment = "moment" + "_" * max(map(len, keys.columns))
    spine = keys.with_columns(pl.lit(until, pl.Datetime("us", "UTC")).alias(moment)).to_arrow()
    join = Join(Spine(spine, spine.schema, moment), [with_times], as_known=False, limits=config.offline_store.limits())
    return pa.concat_tables(join.tables())
