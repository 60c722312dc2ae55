"""Feast's Spark offline store, which reads feature tables where the data folder lies now.

Named in profiles/spark.yaml as ``feature_repo.stores.spark.LocatedSparkOfflineStore``.
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
    """Options in feature_store.yaml, beside those of Feast's Spark store."""

    type: StrictStr = "feature_repo.stores.spark.LocatedSparkOfflineStore"

    data_folder: str | None = None
    """Folder of the feature tables; relative to that of the configuration."""


class LocatedSparkOfflineStore(SparkOfflineStore):
    """Feast's store on sources that are resolved against the data folder."""

    @staticmethod
    def get_historical_features(
        config: RepoConfig, feature_views: list[FeatureView], *arguments: Any, **named: Any
    ) -> RetrievalJob:
        """As Feast's, on the tables of this data folder."""
        views = [view_located(view, config) for view in feature_views]
        return SparkOfflineStore.get_historical_features(config, views, *arguments, **named)

    @staticmethod
    def pull_latest_from_table_or_query(
        config: RepoConfig, data_source: DataSource, *arguments: Any, **named: Any
    ) -> RetrievalJob:
        """As Feast's, on the tables of this data folder."""
        source = located(data_source, config)
        return SparkOfflineStore.pull_latest_from_table_or_query(config, source, *arguments, **named)

    @staticmethod
    def pull_all_from_table_or_query(
        config: RepoConfig, data_source: DataSource, *arguments: Any, **named: Any
    ) -> RetrievalJob:
        """As Feast's, on the tables of this data folder."""
        source = located(data_source, config)
        return SparkOfflineStore.pull_all_from_table_or_query(config, source, *arguments, **named)

    def get_table_column_names_and_types_from_data_source(
        self, config: RepoConfig, data_source: DataSource
    ) -> Iterable[tuple[str, str]]:
        """As Feast's, of the files where they lie now."""
        return super().get_table_column_names_and_types_from_data_source(config, located(data_source, config))

    @staticmethod
    def offline_write_batch(config: RepoConfig, feature_view: FeatureView, *arguments: Any, **named: Any) -> None:
        """As Feast's, into the table of this data folder."""
        SparkOfflineStore.offline_write_batch(config, view_located(feature_view, config), *arguments, **named)
