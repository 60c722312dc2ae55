"""Plans lookups of Feast's online store: which packed values to fetch for which entity rows."""

from collections.abc import Mapping
from typing import Any

from feast import FeatureService, FeatureView, RepoConfig, utils
from feast.feature_view import DUMMY_ENTITY_ID
from feast.infra.registry.base_registry import BaseRegistry
from feast.types import from_value_type

from feature_repo.keys import key_values
from feature_repo.packed import entity_key
from feature_repo.packed.schema import Schema
from feature_repo.stores.online_lookup import Keys, Lookup, columns_of
from feature_repo.stores.protobuf import key_types, schema_of, unwrapped


class LookupPlanner:
    """Plans lookups, and keeps what they need of each view."""

    def __init__(self) -> None:
        self._views: dict[int, tuple[FeatureView, Schema, bytes, Keys]] = {}

    def plan(
        self,
        config: RepoConfig,
        features: list[str] | FeatureService,
        entity_rows: Any,
        registry: BaseRegistry,
        project: str,
        full_feature_names: bool,
    ) -> Lookup | None:
        """Plans the lookup; None if on-demand views or versions of views require Feast's own code.

        Raises:
            InputError: a join key is missing from the entity rows, or a value cannot be converted to its type.
        """
        (references, on_demand, entity_names, types, join_keys, grouped, _, _, _) = utils._get_cached_request_context(
            registry, project, features, full_feature_names
        )
        if on_demand or not all(_is_plain(table) for table, _ in grouped):
            return None
        columns = columns_of(entity_rows, entity_names)
        key_columns = {name: values for name, values in columns.items() if name in join_keys}
        lookup = Lookup(key_columns, types, len(next(iter(columns.values()), ())))
        order = {reference: place for place, reference in enumerate(references)}
        for table, feature_names in grouped:
            name = table.projection.name_to_use()
            _, schema, prefix, keys = self._view_plan(config, table, entity_names)
            feature_prefix = f"{name}__" if full_feature_names else ""
            positioned = sorted((order.get(f"{name}:{feature}", 0), feature) for feature in feature_names)
            lookup.add(
                table,
                schema,
                prefix,
                keys,
                [(place, f"{feature_prefix}{feature}", feature) for place, feature in positioned],
            )
        return lookup

    def _view_plan(
        self, config: RepoConfig, table: FeatureView, entity_names: Mapping[str, str]
    ) -> tuple[FeatureView, Schema, bytes, Keys]:
        """Returns the cached lookup plan of a view; valid as long as Feast keeps the same view object."""
        cached = self._views.get(id(table))
        if cached is None or cached[0] is not table:
            if len(self._views) > 1000:
                self._views.clear()
            keys = sorted(entity_names[entity] for entity in table.entities)
            keys = [key for key in keys if key != DUMMY_ENTITY_ID]
            aliases, types = table.projection.join_key_map, key_types(table)
            cached = (
                table,
                schema_of(table),
                entity_key.prefix(config.project, table.name),
                tuple((aliases.get(key, key), types.get(key, "String")) for key in keys),
            )
            self._views[id(table)] = cached
        return cached


def convert_keys(
    features: list[str] | FeatureService,
    entity_rows: Any,
    registry: BaseRegistry,
    project: str,
    full_feature_names: bool,
) -> dict[str, list[Any]]:
    """Converts the keys of entity rows by ``feature_repo.keys``, for Feast's own code.

    Raises:
        InputError: a value cannot be converted to the key's type.
    """
    _, _, entity_names, types, *_ = utils._get_cached_request_context(registry, project, features, full_feature_names)
    columns = columns_of(entity_rows, entity_names)
    for key, value_type in types.items():
        if key in columns and key != DUMMY_ENTITY_ID:
            values = [unwrapped(value) for value in columns[key]]
            columns[key] = key_values(values, str(from_value_type(value_type)), key)
    return columns


def _is_plain(table: Any) -> bool:
    """Whether a view has stored features and no pinned version."""
    return isinstance(table, FeatureView) and getattr(table.projection, "version_tag", None) is None
