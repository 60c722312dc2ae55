"""A Feast store on Refrain's stores, over Parquet files that a test writes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, PushSource, RepoConfig, ValueType

from feature_repo import clock
from feature_repo.home import Home

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)


def entity(key: str, dtype: ValueType = ValueType.STRING) -> Entity:
    """Returns an entity with the name of its join key."""
    return Entity(name=key, join_keys=[key], value_type=dtype)


class Shop:
    """A Feast store on Refrain's stores, and the Parquet files of its views."""

    def __init__(self, home: Home) -> None:
        self.home, self.root = home, home.root
        plugins = {
            "offline_store": {"type": "feature_repo.stores.offline.AsOfOfflineStore"},
            "online_store": {"type": "feature_repo.stores.online.PackedRedisOnlineStore"},
            "batch_engine": {"type": "feature_repo.stores.engine.PackedComputeEngine"},
        }
        registry = str(self.root / "shop.db")
        self.store = FeatureStore(
            config=RepoConfig(
                project=home.project,
                provider="local",
                registry=registry,
                entity_key_serialization_version=3,
                **plugins,
            )
        )

    def put(self, name: str, table: dict[str, Any], file: str = "rows.parquet", age: timedelta | None = None) -> None:
        """Writes a table to a Parquet file. A table without times gets times of this age; the default is one hour."""
        (self.root / name).mkdir(exist_ok=True)
        if "ts" not in table:
            moments = times(*[age or HOUR] * len(next(iter(table.values()))))
            table = {**table, "ts": moments, "created": moments}
        pq.write_table(pa.table(table), self.root / name / file)

    def view(
        self, name: str, entities: list[Entity], dtype: Any, *, push: bool = False, ttl: timedelta = timedelta()
    ) -> FeatureView:
        """Applies a view of one feature ``x`` over the files of that name, and returns the view."""
        files: Any = FileSource(
            name=f"{name}_files",
            path=str(self.root / name),
            timestamp_field="ts",
            created_timestamp_column="created",
        )
        source = PushSource(name=f"{name}_push", batch_source=files) if push else files
        feature_view = FeatureView(
            name=name, entities=entities, schema=[Field(name="x", dtype=dtype)], source=source, ttl=ttl
        )
        self.store.apply([*entities, feature_view])
        return feature_view

    def offline_and_online(self, view: str, keys: dict[str, list[Any]]) -> tuple[list[Any], list[Any]]:
        """Returns the values of a training set as of now, and the values of the online store."""
        moments = pa.array([clock.now()] * len(next(iter(keys.values()))), pa.timestamp("us", "UTC"))
        spine = pa.table({**keys, "event_timestamp": moments})
        offline = self.store.get_historical_features(entity_df=spine, features=[f"{view}:x"]).to_arrow()["x"]
        return offline.to_pylist(), self.store.get_online_features([f"{view}:x"], keys).to_dict()["x"]

    def materialize(self, *views: str) -> None:
        """Materializes views up to now."""
        self.store.materialize(NOW - timedelta(days=9), clock.now(), feature_views=list(views))


def times(*ages: timedelta) -> pa.Array:
    """Returns the moments of these ages before now."""
    return pa.array([NOW - age for age in ages], pa.timestamp("us", "UTC"))
