"""A view of trees over Parquet files, and what training sets and ``materialize`` read of it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from feast import Entity, FeatureView, Field, FileSource, ValueType
from feast.types import FeastType, Int64, String

from feature_repo.stores.offline import AsOfOfflineStore
from tests.feature_repo.offline.engines import Engine

DAY = datetime(2026, 4, 1, tzinfo=UTC)
NOON = DAY + timedelta(hours=12)


def days(*numbers: float | None, unit: str = "us", zone: str | None = "UTC") -> pa.Array:
    times = [None if number is None else DAY + timedelta(days=number) for number in numbers]
    return pa.array(times, pa.timestamp("us", "UTC")).cast(pa.int64()).cast(pa.timestamp("us", zone)).cast(
        pa.timestamp(unit, zone)
    )  # fmt: skip


def write(path: Path, **columns: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path


def view_of(
    path: Path,
    features: dict[str, FeastType],
    *,
    key: str = "tree_id",
    created: str = "",
    dtype: ValueType = ValueType.STRING,
) -> FeatureView:
    source = FileSource(
        name="trees_source", path=str(path), timestamp_field="event_timestamp", created_timestamp_column=created
    )
    return FeatureView(
        name="trees",
        entities=[Entity(name="tree", join_keys=[key], value_type=dtype)],
        schema=[
            Field(name=key, dtype=Int64 if dtype == ValueType.INT64 else String),
            *(Field(name=name, dtype=kind) for name, kind in features.items()),
        ],
        source=source,
        ttl=timedelta(0),
    )


def offline(engine: Engine, view: FeatureView, spine: pa.Table) -> dict[str, list]:
    references = [f"trees:{feature.name}" for feature in view.features]
    job = AsOfOfflineStore.get_historical_features(engine.config, [view], references, spine, engine.registry, "oracle")  # type: ignore[arg-type]
    return job.to_arrow().select([feature.name for feature in view.features]).to_pydict()


def newest(engine: Engine, view: FeatureView, until: datetime = NOON + timedelta(days=99)) -> dict[Any, dict[str, Any]]:
    """Returns the rows that ``materialize`` reads, by key."""
    source, key = view.batch_source, view.entity_columns[0].name
    assert source is not None
    names = [feature.name for feature in view.features]
    job = AsOfOfflineStore.pull_latest_from_table_or_query(
        engine.config, source, [key], names, "event_timestamp", source.created_timestamp_column or None, DAY, until
    )
    rows = {row[key]: {name: row[name] for name in names} for row in job.to_arrow().to_pylist()}
    batch_rows = [row for batch in job.batches(2) for row in batch.to_pylist()]  # type: ignore[attr-defined]
    assert {row[key]: {name: row[name] for name in names} for row in batch_rows} == rows
    return rows


def offline_and_newest_values(engine: Engine, view: FeatureView, keys: list[Any]) -> list[dict[str, Any]]:
    """Returns the values of the keys, after checking that a training set and ``materialize`` agree on them."""
    key_name = view.entity_columns[0].name
    until = NOON + timedelta(days=99)
    values = offline(engine, view, pa.table({key_name: keys, "event_timestamp": pa.array([until] * len(keys))}))
    rows = [dict(zip(values, row_values, strict=True)) for row_values in zip(*values.values(), strict=True)]
    newest_rows = newest(engine, view, until)
    assert [newest_rows.get(key, dict.fromkeys(values)) for key in keys] == rows
    return rows
