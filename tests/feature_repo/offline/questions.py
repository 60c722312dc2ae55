"""Questions: a spine, feature views and their rows, in one form for the oracle, Hypothesis and every engine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from feast import Entity, FeatureView, Field, FileSource, ValueType
from feast.data_format import ParquetFormat
from feast.data_source import DataSource
from feast.types import Array, Bool, FeastType, Float32, Float64, Int32, Int64, String, UnixTimestamp

from tests.oracles.point_in_time import as_of

MICROSECONDS = pa.timestamp("us", "UTC")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

FEAST_TYPES: dict[pa.DataType, FeastType] = {
    pa.int32(): Int32,
    pa.int64(): Int64,
    pa.float32(): Float32,
    pa.float64(): Float64,
    pa.string(): String,
    pa.bool_(): Bool,
    pa.list_(pa.float32()): Array(Float32),
    pa.list_(pa.string()): Array(String),
}
_VALUE_TYPES = {
    Int32: ValueType.INT32,
    Int64: ValueType.INT64,
    String: ValueType.STRING,
    UnixTimestamp: ValueType.UNIX_TIMESTAMP,
}


def at(hours: float) -> datetime:
    """Returns the time this many hours after noon of a fixed day."""
    return NOON + timedelta(hours=hours)


@dataclass(frozen=True)
class Table:
    """A feature view and its rows.

    Attributes:
        rows: key columns, ``event_timestamp``, perhaps ``created_timestamp``, and the features.
        keys: join key → type.
        features: name → type.
        ttl: time to live of the view.
        has_created: whether the source has a created time.
        layout: ``file``, ``folder`` or ``hive``.
        time: type of the time columns in the files.
        mapping: name in the files → name in the view.
        alias: name under which the view is requested.
        join_key_map: join key → column of the spine.
    """

    name: str
    rows: Sequence[Mapping[str, Any]]
    keys: Mapping[str, pa.DataType] = field(default_factory=lambda: {"user_id": pa.string()})
    features: Mapping[str, pa.DataType] = field(default_factory=lambda: {"plays": pa.int64()})
    ttl: timedelta = timedelta(0)
    has_created: bool = True
    layout: str = "file"
    time: pa.DataType = MICROSECONDS
    mapping: Mapping[str, str] = field(default_factory=dict)
    alias: str | None = None
    join_key_map: Mapping[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The view's name in the result."""
        return self.alias or self.name

    def write(self, folder: Path) -> Path:
        """Writes the rows as Parquet in the table's layout."""
        file_names = {new: old for old, new in self.mapping.items()}
        times = ["event_timestamp", *(["created_timestamp"] if self.has_created else [])]
        types = {**self.keys, **dict.fromkeys(times, self.time), **self.features}
        columns = {
            file_names.get(name, name): _column([row.get(name) for row in self.rows], dtype)
            for name, dtype in types.items()
        }
        table = pa.table(columns)
        target = folder / self.name
        if self.layout == "file":
            folder.mkdir(parents=True, exist_ok=True)
            pq.write_table(table, target.with_suffix(".parquet"))
            return target.with_suffix(".parquet")
        target.mkdir(parents=True)
        if self.layout == "folder" or not self.rows:
            half = len(table) // 2
            pq.write_table(table.slice(0, half), target / "part-0.parquet")
            pq.write_table(table.slice(half), target / "part-1.parquet")
            return target
        dates = [row["event_timestamp"].date().isoformat() for row in self.rows]
        for date in sorted(set(dates)):
            part = target / f"date={date}"
            part.mkdir()
            pq.write_table(table.filter(pa.array([other == date for other in dates])), part / "part-0.parquet")
        return target

    def view(self, source: DataSource) -> FeatureView:
        """Returns the table as a Feast feature view."""
        entities = [
            Entity(name=f"{key}_entity", join_keys=[key], value_type=_VALUE_TYPES[FEAST_TYPES[key_type]])
            for key, key_type in self.keys.items()
        ]
        schema = [
            Field(name=feature, dtype=FEAST_TYPES[dtype]) for feature, dtype in {**self.keys, **self.features}.items()
        ]
        feature_view = FeatureView(name=self.name, entities=entities, ttl=self.ttl, schema=schema, source=source)
        if self.alias:
            feature_view = feature_view.with_name(self.alias)
        return feature_view.with_join_key_map(dict(self.join_key_map)) if self.join_key_map else feature_view

    def file_source(self, path: Path) -> FileSource:
        """Returns a file source of the view."""
        return FileSource(
            name=f"{self.name}_source",
            path=str(path),
            file_format=ParquetFormat(),
            timestamp_field="event_timestamp",
            created_timestamp_column="created_timestamp" if self.has_created else "",
            field_mapping=dict(self.mapping) or None,
        )


@dataclass(frozen=True)
class Question:
    """A spine and the views to join with it.

    Attributes:
        spine: rows, each with ``event_timestamp``.
        types: column of the spine → type.
        tables: the views.
        as_known: use only what was known at the time.
        full_names: name features ``view__feature``.
    """

    spine: Sequence[Mapping[str, Any]]
    tables: Sequence[Table]
    types: Mapping[str, pa.DataType] = field(default_factory=lambda: {"user_id": pa.string()})
    time: pa.DataType = MICROSECONDS
    as_known: bool = False
    full_names: bool = True

    def arrow(self) -> pa.Table:
        """The spine, with the number of each row in ``row``."""
        types = {**self.types, "event_timestamp": self.time}
        columns = {name: _column([row.get(name) for row in self.spine], dtype) for name, dtype in types.items()}
        return pa.table({**columns, "row": pa.array(range(len(self.spine)), pa.int64())})

    def references(self) -> list[str]:
        """Returns Feast's feature references: ``view:feature``."""
        return [f"{table.label}:{feature}" for table in self.tables for feature in table.features]

    def names(self) -> list[str]:
        """Returns the column names of the features in the result."""
        return [
            reference.replace(":", "__") if self.full_names else reference.split(":")[1]
            for reference in self.references()
        ]

    def expected_features(self) -> list[dict[str, Any]]:
        """Returns the expected features of each spine row, computed by the oracle."""
        result = []
        for spine_row in self.spine:
            values = {}
            for table in self.tables:
                key = {name: spine_row[table.join_key_map.get(name, name)] for name in table.keys}
                rows = table.rows if table.has_created else [_without_created(row) for row in table.rows]
                match = as_of(rows, key, spine_row["event_timestamp"], ttl=table.ttl, as_known=self.as_known)
                for feature in table.features:
                    name = f"{table.label}__{feature}" if self.full_names else feature
                    values[name] = None if match is None else match.get(feature)
            result.append(values)
        return result

    def with_changes(self, **changes: Any) -> "Question":
        """Returns a copy of the question with some fields changed."""
        return replace(self, **changes)


def _without_created(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "created_timestamp"}


def _column(values: list[Any], dtype: pa.DataType) -> pa.Array:
    """Returns an Arrow array; times are UTC even where the type has no zone."""
    if pa.types.is_timestamp(dtype):
        return (
            pa.array(values, pa.timestamp("us", "UTC"))
            .cast(pa.timestamp(dtype.unit, "UTC"))
            .cast(pa.int64())
            .cast(dtype)
        )
    return pa.array(values, dtype)


MANY = Question(
    [{"user_id": f"u{n % 7}", "event_timestamp": at(n % 50)} for n in range(300)],
    [
        Table(
            "v",
            [
                {"user_id": f"u{n % 9}", "event_timestamp": at(n % 60), "created_timestamp": at(n % 60), "plays": n}
                for n in range(0, 2000, 3)
            ],
            layout="hive",
        )
    ],
)
for _seconds, _table_row in enumerate(MANY.tables[0].rows):  # no two rows have the same key and time
    _table_row["event_timestamp"] += timedelta(seconds=_seconds)  # type: ignore[index]
    _table_row["created_timestamp"] += timedelta(seconds=_seconds)  # type: ignore[index]
