"""Feast's compute engine for fast materialize: Arrow batches from the offline store, packed, into Redis.

Feast's own engine makes a protobuf of every value before the online store sees it. This one takes the newest rows of
each key in batches, packs whole columns, and writes one batch while the next is read. Views that need more (windows
of Feast's, transformations) and other online stores go to Feast's local engine, which it extends. Loaded by dotted
path from feature_store.yaml.
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
from feature_repo.stores.offline import SourceRetrievalJob
from feature_repo.stores.online import PackedRedisOnlineStore
from feature_repo.stores.packed_rows import packed_rows
from feature_repo.stores.retracted_rows import write_retracted
from feature_repo.stores.source_path import source_of

_WRITES_AT_ONCE = 2
"""Redis works on one batch while the next is put on the wire; their order does not matter, the newest wins."""


class PackedComputeEngineConfig(FeastConfigBaseModel):
    """How much is under way at once.

    Attributes:
        rows: of one batch.
    """

    type: StrictStr = "feature_repo.stores.engine.PackedComputeEngine"
    rows: int = 10_000


class PackedComputeEngine(LocalComputeEngine):
    """Materializes plain views into packed values; memory is that of a few batches, whatever the table's size."""

    def __init__(self, **named: Any) -> None:
        named.pop("rows", None)
        named.pop("type", None)
        super().__init__(**named)

    def _materialize_one(self, registry: BaseRegistry, task: MaterializationTask, **named: Any) -> Any:
        view, now = task.feature_view, clock.now()
        task = dataclasses.replace(task, end_time=min(make_tzaware(task.end_time), now))  # no row of the future
        if not isinstance(self.online_store, PackedRedisOnlineStore) or not _is_plain(task):
            return super()._materialize_one(registry, task, **named)
        job_id = f"{view.name}-{task.start_time}-{task.end_time}"
        try:
            materialize(self.repo_config, self.offline_store, self.online_store, registry, task)
            self._correct(task)
        except Exception as error:  # Feast raises it again
            return LocalMaterializationJob(job_id=job_id, status=MaterializationJobStatus.ERROR, error=error)
        return LocalMaterializationJob(job_id=job_id, status=MaterializationJobStatus.SUCCEEDED)

    def _correct(self, task: MaterializationTask) -> None:
        """Bring to now what is online of keys that have lost events."""
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
    """Write the newest row of every key of a view. The same again is safe, also after it was stopped half-way.

    Returns:
        How many rows were read.

    Raises:
        StoreError: the table is missing or damaged.
        InputError: a value does not fit its type.
        OnlineUnavailable: Redis does not take the rows.
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
    """The newest rows, under the names of the view."""
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
        mapped = {new: old for old, new in (source.field_mapping or {}).items()}
        job = job.declared({mapped.get(name, name): dtype for name, dtype in declared_types(view).items()})
    if hasattr(job, "batches"):
        found: Iterator[pa.Table] = (pa.Table.from_batches([batch]) for batch in job.batches(rows))
    else:
        whole = job.to_arrow().combine_chunks()
        found = (whole.slice(start, rows) for start in range(0, len(whole), rows))
    for table in found:
        renamed = utils._run_pyarrow_field_mapping(table, source.field_mapping or {})
        if len(renamed):
            yield renamed


def _is_plain(task: MaterializationTask) -> bool:
    """Whether the newest row of each key of the source is all that the view is."""
    view = task.feature_view
    if isinstance(view, BatchFeatureView | StreamFeatureView):
        return False
    special = (getattr(view, name, None) for name in ("feature_transformation", "aggregations", "source_views"))
    return task.only_latest and not task.disable_event_timestamp and not any(special)
