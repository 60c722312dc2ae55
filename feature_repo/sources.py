"""Sources of feature tables, and their common layout.

A feature table is a folder of Parquet files in ``data/features/<view>/`` with the join keys, ``event_timestamp`` (the
moment T of the row, which uses only events before T), ``created_timestamp`` (when the row could first be known), and
the features. Rows are written when a value changes, so the newest row at or before a moment is valid at that moment
regardless of its age. Therefore the views have no ttl (docs/decisions/001).
"""

from datetime import timedelta
from typing import Any

from feast import Entity, FeatureView, Field, FileSource, PushSource, ValueType
from feast.data_format import ParquetFormat
from feast.data_source import DataSource
from feast.types import Int64, String

from feature_repo.home import Home
from feature_repo.stores.source_path import PLACE

WRITTEN_ON_CHANGE = {"rows": "written on change"}
"""Tag of a view whose newest row is valid regardless of its age; such a view needs no ttl."""


def feature_table(
    name: str, *, entities: list[Entity], schema: list[Field], description: str, can_be_pushed: bool = False
) -> FeatureView:
    """Declares a view of the feature table with the same name, optionally with the push source ``<name>_push``."""
    keys = [
        Field(name=entity.join_key, dtype=Int64 if entity.value_type == ValueType.INT64 else String)
        for entity in entities
    ]
    return FeatureView(
        name=name,
        entities=entities,
        ttl=timedelta(0),
        schema=[*keys, *schema],
        source=PushSource(name=f"{name}_push", batch_source=_source(name)) if can_be_pushed else _source(name),
        description=description,
        tags=WRITTEN_ON_CHANGE,
    )


def _source(name: str) -> DataSource:
    """Returns the source of the table's folder, for the offline store of the profile."""
    home = Home.from_env()
    path = str(home.features(name))
    options: dict[str, Any] = {
        "timestamp_field": "event_timestamp",
        "created_timestamp_column": "created_timestamp",
        "tags": {PLACE: home.features(name).relative_to(home.root).as_posix()},
    }
    if home.profile != "spark":
        return FileSource(name=f"{name}_table", path=path, file_format=ParquetFormat(), **options)
    from feast.infra.offline_stores.contrib.spark_offline_store.spark_source import SparkSource

    return SparkSource(name=f"{name}_spark_table", path=path, file_format="parquet", **options)
