"""What Feast 0.67 leaves in an SQL registry when it is torn down: versions of views that are gone.

The next ``feast apply`` would number the versions of its views from 0 again and end in an IntegrityError, for ever.
"""

from typing import TYPE_CHECKING

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
