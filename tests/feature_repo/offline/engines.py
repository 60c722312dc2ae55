"""The offline stores compared with the oracle: Refrain's, and the stores of Feast that a user could choose instead."""

import math
import shutil
import uuid
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from feast import FeatureStore, FeatureView, RepoConfig
from feast.data_source import DataSource
from feast.importer import import_class
from feast.infra.offline_stores.offline_store import OfflineStore

from feature_repo.store import silence_feast
from tests.feature_repo.offline.questions import Question, Table

AS_OF_STORE = "feature_repo.stores.offline.AsOfOfflineStore"


@dataclass
class Engine:
    """One offline store, its registry, and a folder for its tables."""

    name: str
    store: OfflineStore
    config: RepoConfig
    registry: Any
    folder: Path
    source: Callable[[Table, Path], DataSource]

    def views(self, question: Question, folder: Path) -> list[FeatureView]:
        """Writes and declares the question's tables; a table that occurs twice is written once."""
        table_by_name = {table.name: table for table in question.tables}
        paths = {name: table.write(folder) for name, table in table_by_name.items()}
        return [table.view(self.source(table, paths[table.name])) for table in question.tables]

    def job(self, question: Question, folder: Path, spine: Any = None) -> Any:
        """Returns the store's retrieval job for a question."""
        options = {"filter_by_created_timestamp": True} if question.as_known else {}
        return self.store.get_historical_features(
            config=self.config,
            feature_views=self.views(question, folder),
            feature_refs=question.references(),
            entity_df=question.arrow().to_pandas() if spine is None else spine,
            registry=self.registry,
            project=self.config.project,
            full_feature_names=question.full_names,
            **options,
        )

    def numbered_rows(self, question: Question) -> list[dict[str, Any]]:
        """Returns the features of each spine row with its ``row``, in the order of the store's result."""
        folder = self.folder / uuid.uuid4().hex
        try:
            table = self.job(question, folder).to_arrow()
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return plain(table.select(["row", *question.names()]))

    def features(self, question: Question) -> list[dict[str, Any]]:
        """Returns the features of each spine row in the order of the spine, without ``row``."""
        rows = sorted(self.numbered_rows(question), key=lambda row: row["row"])
        return [{name: value for name, value in row.items() if name != "row"} for row in rows]


def plain(table: pa.Table) -> list[dict[str, Any]]:
    """Returns rows as Python values; NaN, which pandas makes of a null, becomes None."""
    return [{name: _value(value) for name, value in row.items()} for row in table.to_pylist()]


def features(table: pa.Table, question: Question) -> list[dict[str, Any]]:
    """Returns the features of a question, row by row."""
    return plain(table.select(question.names()))


def _value(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


def open_engine(name: str, folder: Path) -> Engine:
    """Opens Refrain's store or Feast's DuckDB, file (Dask) or Spark store; skips the test if Spark cannot run."""
    options: dict[str, Any] = {
        "ours": {"type": AS_OF_STORE},
        "duckdb": {"type": "duckdb"},
        "file": {"type": "dask"},
        "spark": {"type": "spark", "spark_conf": _SPARK},
    }[name]
    source: Callable[[Table, Path], DataSource] = Table.file_source
    if name == "spark":
        source = _spark_source()
    config = RepoConfig(
        project="oracle",
        provider="local",
        registry=str(folder / "registry.db"),
        offline_store=options,
        online_store={"type": "sqlite", "path": str(folder / "online.db")},
        entity_key_serialization_version=3,
    )
    silence_feast()
    config_class = type(config.offline_store)
    store = import_class(config_class.__module__, config_class.__name__.removesuffix("Config"), "OfflineStore")()
    return Engine(name, store, config, FeatureStore(config=config).registry, folder, source)


_SPARK = {
    "spark.master": "local[1]",
    "spark.ui.enabled": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "2",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.sql.parquet.inferTimestampNTZ.enabled": "false",
}


def _spark_source() -> Callable[[Table, Path], DataSource]:
    pytest.importorskip("pyspark", reason="no PySpark: pip install -r requirements-spark.lock")
    if shutil.which("java") is None:
        pytest.skip("no Java for Spark on the path")
    from feast.infra.offline_stores.contrib.spark_offline_store.spark_source import SparkSource

    def source(table: Table, path: Path) -> DataSource:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Feast calls its own class experimental
            return SparkSource(
                name=f"{table.name}_source",
                path=str(path),
                file_format="parquet",
                timestamp_field="event_timestamp",
                created_timestamp_column="created_timestamp" if table.has_created else "",
                field_mapping=dict(table.mapping) or None,
            )

    return source
