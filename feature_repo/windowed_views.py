"""Feast views of windowed tables. All accept pushes, also through Feast's API."""

from collections.abc import Mapping

from feast import Entity, FeatureView, Field

from feature_repo.feast_types import feast_type
from feature_repo.sources import feature_table
from feature_repo.windows import WindowedTable


def view_of(table: WindowedTable, entities: Mapping[str, Entity]) -> FeatureView:
    """Builds the Feast view of a windowed table: schema, source, push source and tags.

    Args:
        table: the declaration.
        entities: join key → entity, at least of the table's keys.
    """
    return feature_table(
        table.name,
        entities=[entities[key] for key in table.keys],
        schema=[Field(name=name, dtype=feast_type(dtype)) for name, dtype in table.fields],
        description=f"{table.about}; {', '.join(table.windows)}, every {table.every.removeprefix('1')}",
        can_be_pushed=True,
    )
