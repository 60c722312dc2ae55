"""Feast's offline store over DuckDB and Parquet, with point-in-time joins that do not grow with the history.

Named in feature_store.yaml as ``feature_repo.stores.offline.AsOfOfflineStore``. It answers historical features and
``materialize``'s reads by itself and leaves everything else (logging, monitoring, remote storage) to the store that
it extends. How it joins: docs/decisions/005; how fast: docs/offline_store.md.
"""

import dataclasses
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import ibis
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from feast import FeatureView, FileSource, OnDemandFeatureView, utils
from feast.data_format import ParquetFormat
from feast.data_source import DataSource
from feast.errors import RequestDataNotFoundInEntityDfException, SavedDatasetLocationAlreadyExists
from feast.feature_view import DUMMY_ENTITY_ID, DUMMY_ENTITY_VAL
from feast.infra.offline_stores.duckdb import (
    DuckDBOfflineStore,
    DuckDBOfflineStoreConfig,
    _write_data_source,
)
from feast.infra.offline_stores.ibis import IbisRetrievalJob
from feast.infra.offline_stores.offline_store import RetrievalJob, RetrievalMetadata
from feast.infra.registry.base_registry import BaseRegistry
from feast.repo_config import RepoConfig
from feast.saved_dataset import SavedDatasetStorage
from feast.utils import make_tzaware
from pydantic import ByteSize, StrictStr

from feature_repo import clock
from feature_repo.clock import microseconds
from feature_repo.command_line import Progress, silent
from feature_repo.stores import pushed
from feature_repo.stores.column_types import small
from feature_repo.stores.declared import as_declared, column_of, declared_types
from feature_repo.stores.history import History, open_history, parquet_files_in
from feature_repo.stores.history_reader import END_OF_TIME, HistoryReader
from feature_repo.stores.join import Join, Limits
from feature_repo.stores.keys import all_keys
from feature_repo.stores.packed_rows import packed_rows
from feature_repo.stores.reading import reading
from feature_repo.stores.source_path import located, source_of, view_located
from feature_repo.stores.spine import open_spine


class AsOfOfflineStoreConfig(DuckDBOfflineStoreConfig):
    """Options in feature_store.yaml, beside those of Feast's DuckDB store."""

    type: StrictStr = "feature_repo.stores.offline.AsOfOfflineStore"

    memory_limit: ByteSize | None = None
    """What a retrieval may use, such as ``4GB``; half of the machine's memory if it is not set."""

    threads: int | None = None
    """Cores that it may use; all if it is not set."""

    data_folder: str | None = None
    """Folder of the feature tables, see ``source_path``; relative to that of the configuration."""

    temp_directory: str | None = None
    """Where it spills; the system's folder for temporary files if it is not set."""

    def limits(self) -> Limits:
        """The same, for a join."""
        return Limits(None if self.memory_limit is None else int(self.memory_limit), self.threads, self.temp_directory)


class AsOfOfflineStore(DuckDBOfflineStore):
    """Point-in-time joins, and the newest row of every key, over Parquet."""

    @staticmethod
    def get_historical_features(
        config: RepoConfig,
        feature_views: list[FeatureView],
        feature_refs: list[str],
        entity_df: pd.DataFrame | str,
        registry: BaseRegistry,
        project: str,
        full_feature_names: bool = False,
        filter_by_created_timestamp: bool = False,
        **kwargs: Any,
    ) -> "AsOfRetrievalJob":
        """Each feature as it was at the time of each row of the spine.

        Args:
            config: of the repository.
            feature_views: that are asked for.
            feature_refs: ``view:feature``.
            entity_df: the spine: a pandas, polars or Arrow table, a ``pathlib.Path`` of Parquet, an SQL query, or
                None for all keys that have a row between ``start_date`` and ``end_date``, as of ``end_date``.
            registry: with the on-demand views.
            project: name.
            full_feature_names: name features ``view__feature``.
            filter_by_created_timestamp: use only rows that were created by the spine's time.
            kwargs: ``start_date`` (from the first row on, if None) and ``end_date``, without a spine.

        Returns:
            A job: rows in the order of the spine, its columns first; nothing is read before it is asked.

        Raises:
            InputError: the spine lacks a column, or has one in a type that cannot be joined.
            StoreError: a view's files are missing or are not what the view says.
        """
        limits = config.offline_store.limits()
        on_demand = OnDemandFeatureView.get_requested_odfvs(feature_refs, project, registry)
        histories = histories_of(config, feature_views, feature_refs, full_feature_names)
        if entity_df is None:
            start, end = kwargs.get("start_date"), kwargs.get("end_date") or clock.now()
            spine = all_keys(histories, start and make_tzaware(start), make_tzaware(end), limits=limits)
        else:
            spine = open_spine(entity_df, temp_directory=limits.temp_directory)
        for view in on_demand:
            for name in view.get_request_data_schema():
                if name not in spine.schema.names:
                    raise RequestDataNotFoundInEntityDfException(feature_name=name, feature_view_name=view.name)
        join = Join(spine, histories, filter_by_created_timestamp, limits)
        join.check()
        return AsOfRetrievalJob(join, config, on_demand, full_feature_names, feature_refs)

    @staticmethod
    def pull_latest_from_table_or_query(
        config: RepoConfig,
        data_source: DataSource,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None,
        start_date: datetime,
        end_date: datetime,
    ) -> RetrievalJob:
        """The newest row of every key between two times, both included: what ``materialize`` writes online."""
        columns = join_key_columns, feature_name_columns, timestamp_field, created_timestamp_column
        return SourceRetrievalJob(config, data_source, columns, (start_date, end_date), newest=True)

    @staticmethod
    def pull_all_from_table_or_query(
        config: RepoConfig,
        data_source: DataSource,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
    ) -> RetrievalJob:
        """Every row between two times, both included."""
        columns = join_key_columns, feature_name_columns, timestamp_field, created_timestamp_column
        return SourceRetrievalJob(config, data_source, columns, (start_date, end_date), newest=False)

    def get_table_column_names_and_types_from_data_source(
        self, config: RepoConfig, data_source: DataSource
    ) -> Iterable[tuple[str, str]]:
        """As Feast's, of the files where they lie now; a push is compared with them."""
        return super().get_table_column_names_and_types_from_data_source(config, located(data_source, config))

    @staticmethod
    def offline_write_batch(
        config: RepoConfig,
        feature_view: FeatureView,
        table: pa.Table,
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Append rows to a view's source, in the view's types: to a folder as one more file, behind those of a file.

        Raises:
            InputError: the table lacks a column of the view, or has a value that does not fit; nothing is written.
        """
        feature_view = view_located(feature_view, config)
        source = feature_view.batch_source
        if source is not None:  # what could not be brought online is refused here, too
            rows = utils._run_pyarrow_field_mapping(table, source.field_mapping or {})
            packed_rows(config, feature_view, pushed.in_view_types(feature_view, rows))
        place = None if source is None else _local(config, source)
        if source is None or place is None or not place.exists():
            rows = table if source is None else pushed.fitted(feature_view, source, table, [])
            DuckDBOfflineStore.offline_write_batch(config, feature_view, rows, progress)
            return
        if place.is_dir():
            pushed.add_file(place, pushed.fitted(feature_view, source, table, parquet_files_in(place, source)))
        else:
            pushed.append(place, pushed.fitted(feature_view, source, table, [place]))
        if progress:
            progress(len(table))


class AsOfRetrievalJob(RetrievalJob):
    """A point-in-time join that has not run yet: whole (`to_df`, `to_arrow`), in batches, or into a file."""

    def __init__(
        self,
        join: Join,
        config: RepoConfig,
        on_demand: list[OnDemandFeatureView],
        full_feature_names: bool,
        feature_refs: list[str],
    ) -> None:
        super().__init__()
        self._join, self._config, self._on_demand = join, config, on_demand
        self._full_feature_names, self._feature_refs = full_feature_names, feature_refs

    @property
    def full_feature_names(self) -> bool:
        """Whether features are called ``view__feature``."""
        return self._full_feature_names

    @property
    def on_demand_feature_views(self) -> list[OnDemandFeatureView]:
        """Computed after the join."""
        return self._on_demand

    @property
    def metadata(self) -> RetrievalMetadata:
        """References, keys and time range of the spine."""
        first, last = self._join.spine.time_range()
        keys = [name for name in self._join.spine.schema.names if name != self._join.spine.time]
        return RetrievalMetadata(self._feature_refs, keys, first, last)

    def batches(self, rows: int | None = None, progress: Progress = silent) -> Iterator[pa.Table]:
        """The result a chunk of the spine at a time, on-demand features included; never held whole.

        Args:
            rows: of a chunk; as many as the memory limit allows if None. Every chunk reads the histories once.
            progress: told after each view of each chunk.
        """
        for table in self._join.tables(rows, progress):
            yield self._computed(_Chunk(table, self).to_arrow()) if self._on_demand else table

    def to_arrow(self, *args: Any, **named: Any) -> pa.Table:
        """The whole result, on-demand features included."""
        return self._computed(super().to_arrow(*args, **named))

    def _computed(self, table: pa.Table) -> pa.Table:
        """On-demand features in their declared types: pandas makes floats of numbers of which one is missing."""
        for view in self._on_demand:
            prefix = f"{view.projection.name_to_use()}__" if self._full_feature_names else ""
            columns = {f"{prefix}{field.name}": column_of(field) for field in view.features}
            table = as_declared(view.name, columns, table)
        return table

    def to_parquet(self, path: str | Path, rows: int | None = None, progress: Progress = silent) -> Path:
        """Stream the result into one Parquet file, which appears under its name when it is complete.

        Args:
            path: of the file; replaced if it is there.
            rows: of a chunk, see ``batches``.
            progress: told after each view of each chunk.
        """
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}")
        writer = None
        try:
            for table in self.batches(rows, progress):
                writer = writer or pq.ParquetWriter(partial, table.schema, compression="zstd")
                writer.write_table(table)
            if writer:
                writer.close()
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
        return target

    def persist(self, storage: SavedDatasetStorage, allow_overwrite: bool = False, timeout: int | None = None) -> None:
        """Keep the result as a saved dataset; streamed if that is one Parquet file on this machine."""
        source = storage.to_data_source()
        path = _local(self._config, source)
        if path is None or path.suffix != ".parquet":
            self._as_ibis().persist(storage, allow_overwrite, timeout)
            return
        if path.exists() and not allow_overwrite:
            raise SavedDatasetLocationAlreadyExists(location=str(path))
        self.to_parquet(path)

    def supports_remote_storage_export(self) -> bool:
        """Whether the store has a staging location."""
        return self._as_ibis(lazy=True).supports_remote_storage_export()

    def to_remote_storage(self) -> list[str]:
        """Export to the staging location, as Feast's own store does."""
        return self._as_ibis().to_remote_storage()

    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:
        return pa.concat_tables(self._join.tables())

    def _to_df_internal(self, timeout: int | None = None) -> pd.DataFrame:
        return self._to_arrow_internal().to_pandas()

    def _as_ibis(self, lazy: bool = False) -> IbisRetrievalJob:
        store = self._config.offline_store
        return IbisRetrievalJob(
            table=None if lazy else ibis.memtable(self.to_arrow()),
            on_demand_feature_views=[],
            full_feature_names=self._full_feature_names,
            metadata=self.metadata,
            data_source_writer=_write_data_source,
            staging_location=store.staging_location,
            staging_location_endpoint_override=store.staging_location_endpoint_override,
            repo_path=str(self._config.repo_path),
        )


class _Chunk(RetrievalJob):
    """One joined chunk, so that Feast's own code computes its on-demand features."""

    def __init__(self, table: pa.Table, job: AsOfRetrievalJob) -> None:
        super().__init__()
        self._table, self._job = table, job

    full_feature_names = property(lambda self: self._job.full_feature_names)
    on_demand_feature_views = property(lambda self: self._job.on_demand_feature_views)
    metadata = property(lambda self: self._job.metadata)

    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:
        return self._table


class SourceRetrievalJob(RetrievalJob):
    """Rows of one source between two times: all of them, or the newest of each key."""

    full_feature_names = False
    on_demand_feature_views: list[OnDemandFeatureView] = []  # noqa: RUF012
    metadata = None

    def __init__(
        self,
        config: RepoConfig,
        source: DataSource,
        columns: tuple[list[str], list[str], str, str | None],
        between: tuple[datetime | None, datetime | None],
        *,
        newest: bool,
    ) -> None:
        super().__init__()
        self._config, self._source, self._between, self._newest = config, located(source, config), between, newest
        self._keys, self._features, self._time, self._created = columns
        self._declared: Mapping[str, str] = {}

    def declared(self, types: Mapping[str, str]) -> "SourceRetrievalJob":
        """The same rows where types of columns are known (Feast's names), which decide what keys and paths mean."""
        self._declared = types
        return self

    def batches(self, rows: int = 100_000) -> Iterator[pa.RecordBatch]:
        """The rows, so many at a time. Of more keys than fit into memory a part is looked for after the other."""
        history = self._history()
        with reading(history) as reader:
            for frame in _regrouped(self._frames(history, reader), rows):
                yield from self._arrow(frame).to_batches()

    def persist(self, storage: SavedDatasetStorage, allow_overwrite: bool = False, timeout: int | None = None) -> None:
        """Keep the rows as a saved dataset."""
        table = ibis.memtable(self._to_arrow_internal())
        _write_data_source(table, storage.to_data_source(), str(self._config.repo_path), "overwrite", allow_overwrite)

    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:
        history = self._history()
        with reading(history) as reader:
            nothing = pl.DataFrame(schema={name: history.types[name] for name in self._columns()})
            return self._arrow(pl.concat([nothing, *self._frames(history, reader)]))

    def _to_df_internal(self, timeout: int | None = None) -> pd.DataFrame:
        return self._to_arrow_internal().to_pandas()

    def _columns(self) -> dict[str, str]:
        names = [*self._keys, *self._features, self._time, *([self._created] if self._created else [])]
        return {name: name for name in names}

    def _frames(self, history: History, reader: HistoryReader) -> Iterator[pl.DataFrame]:
        since, until = (None if moment is None else microseconds(moment) for moment in self._between)
        until = END_OF_TIME if until is None else until
        if not self._newest:
            yield from reader.between(self._columns(), since=since, until=until)
            return
        memory = self._config.offline_store.limits().bytes // 2
        yield from reader.newest(self._columns(), since=since, until=until, memory=memory)

    def _arrow(self, frame: pl.DataFrame) -> pa.Table:
        """Of Arrow's usual types, in one piece; Feast wants the key of views without one to be there."""
        table = small(frame.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest()))
        if self._keys:
            return table
        return table.append_column(DUMMY_ENTITY_ID, pa.array([DUMMY_ENTITY_VAL] * len(table), pa.string()))

    def _history(self) -> History:
        """The columns are named as in the files, after Feast's contract."""
        return open_history(
            self._source,
            view=self._source.name,
            keys={name: name for name in self._keys},
            features={name: name for name in self._features},
            time=self._time,
            created=self._created or None,
            renamed={},
            ttl=None,
            repo_path=self._config.repo_path,
            temp_directory=self._config.offline_store.temp_directory,
            declared=self._declared,
        )


def _regrouped(frames: Iterator[pl.DataFrame], rows: int) -> Iterator[pl.DataFrame]:
    """The same rows in frames of so many; the last may have fewer."""
    pending: list[pl.DataFrame] = []
    size = 0
    for frame in frames:
        pending.append(frame)
        size += frame.height
        if size >= rows:
            whole = pl.concat(pending)
            full = size - size % rows
            yield from (whole[start : start + rows] for start in range(0, full, rows))
            pending, size = [whole[full:]], size - full
    if size:
        yield pl.concat(pending)


def histories_of(
    config: RepoConfig, feature_views: Sequence[FeatureView], feature_refs: Sequence[str], full_feature_names: bool
) -> list[History]:
    """What lies behind some feature views, checked against what they say.

    Args:
        config: of the repository.
        feature_views: with their projections.
        feature_refs: ``view:feature``.
        full_feature_names: name features ``view__feature``.

    Raises:
        StoreError: files are missing, or are not what a view says.
    """
    return [_history(config, view, feature_refs, full_feature_names) for view in feature_views]


def _history(config: RepoConfig, view: FeatureView, feature_refs: Sequence[str], full_feature_names: bool) -> History:
    view = view_located(view, config)
    projection = view.projection
    source = source_of(view)
    asked = [
        feature for name, feature in (ref.split(":", 1) for ref in feature_refs) if name == projection.name_to_use()
    ]
    prefix = f"{projection.name_alias or view.name}__" if full_feature_names else ""
    keys = [column.name for column in view.entity_columns if column.name != DUMMY_ENTITY_ID]
    history = open_history(
        source,
        view=projection.name_to_use(),
        keys={projection.join_key_map.get(key, key): key for key in keys},
        features={f"{prefix}{feature}": feature for feature in asked},
        time=source.timestamp_field,
        created=source.created_timestamp_column or None,
        renamed={new: old for old, new in source.field_mapping.items()},
        ttl=view.ttl,
        repo_path=config.repo_path,
        temp_directory=config.offline_store.temp_directory,
        declared=declared_types(view),
    )
    declared = {f"{prefix}{field.name}": column_of(field) for field in view.features if field.name in asked}
    return dataclasses.replace(history, declared=declared)


def _local(config: RepoConfig, source: DataSource) -> Path | None:
    """Where a Parquet source lies on this machine; None for any other."""
    if not isinstance(source, FileSource) or not isinstance(source.file_format, ParquetFormat | None):
        return None
    path = FileSource.get_uri_for_file_path(config.repo_path, source.path)
    return None if "://" in path else Path(path)
