"""Opens the histories of feature views, with the features that are requested of each and their declared types."""

import dataclasses
from collections.abc import Sequence

from feast import FeatureView
from feast.feature_view import DUMMY_ENTITY_ID
from feast.repo_config import RepoConfig

from feature_repo.stores.declared import column_of, declared_types
from feature_repo.stores.history import History, open_history
from feature_repo.stores.source_path import source_of, view_located


def histories_of(
    config: RepoConfig, feature_views: Sequence[FeatureView], feature_refs: Sequence[str], full_feature_names: bool
) -> list[History]:
    """Opens the histories of feature views, checked against the declarations.

    Args:
        config: configuration of the repository.
        feature_views: the views, with their projections.
        feature_refs: the requested features, as ``view:feature``.
        full_feature_names: whether features are named ``view__feature``.

    Raises:
        StoreError: files are missing or do not match the view.
    """
    return [_open_history(config, view, feature_refs, full_feature_names) for view in feature_views]


def _open_history(
    config: RepoConfig, view: FeatureView, feature_refs: Sequence[str], full_feature_names: bool
) -> History:
    view = view_located(view, config)
    projection = view.projection
    source = source_of(view)
    requested = [
        feature for name, feature in (ref.split(":", 1) for ref in feature_refs) if name == projection.name_to_use()
    ]
    prefix = f"{projection.name_alias or view.name}__" if full_feature_names else ""
    keys = [column.name for column in view.entity_columns if column.name != DUMMY_ENTITY_ID]
    history = open_history(
        source,
        view=projection.name_to_use(),
        keys={projection.join_key_map.get(key, key): key for key in keys},
        features={f"{prefix}{feature}": feature for feature in requested},
        time=source.timestamp_field,
        created=source.created_timestamp_column or None,
        renamed={new: old for old, new in source.field_mapping.items()},
        ttl=view.ttl,
        repo_path=config.repo_path,
        temp_directory=config.offline_store.temp_directory,
        declared=declared_types(view),
    )
    declared = {f"{prefix}{field.name}": column_of(field) for field in view.features if field.name in requested}
    return dataclasses.replace(history, declared=declared)
