"""Where feature tables lie, and the shape that all of them share.

A feature table is a folder of Parquet files in ``data/features/<view>/``: the join keys, ``event_timestamp`` (the
moment T that the row speaks for: it uses only events before T), ``created_timestamp`` (when that could first be
known), then the features. Rows are written when a value changes, so the newest row at or before a moment is true at
that moment however old it is; that is why the views have no ttl (docs/decisions/001).
"""

import os
from datetime import timedelta
from typing import Any

from feast import Entity, FeatureView, Field, FileSource, PushSource
from feast.data_format import ParquetFormat
from feast.data_source import DataSource
from feast.types import String

from feature_repo.home import Home
from feature_repo.stores.source_path import PLACE

WRITTEN_ON_CHANGE = {"rows": "written on change"}
"""Tag of a view whose newest row is true however old it is; such a view needs no ttl."""


def feature_table(
    name: str, *, entities: list[Entity], schema: list[Field], description: str, can_be_pushed: bool = False
) -> FeatureView:
    """Declare a view over the feature table of the same name; with the push source ``<name>_push`` if asked for."""
    keys = [Field(name=entity.join_key, dtype=String) for entity in entities]
    return FeatureView(
        name=name,
        entities=entities,
        ttl=timedelta(0),
        schema=[*keys, *schema],
        source=_pushed(name) if can_be_pushed else _source(name),
        description=description,
        tags=WRITTEN_ON_CHANGE,
    )


PUSH_SOURCES: list[PushSource] = []
"""Every push source, for Feast to find."""


def _pushed(name: str) -> PushSource:
    source = PushSource(name=f"{name}_push", batch_source=_source(name))
    PUSH_SOURCES.append(source)
    return source


def _source(name: str) -> DataSource:
    """The table's folder, as the offline store of the profile reads it."""
    home = Home.from_env()
    path = str(home.features(name))
    options: dict[str, Any] = {
        "timestamp_field": "event_timestamp",
        "created_timestamp_column": "created_timestamp",
        "tags": {PLACE: home.features(name).relative_to(home.root).as_posix()},
    }
    if os.environ.get("REFRAIN_PROFILE") != "spark":
        return FileSource(name=f"{name}_table", path=path, file_format=ParquetFormat(), **options)
    from feast.infra.offline_stores.contrib.spark_offline_store.spark_source import SparkSource

    return SparkSource(name=f"{name}_spark_table", path=path, file_format="parquet", **options)
