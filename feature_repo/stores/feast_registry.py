"""Two faults of Feast 0.67's registries, mended.

When an SQL registry is torn down, the versions of its views stay: the next ``feast apply`` would number them from 0
again and end in an IntegrityError, for ever. And ``feast registry-dump`` ends in a KeyError where there is an on-demand
view in Python.
"""

from functools import wraps
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from feast import RepoConfig


def forget_versions(config: "RepoConfig", *, of_views_that_are_gone: bool = False) -> int:
    """Delete the versions of a project's views from its registry.

    Args:
        config: of the repository; nothing is done where its registry is not an SQL database.
        of_views_that_are_gone: only those of views that the registry has no more.

    Returns:
        How many there were.
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
            there = exists().where(name == versions.c.feature_view_name, project == versions.c.project_id)
            statement = statement.where(~there)
    engine = create_engine(config.registry.path)
    try:
        metadata.create_all(engine)
        with engine.begin() as connection:
            return connection.execute(statement).rowcount
    finally:
        engine.dispose()


def mend_dump() -> None:
    """Have ``to_dict`` of every registry find the parts that it sets to nothing. Again does nothing."""
    from feast.infra.registry.base_registry import BaseRegistry

    make = BaseRegistry._message_to_sorted_dict
    if hasattr(make, "__wrapped__"):
        return

    @wraps(make)
    def to_dict(message: Any) -> dict[str, Any]:
        found = make(message)
        transformation = found.get("spec", {}).get("featureTransformation")
        if transformation is not None:
            transformation.setdefault("substraitPlan", {})
        return found

    BaseRegistry._message_to_sorted_dict = staticmethod(to_dict)  # type: ignore[method-assign]
