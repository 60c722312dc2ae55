"""A Feast store on our stores over Parquet files of a person's own, for tests."""

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
    """An entity named like its key."""
    return Entity(name=key, join_keys=[key], value_type=dtype)


class Shop:
    """A Feast store on our stores, and its files."""

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
        """Write a file of a table; its times are so old, or an hour, where it has none."""
        (self.root / name).mkdir(exist_ok=True)
        if "ts" not in table:
            moments = times(*[age or HOUR] * len(next(iter(table.values()))))
            table = {**table, "ts": moments, "created": moments}
        pq.write_table(pa.table(table), self.root / name / file)

    def view(
        self, name: str, entities: list[Entity], dtype: Any, *, push: bool = False, ttl: timedelta = timedelta()
    ) -> FeatureView:
        """A view of one feature ``x`` over the files of that name, applied."""
        files: Any = FileSource(
            name=f"{name}_files",
            path=str(self.root / name),
            timestamp_field="ts",
            created_timestamp_column="created",
        )
        source = PushSource(name=f"{name}_push", batch_source=files) if push else files
        found = FeatureView(name=name, entities=entities, schema=[Field(name="x", dtype=dtype)], source=source, ttl=ttl)
        self.store.apply([*entities, found])
        return found

    def both(self, view: str, keys: dict[str, list[Any]]) -> tuple[list[Any], list[Any]]:
        """What a training set of now has, and what is online."""
        moments = pa.array([clock.now()] * len(next(iter(keys.values()))), pa.timestamp("us", "UTC"))
        spine = pa.table({**keys, "event_timestamp": moments})
        offline = self.store.get_historical_features(entity_df=spine, features=[f"{view}:x"]).to_arrow()["x"]
        return offline.to_pylist(), self.store.get_online_features([f"{view}:x"], keys).to_dict()["x"]

    def materialize(self, *views: str) -> None:
        """Bring views online as of now."""
        self.store.materialize(NOW - timedelta(days=9), clock.now(), feature_views=list(views))


def times(*ages: timedelta) -> pa.Array:
    """So long before now."""
    return pa.array([NOW - age for age in ages], pa.timestamp("us", "UTC"))
