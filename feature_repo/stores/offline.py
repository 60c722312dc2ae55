"""Feast's offline store over DuckDB and Parquet, with point-in-time joins whose memory does not grow with the history.

feature_store.yaml names it as ``feature_repo.stores.offline.AsOfOfflineStore``. It implements historical features
(``join_job``) and the reads of ``materialize`` (``source_job``); everything else (logging, monitoring, remote storage)
is inherited from Feast's DuckDB store. See docs/decisions/005 for the join algorithm and docs/offline_store.md for its
speed.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import pandas as pd
import pyarrow as pa
from feast import FeatureView, OnDemandFeatureView, utils
from feast.data_source import DataSource
from feast.errors import RequestDataNotFoundInEntityDfException
from feast.infra.offline_stores.duckdb import DuckDBOfflineStore, DuckDBOfflineStoreConfig
from feast.infra.offline_stores.offline_store import RetrievalJob
from feast.infra.registry.base_registry import BaseRegistry
from feast.repo_config import RepoConfig
from feast.utils import make_tzaware
from pydantic import ByteSize, StrictStr

from feature_repo import clock
from feature_repo.access.feast_calls import check_call
from feature_repo.stores import pushed
from feature_repo.stores.history import parquet_files_in
from feature_repo.stores.join import Join, Limits
from feature_repo.stores.join_job import AsOfRetrievalJob
from feature_repo.stores.keys import all_keys
from feature_repo.stores.packed_rows import packed_rows
from feature_repo.stores.source_files import parquet_path
from feature_repo.stores.source_job import SourceRetrievalJob
from feature_repo.stores.source_path import located, view_located
from feature_repo.stores.spine import open_spine
from feature_repo.stores.view_histories import histories_of


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
    ) -> AsOfRetrievalJob:
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
            AccessError: the role of this process does not see the features as they are (``[access]`` of the project).
            InputError: the spine lacks a column, or has a column in a type that cannot be joined.
            StoreError: a view's files are missing or are not what the view says.
        """
        check_call(feature_refs)
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
        place = None if source is None else parquet_path(config, source)
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
