"""Workarounds for two bugs of Feast 0.67's registries.

After the teardown of an SQL registry, the versions of its views remain: the next ``feast apply`` numbers them from 0
again and always fails with an IntegrityError. And ``feast registry-dump`` fails with a KeyError if there is an
on-demand view in Python.
"""

from functools import wraps
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from feast import RepoConfig


def forget_versions(config: "RepoConfig", *, of_views_that_are_gone: bool = False) -> int:
    """Deletes the versions of a project's views from its registry.

    Args:
        config: configuration of the repository. Does nothing if its registry is not an SQL database.
        of_views_that_are_gone: whether to delete only versions of views that are no longer in the registry.

    Returns:
        Number of deleted versions.
    """
    if config.registry.registry_type != "sql":
        return 0
    from feast.infra.registry.sql import (
        feature_view_version_history,
        feature_views,
        label_views,
        metadata,
        on_demand_feature_views,
        stream_feature_views,
    )
    from sqlalchemy import create_engine, delete, exists

    versions = feature_view_version_history
    statement = delete(versions).where(versions.c.project_id == config.project)
    if of_views_that_are_gone:
        for table in (feature_views, label_views, on_demand_feature_views, stream_feature_views):
            name, project = table.c.feature_view_name, table.c.project_id
            view_exists = exists().where(name == versions.c.feature_view_name, project == versions.c.project_id)
            statement = statement.where(~view_exists)
    engine = create_engine(config.registry.path)
    try:
        metadata.create_all(engine)
        with engine.begin() as connection:
            return connection.execute(statement).rowcount
    finally:
        engine.dispose()


def mend_dump() -> None:
    """Patches ``to_dict`` of registries to add the key that it expects in on-demand views. Idempotent."""
    from feast.infra.registry.base_registry import BaseRegistry

    original = BaseRegistry._message_to_sorted_dict
    if hasattr(original, "__wrapped__"):
        return

    @wraps(original)
    def to_dict(message: Any) -> dict[str, Any]:
        dump = original(message)
        transformation = dump.get("spec", {}).get("featureTransformation")
        if transformation is not None:
            transformation.setdefault("substraitPlan", {})
        return dump

    BaseRegistry._message_to_sorted_dict = staticmethod(to_dict)  # type: ignore[method-assign]
