"""Feast compute engine for fast materialize: packs Arrow batches from the offline store and writes them to Redis.

Feast's own engine converts every value to a protobuf first. This engine reads the newest row of each key in batches,
packs whole columns, and writes one batch while the next is read. Views with Feast windows or transformations, and other
online stores, are left to the base class, Feast's local engine. Feast loads this module by dotted path from
feature_store.yaml.
"""

import dataclasses
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, cast

import pyarrow as pa
from feast import BatchFeatureView, RepoConfig, StreamFeatureView, utils
from feast.infra.common.materialization_job import MaterializationJobStatus, MaterializationTask
from feast.infra.compute_engines.local.compute import LocalComputeEngine
from feast.infra.compute_engines.local.job import LocalMaterializationJob
from feast.infra.registry.base_registry import BaseRegistry
from feast.repo_config import FeastConfigBaseModel
from feast.utils import make_tzaware
from pydantic import StrictStr

from feature_repo import clock
from feature_repo.stores.declared import declared_types
from feature_repo.stores.online import PackedRedisOnlineStore
from feature_repo.stores.packed_rows import packed_rows
from feature_repo.stores.retracted_rows import write_retracted
from feature_repo.stores.source_job import SourceRetrievalJob
from feature_repo.stores.source_path import source_of

_WRITES_AT_ONCE = 2
"""Redis processes one batch while the next is sent. Their order does not matter, because the newest row wins."""


class PackedComputeEngineConfig(FeastConfigBaseModel):
    """Options of the compute engine.

    Attributes:
        rows: rows per batch.
    """

    type: StrictStr = "feature_repo.stores.engine.PackedComputeEngine"
    rows: int = 10_000


class PackedComputeEngine(LocalComputeEngine):
    """Materializes plain views into packed values, with the memory of a few batches for any table size."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.pop("rows", None)
        kwargs.pop("type", None)
        super().__init__(**kwargs)

    def _materialize_one(self, registry: BaseRegistry, task: MaterializationTask, **kwargs: Any) -> Any:
        view, now = task.feature_view, clock.now()
        task = dataclasses.replace(task, end_time=min(make_tzaware(task.end_time), now))  # excludes future rows
        if not isinstance(self.online_store, PackedRedisOnlineStore) or not _is_plain(task):
            return super()._materialize_one(registry, task, **kwargs)
        job_id = f"{view.name}-{task.start_time}-{task.end_time}"
        try:
            materialize(self.repo_config, self.offline_store, self.online_store, registry, task)
            self._rewrite_retracted(task)
        except Exception as error:  # Feast raises the error again
            return LocalMaterializationJob(job_id=job_id, status=MaterializationJobStatus.ERROR, error=error)
        return LocalMaterializationJob(job_id=job_id, status=MaterializationJobStatus.SUCCEEDED)

    def _rewrite_retracted(self, task: MaterializationTask) -> None:
        """Rewrites the online rows of keys whose events were retracted."""
        config, view, store = self.repo_config, task.feature_view, cast(PackedRedisOnlineStore, self.online_store)
        server = store.server(config, config.online_store.write_timeout)
        write_retracted(config, view, store.writer(config, view), server, task.end_time)


def materialize(
    config: RepoConfig,
    offline_store: Any,
    online_store: PackedRedisOnlineStore,
    registry: BaseRegistry,
    task: MaterializationTask,
) -> int:
    """Writes the newest row of every key of a view. A retry is safe, also after an interrupted run.

    Returns:
        Number of rows read.

    Raises:
        StoreError: the table is missing or damaged.
        InputError: a value does not fit its type.
        OnlineUnavailable: Redis does not accept the rows.
    """
    view = task.feature_view
    writer = online_store.writer(config, view)
    rows = 0
    bar = task.tqdm_builder(0) if task.tqdm_builder else None
    pending: deque[Future[int]] = deque()
    with ThreadPoolExecutor(_WRITES_AT_ONCE) as pool:
        for batch in _batches(config, offline_store, registry, task):
            keys, values = packed_rows(config, view, batch)
            if len(pending) >= _WRITES_AT_ONCE:
                pending.popleft().result()
            pending.append(pool.submit(writer.write, keys, values))
            rows += len(keys)
            if bar is not None:
                bar.update(len(keys))
        for write in pending:
            write.result()
    if bar is not None:
        bar.close()
    return rows


def _batches(
    config: RepoConfig, offline_store: Any, registry: BaseRegistry, task: MaterializationTask
) -> Iterator[pa.Table]:
    """Yields batches of the newest rows, with the column names of the view."""
    view = task.feature_view
    source = source_of(view)
    entities = [registry.get_entity(name, task.project) for name in view.entities]
    join_keys, features, time, created = utils._get_column_names(view, entities)
    job = offline_store.pull_latest_from_table_or_query(
        config=config,
        data_source=source,
        join_key_columns=join_keys,
        feature_name_columns=features,
        timestamp_field=time,
        created_timestamp_column=created,
        start_date=task.start_time,
        end_date=task.end_time,
    )
    rows = getattr(config.batch_engine, "rows", 10_000)
    if isinstance(job, SourceRetrievalJob):
        file_names = {new: old for old, new in (source.field_mapping or {}).items()}
        job = job.declared({file_names.get(name, name): dtype for name, dtype in declared_types(view).items()})
    if hasattr(job, "batches"):
        tables: Iterator[pa.Table] = (pa.Table.from_batches([batch]) for batch in job.batches(rows))
    else:
        combined = job.to_arrow().combine_chunks()
        tables = (combined.slice(start, rows) for start in range(0, len(combined), rows))
    for table in tables:
        renamed = utils._run_pyarrow_field_mapping(table, source.field_mapping or {})
        if len(renamed):
            yield renamed


def _is_plain(task: MaterializationTask) -> bool:
    """Whether the view consists of the newest source row of each key, without any transformation."""
    view = task.feature_view
    if isinstance(view, BatchFeatureView | StreamFeatureView):
        return False
    special = (getattr(view, name, None) for name in ("feature_transformation", "aggregations", "source_views"))
    return task.only_latest and not task.disable_event_timestamp and not any(special)
