"""Feast stores on the packed online store, and views over one Parquet file."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.data_format import ParquetFormat

from feature_repo.home import Home

NOW = datetime(2026, 1, 2, tzinfo=UTC)
AS_OF_STORE = "feature_repo.stores.offline.AsOfOfflineStore"


def open_store(home: Home, project: str = "music", offline: str = AS_OF_STORE, **online: Any) -> FeatureStore:
    home.ensure()
    config = RepoConfig(
        project=project,
        provider="local",
        registry=str(home.root / f"{project}.db"),
        offline_store={"type": offline},
        online_store={"type": "feature_repo.stores.online.PackedRedisOnlineStore", **online},
        batch_engine={"type": "feature_repo.stores.engine.PackedComputeEngine"},
        entity_key_serialization_version=3,
    )
    return FeatureStore(config=config)


USER = Entity(name="user", join_keys=["user_id"], value_type=ValueType.STRING)
TRACK = Entity(name="track", join_keys=["track_number"], value_type=ValueType.INT64)


def view(
    home: Home,
    name: str,
    table: pa.Table | None,
    schema: dict[str, Any],
    entities: tuple[Entity, ...] = (USER,),
    ttl: timedelta | None = None,
    mapping: dict[str, str] | None = None,
) -> FeatureView:
    """Returns a view over one Parquet file, which is written if a table is given."""
    path = home.root / f"{name}.parquet"
    if table is not None:
        pq.write_table(table, path)
    source = FileSource(
        name=f"{name}_source",
        path=str(path),
        file_format=ParquetFormat(),
        timestamp_field="event_timestamp",
        created_timestamp_column="created_timestamp",
        field_mapping=mapping,
    )
    fields = [Field(name=key, dtype=field_type) for key, field_type in schema.items()]
    return FeatureView(name=name, entities=list(entities), schema=fields, source=source, ttl=ttl or timedelta(0))


def times(rows: int, event: datetime = NOW) -> dict[str, pa.Array]:
    return {
        "event_timestamp": pa.array([event] * rows, pa.timestamp("us", "UTC")),
        "created_timestamp": pa.array([event] * rows, pa.timestamp("us", "UTC")),
    }


def plays(rows: list[tuple[str, int, datetime]]) -> pa.Table:
    moments = pa.array([row[2] for row in rows], pa.timestamp("us", "UTC"))
    return pa.table(
        {
            "user_id": [row[0] for row in rows],
            "n": pa.array([row[1] for row in rows], pa.int64()),
            "event_timestamp": moments,
            "created_timestamp": moments,
        }
    )


def online(store: FeatureStore, keys: list[str | None], feature: str = "plays:n") -> list[Any]:
    response = store.get_online_features([feature], [{"user_id": key} for key in keys])
    return response.to_dict()[feature.split(":")[1]]
