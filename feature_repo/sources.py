"""Sources of feature tables, and their common layout.

A feature table is a folder of Parquet files in ``data/features/<view>/`` with the join keys, ``event_timestamp`` (the
moment T of the row, which uses only events before T), ``created_timestamp`` (when the row could first be known), and
the features. Rows are written when a value changes, so the newest row at or before a moment is valid at that moment
regardless of its age. Therefore the views have no ttl (docs/decisions/001).
"""

import copy
from collections.abc import Mapping
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Any

from feast import Entity, FeatureView, Field, FileSource, PushSource, ValueType
from feast.data_format import ParquetFormat
from feast.data_source import DataSource
from feast.types import Int64, String

from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.stores.source_path import PLACE

WRITTEN_ON_CHANGE = {"rows": "written on change"}
"""Tag of a view whose newest row is valid regardless of its age; such a view needs no ttl."""

RAW_COLUMNS = "raw_columns"
"""Tag of a field: the raw columns that its values are made of, such as ``tracks.title``, separated by spaces. Tag of a
view: the raw columns beside its keys and times on which it depends which rows there are."""


def feature_table(
    name: str,
    *,
    entities: list[Entity],
    schema: list[Field],
    description: str,
    can_be_pushed: bool = False,
    columns: Mapping[str, str] | None = None,
    rows: str = "",
) -> FeatureView:
    """Declares a view of the feature table with the same name.

    Args:
        name: name of view and table.
        entities: entities whose join keys are its keys.
        schema: its features.
        description: one line.
        can_be_pushed: whether it has the push source ``<name>_push``.
        columns: the lineage of a table that one function computes: feature, or a pattern of names such as ``cpu_*`` →
            the raw columns that its values are made of, such as ``tracks.title tracks.artist_name``, where
            ``{feature}`` stands for the name of the feature. The first pattern that fits a feature counts. None: each
            feature is made of all columns of the raw tables that the function takes.
        rows: raw columns beside keys and times on which it depends which rows there are: of filters and of joins.

    Raises:
        InputError: ``columns`` has no pattern for a feature, or one that fits none.
    """
    keys = [
        Field(name=entity.join_key, dtype=Int64 if entity.value_type == ValueType.INT64 else String)
        for entity in entities
    ]
    return FeatureView(
        name=name,
        entities=entities,
        ttl=timedelta(0),
        schema=[*keys, *(schema if columns is None else _with_columns(name, schema, columns))],
        source=PushSource(name=f"{name}_push", batch_source=_source(name)) if can_be_pushed else _source(name),
        description=description,
        tags=WRITTEN_ON_CHANGE | ({RAW_COLUMNS: rows} if rows else {}),
    )


def _with_columns(view: str, schema: list[Field], columns: Mapping[str, str]) -> list[Field]:
    """Returns the fields with the tag ``RAW_COLUMNS``."""
    fields, patterns = [], set(columns)
    for field in schema:
        pattern = next((pattern for pattern in columns if fnmatchcase(field.name, pattern)), None)
        if pattern is None:
            raise _no_lineage(view, f"raw columns of every feature in columns= of {view}", f"none of {field.name!r}")
        patterns.discard(pattern)
        tagged = copy.copy(field)  # fields of one schema may be shared by several views
        tagged.tags = {**field.tags, RAW_COLUMNS: columns[pattern].format(feature=field.name)}
        fields.append(tagged)
    if patterns:
        raise _no_lineage(view, f"patterns of features of {view} in columns=", f"{min(patterns)!r}, which fits none")
    return fields


def _no_lineage(view: str, expected: str, found: str) -> InputError:
    return InputError(
        expected=expected, found=found, next_command=f"correct the declaration of {view}, then: refrain apply"
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
