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
from datetime import datetime
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc
from feast import BatchFeatureView, FeatureView, RepoConfig, StreamFeatureView, utils
from feast.data_source import DataSource
from feast.infra.common.materialization_job import MaterializationJobStatus, MaterializationTask
from feast.infra.compute_engines.local.compute import LocalComputeEngine
from feast.infra.compute_engines.local.job import LocalMaterializationJob
from feast.infra.registry.base_registry import BaseRegistry
from feast.repo_config import FeastConfigBaseModel
from feast.utils import make_tzaware
from pydantic import StrictStr

from feature_repo import clock
from feature_repo.errors import StoreError
from feature_repo.packed import entity_key
from feature_repo.packed.encode import encode, names
from feature_repo.packed.schema import Schema
from feature_repo.stores.declared import declared_types
from feature_repo.stores.offline import SourceRetrievalJob
from feature_repo.stores.online import PackedRedisOnlineStore
from feature_repo.stores.protobuf import key_types, messages, schema_of
from feature_repo.stores.retracted_rows import write_retracted

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
            self._correct(registry, task, now)
        except Exception as error:  # Feast raises it again
            return LocalMaterializationJob(job_id=job_id, status=MaterializationJobStatus.ERROR, error=error)
        return LocalMaterializationJob(job_id=job_id, status=MaterializationJobStatus.SUCCEEDED)

    def _correct(self, registry: BaseRegistry, task: MaterializationTask, now: datetime) -> None:
        """Bring to now what is online of keys that have lost events."""
        config, view, store = self.repo_config, task.feature_view, cast(PackedRedisOnlineStore, self.online_store)
        server = store.server(config, config.online_store.write_timeout)
        write_retracted(config, registry, view, store.writer(config, view), server, task.end_time, now)


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
    schema = schema_of(view)
    writer = online_store.writer(config, view, schema)
    rows = 0
    bar = task.tqdm_builder(0) if task.tqdm_builder else None
    pending: deque[Future[int]] = deque()
    with ThreadPoolExecutor(_WRITES_AT_ONCE) as pool:
        for batch in _batches(config, offline_store, registry, task):
            keys, values = _packed(config, view, schema, batch)
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
    source = _source(view)
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


def _packed(config: RepoConfig, view: FeatureView, schema: Schema, table: pa.Table) -> tuple[list[bytes], list[bytes]]:
    """Names and values of the rows whose keys and time are there."""
    source = _source(view)
    mapped = source.field_mapping or {}
    time = mapped.get(source.timestamp_field, source.timestamp_field)
    created = mapped.get(source.created_timestamp_column, source.created_timestamp_column)
    keys = {name: (dtype, table[name]) for name, dtype in key_types(view).items()}
    named = names(entity_key.prefix(config.project, view.name), keys)
    if isinstance(named, pa.Scalar):  # no keys: one row
        named = pa.array([named.as_py()] * len(table), pa.large_binary())
    usable = pc.and_(named.is_valid(), table[time].combine_chunks().is_valid())
    if not pc.all(usable).as_py():
        named, table = named.filter(usable), table.filter(usable)
    columns = {
        column.name: messages(view, column, table[column.name]) if column.kind == "message" else table[column.name]
        for column in schema.columns
        if column.name in table.column_names
    }
    known = table[created].combine_chunks() if created and created in table.column_names else None
    return named.to_pylist(), encode(schema, columns, table[time].combine_chunks(), known)


def _source(view: FeatureView) -> DataSource:
    if view.batch_source is None:
        raise StoreError(
            expected=f"a batch source behind the view {view.name}",
            found="none",
            next_command="give the view a source, then: python -m feature_repo apply",
        )
    return view.batch_source


def _is_plain(task: MaterializationTask) -> bool:
    """Whether the newest row of each key of the source is all that the view is."""
    view = task.feature_view
    if isinstance(view, BatchFeatureView | StreamFeatureView):
        return False
    special = (getattr(view, name, None) for name in ("feature_transformation", "aggregations", "source_views"))
    return task.only_latest and not task.disable_event_timestamp and not any(special)
