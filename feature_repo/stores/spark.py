"""Feast's Spark offline store, reading feature tables from the current data folder.

profiles/spark.yaml names it as ``feature_repo.stores.spark.LocatedSparkOfflineStore``.
"""

from collections.abc import Iterable
from typing import Any

from feast import FeatureView, RepoConfig
from feast.data_source import DataSource
from feast.infra.offline_stores.contrib.spark_offline_store.spark import SparkOfflineStore, SparkOfflineStoreConfig
from feast.infra.offline_stores.offline_store import RetrievalJob
from pydantic import StrictStr

from feature_repo.stores.source_path import located, view_located


class LocatedSparkOfflineStoreConfig(SparkOfflineStoreConfig):
    """Options in feature_store.yaml, in addition to those of Feast's Spark store."""

    type: StrictStr = "feature_repo.stores.spark.LocatedSparkOfflineStore"

    data_folder: str | None = None
    """Data folder with the feature tables, relative to the folder of the configuration."""


class LocatedSparkOfflineStore(SparkOfflineStore):
    """Feast's Spark store, with sources resolved against the current data folder."""

    @staticmethod
    def get_historical_features(
        config: RepoConfig, feature_views: list[FeatureView], *args: Any, **kwargs: Any
    ) -> RetrievalJob:
        """Delegates to Feast's store, with the tables of the current data folder."""
        views = [view_located(view, config) for view in feature_views]
        return SparkOfflineStore.get_historical_features(config, views, *args, **kwargs)

    @staticmethod
    def pull_latest_from_table_or_query(
        config: RepoConfig, data_source: DataSource, *args: Any, **kwargs: Any
    ) -> RetrievalJob:
        """Delegates to Feast's store, with the tables of the current data folder."""
        source = located(data_source, config)
        return SparkOfflineStore.pull_latest_from_table_or_query(config, source, *args, **kwargs)

    @staticmethod
    def pull_all_from_table_or_query(
        config: RepoConfig, data_source: DataSource, *args: Any, **kwargs: Any
    ) -> RetrievalJob:
        """Delegates to Feast's store, with the tables of the current data folder."""
        source = located(data_source, config)
        return SparkOfflineStore.pull_all_from_table_or_query(config, source, *args, **kwargs)

    def get_table_column_names_and_types_from_data_source(
        self, config: RepoConfig, data_source: DataSource
    ) -> Iterable[tuple[str, str]]:
        """Delegates to Feast's store, with the files of the current data folder."""
        return super().get_table_column_names_and_types_from_data_source(config, located(data_source, config))

    @staticmethod
    def offline_write_batch(config: RepoConfig, feature_view: FeatureView, *args: Any, **kwargs: Any) -> None:
        """Delegates to Feast's store, with the table of the current data folder."""
        SparkOfflineStore.offline_write_batch(config, view_located(feature_view, config), *args, **kwargs)
