"""Feast's offline store over DuckDB and Parquet, with point-in-time joins whose memory does not grow with the history.

feature_store.yaml names it as ``feature_repo.stores.offline.AsOfOfflineStore``. It implements historical features and
the reads of ``materialize``; everything else (logging, monitoring, remote storage) is inherited from Feast's DuckDB
store. See docs/decisions/005 for the join algorithm and docs/offline_store.md for its speed.
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
    """Options in feature_store.yaml, in addition to those of Feast's DuckDB store."""

    type: StrictStr = "feature_repo.stores.offline.AsOfOfflineStore"

    memory_limit: ByteSize | None = None
    """Memory limit of a retrieval, such as ``4GB``; half of the machine's memory if not set."""

    threads: int | None = None
    """Number of threads of a retrieval; one per core if not set."""

    data_folder: str | None = None
    """Data folder with the feature tables (see ``source_path``), relative to the folder of the configuration."""

    temp_directory: str | None = None
    """Spill folder; the system's temporary folder if not set."""

    def limits(self) -> Limits:
        """Returns the resource limits of a join."""
        return Limits(None if self.memory_limit is None else int(self.memory_limit), self.threads, self.temp_directory)


class AsOfOfflineStore(DuckDBOfflineStore):
    """Feast offline store with point-in-time joins over Parquet."""

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
        """Joins each feature as of the time of each row of the spine.

        Args:
            config: configuration of the repository.
            feature_views: the requested views.
            feature_refs: the requested features, as ``view:feature``.
            entity_df: the spine: a pandas, polars or Arrow table, a ``pathlib.Path`` of Parquet, an SQL query, or
                None for all keys that have a row between ``start_date`` and ``end_date``, as of ``end_date``.
            registry: registry with the on-demand views.
            project: name of the project.
            full_feature_names: whether features are named ``view__feature``.
            filter_by_created_timestamp: whether only rows count that were created by the spine's time.
            kwargs: ``start_date`` (None for no bound) and ``end_date``, used without a spine.

        Returns:
            A lazy job. Its result has the rows in the order of the spine, and the spine's columns first.

        Raises:
            InputError: the spine lacks a column, or has a column in a type that cannot be joined.
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
        """Reads the newest row of every key between two times, both included; ``materialize`` writes these online."""
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
        """Reads every row between two times, both included."""
        columns = join_key_columns, feature_name_columns, timestamp_field, created_timestamp_column
        return SourceRetrievalJob(config, data_source, columns, (start_date, end_date), newest=False)

    def get_table_column_names_and_types_from_data_source(
        self, config: RepoConfig, data_source: DataSource
    ) -> Iterable[tuple[str, str]]:
        """Returns columns and types of the files in the current data folder; Feast checks pushes against them."""
        return super().get_table_column_names_and_types_from_data_source(config, located(data_source, config))

    @staticmethod
    def offline_write_batch(
        config: RepoConfig,
        feature_view: FeatureView,
        table: pa.Table,
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Appends rows to a view's source in the view's types: as a new file of a folder, or to a single file.

        Raises:
            InputError: the table lacks a column of the view, or a value does not fit; nothing is written.
        """
        feature_view = view_located(feature_view, config)
        source = feature_view.batch_source
        if source is not None:  # rejects rows that could not be materialized
            rows = utils._run_pyarrow_field_mapping(table, source.field_mapping or {})
            packed_rows(config, feature_view, pushed.in_view_types(feature_view, rows))
        place = None if source is None else _local_path(config, source)
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
    """A lazy point-in-time join: run at once (`to_df`, `to_arrow`), in batches, or into a file."""

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
        """Whether features are named ``view__feature``."""
        return self._full_feature_names

    @property
    def on_demand_feature_views(self) -> list[OnDemandFeatureView]:
        """On-demand views that are computed after the join."""
        return self._on_demand

    @property
    def metadata(self) -> RetrievalMetadata:
        """Feature references, keys and time range of the spine."""
        first, last = self._join.spine.time_range()
        keys = [name for name in self._join.spine.schema.names if name != self._join.spine.time]
        return RetrievalMetadata(self._feature_refs, keys, first, last)

    def batches(self, rows: int | None = None, progress: Progress = silent) -> Iterator[pa.Table]:
        """Yields the result one chunk of the spine at a time, including on-demand features.

        Args:
            rows: rows per chunk; as many as the memory limit allows if None. Every chunk reads the histories once.
            progress: callback, called after each view of each chunk.
        """
        for table in self._join.tables(rows, progress):
            yield self._cast_on_demand(_Chunk(table, self).to_arrow()) if self._on_demand else table

    def to_arrow(self, *args: Any, **kwargs: Any) -> pa.Table:
        """Returns the whole result, including on-demand features."""
        return self._cast_on_demand(super().to_arrow(*args, **kwargs))

    def _cast_on_demand(self, table: pa.Table) -> pa.Table:
        """Casts on-demand features to their declared types: pandas turns integers into floats if one is missing."""
        for view in self._on_demand:
            prefix = f"{view.projection.name_to_use()}__" if self._full_feature_names else ""
            columns = {f"{prefix}{field.name}": column_of(field) for field in view.features}
            table = as_declared(view.name, columns, table)
        return table

    def to_parquet(self, path: str | Path, rows: int | None = None, progress: Progress = silent) -> Path:
        """Streams the result into one Parquet file, which gets its final name when it is complete.

        Args:
            path: path of the file; an existing file is replaced.
            rows: rows per chunk, see ``batches``.
            progress: callback, called after each view of each chunk.
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
        """Writes the result as a saved dataset; streams it if that is one local Parquet file."""
        source = storage.to_data_source()
        path = _local_path(self._config, source)
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
        """Exports to the staging location, as Feast's own store does."""
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
    """Adapter of one joined chunk, so that Feast's own code computes its on-demand features."""

    def __init__(self, table: pa.Table, job: AsOfRetrievalJob) -> None:
        super().__init__()
        self._table, self._job = table, job

    full_feature_names = property(lambda self: self._job.full_feature_names)
    on_demand_feature_views = property(lambda self: self._job.on_demand_feature_views)
    metadata = property(lambda self: self._job.metadata)

    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:
        return self._table


class SourceRetrievalJob(RetrievalJob):
    """Reads rows of one source between two times: all rows, or the newest of each key."""

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
        """Sets the declared column types (Feast's names), which decide how keys and path texts are read."""
        self._declared = types
        return self

    def batches(self, rows: int = 100_000) -> Iterator[pa.RecordBatch]:
        """Yields the rows in batches. If the keys do not fit into memory, they are searched in parts."""
        history = self._open_history()
        with reading(history) as reader:
            for frame in _regroup(self._frames(history, reader), rows):
                yield from self._to_arrow(frame).to_batches()

    def persist(self, storage: SavedDatasetStorage, allow_overwrite: bool = False, timeout: int | None = None) -> None:
        """Writes the rows as a saved dataset."""
        table = ibis.memtable(self._to_arrow_internal())
        _write_data_source(table, storage.to_data_source(), str(self._config.repo_path), "overwrite", allow_overwrite)

    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:
        history = self._open_history()
        with reading(history) as reader:
            empty = pl.DataFrame(schema={name: history.types[name] for name in self._column_names()})
            return self._to_arrow(pl.concat([empty, *self._frames(history, reader)]))

    def _to_df_internal(self, timeout: int | None = None) -> pd.DataFrame:
        return self._to_arrow_internal().to_pandas()

    def _column_names(self) -> dict[str, str]:
        names = [*self._keys, *self._features, self._time, *([self._created] if self._created else [])]
        return {name: name for name in names}

    def _frames(self, history: History, reader: HistoryReader) -> Iterator[pl.DataFrame]:
        since, until = (None if moment is None else microseconds(moment) for moment in self._between)
        until = END_OF_TIME if until is None else until
        if not self._newest:
            yield from reader.between(self._column_names(), since=since, until=until)
            return
        memory = self._config.offline_store.limits().bytes // 2
        yield from reader.newest(self._column_names(), since=since, until=until, memory=memory)

    def _to_arrow(self, frame: pl.DataFrame) -> pa.Table:
        """Converts to small Arrow types in one chunk; adds the dummy key that Feast expects of views without keys."""
        table = small(frame.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest()))
        if self._keys:
            return table
        return table.append_column(DUMMY_ENTITY_ID, pa.array([DUMMY_ENTITY_VAL] * len(table), pa.string()))

    def _open_history(self) -> History:
        """Opens the history; by Feast's contract, columns have the names of the files."""
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


def _regroup(frames: Iterator[pl.DataFrame], rows: int) -> Iterator[pl.DataFrame]:
    """Regroups rows into frames of ``rows`` rows; the last may have fewer."""
    pending: list[pl.DataFrame] = []
    size = 0
    for frame in frames:
        pending.append(frame)
        size += frame.height
        if size >= rows:
            merged = pl.concat(pending)
            full_rows = size - size % rows
            yield from (merged[start : start + rows] for start in range(0, full_rows, rows))
            pending, size = [merged[full_rows:]], size - full_rows
    if size:
        yield pl.concat(pending)


def histories_of(
    config: RepoConfig, feature_views: Sequence[FeatureView], feature_refs: Sequence[str], full_feature_names: bool
) -> list[History]:
    """Opens the histories of feature views, checked against the declarations.

    Args:
        config: configuration of the repository.
        feature_views: the views, with their projections.
        feature_refs: the requested features, as ``view:feature``.
        full_feature_names: whether features are named ``view__feature``.

    Raises:
        StoreError: files are missing or do not match the view.
    """
    return [_open_history(config, view, feature_refs, full_feature_names) for view in feature_views]


def _open_history(
    config: RepoConfig, view: FeatureView, feature_refs: Sequence[str], full_feature_names: bool
) -> History:
    view = view_located(view, config)
    projection = view.projection
    source = source_of(view)
    requested = [
        feature for name, feature in (ref.split(":", 1) for ref in feature_refs) if name == projection.name_to_use()
    ]
    prefix = f"{projection.name_alias or view.name}__" if full_feature_names else ""
    keys = [column.name for column in view.entity_columns if column.name != DUMMY_ENTITY_ID]
    history = open_history(
        source,
        view=projection.name_to_use(),
        keys={projection.join_key_map.get(key, key): key for key in keys},
        features={f"{prefix}{feature}": feature for feature in requested},
        time=source.timestamp_field,
        created=source.created_timestamp_column or None,
        renamed={new: old for old, new in source.field_mapping.items()},
        ttl=view.ttl,
        repo_path=config.repo_path,
        temp_directory=config.offline_store.temp_directory,
        declared=declared_types(view),
    )
    declared = {f"{prefix}{field.name}": column_of(field) for field in view.features if field.name in requested}
    return dataclasses.replace(history, declared=declared)


def _local_path(config: RepoConfig, source: DataSource) -> Path | None:
    """Returns the local path of a Parquet source; None for any other source."""
    if not isinstance(source, FileSource) or not isinstance(source.file_format, ParquetFormat | None):
        return None
    path = FileSource.get_uri_for_file_path(config.repo_path, source.path)
    return None if "://" in path else Path(path)
