"""Feast views of the declarations in ``feature_repo.windowed``. All accept pushes, also through Feast's API."""

from feast import Entity, FeatureView, Field

from feature_repo import entities
from feature_repo.feast_types import feast_type
from feature_repo.sources import feature_table
from feature_repo.windowed import WINDOWED
from feature_repo.windows import WindowedTable

_ENTITIES: dict[str, Entity] = {
    entity.join_key: entity
    for entity in (
        entities.user,
        entities.track,
        entities.artist,
        entities.platform,
        entities.host,
        entities.endpoint,
        entities.client,
    )
}


def view_of(table: WindowedTable) -> FeatureView:
    """Builds the Feast view of a windowed table: schema, source, push source and tags."""
    return feature_table(
        table.name,
        entities=[_ENTITIES[key] for key in table.keys],
        schema=[Field(name=name, dtype=feast_type(dtype)) for name, dtype in table.fields],
        description=f"{table.about}; {', '.join(table.windows)}, every {table.every.removeprefix('1')}",
        can_be_pushed=True,
    )


WINDOWED_VIEWS: dict[str, FeatureView] = {name: view_of(table) for name, table in WINDOWED.items()}
