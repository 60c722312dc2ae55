"""Checks of all definitions against each other, before anything is registered.

Feast finds most of these faults only after it has written a part of them into the registry.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from feast import Entity, FeatureService, FeatureView, OnDemandFeatureView, ValueType
from feast.feature_view import DUMMY_ENTITY_NAME

from feature_repo.errors import InputError
from feature_repo.windows import WindowedTable

APPLY = "refrain apply"


def check_views(
    entities: Mapping[str, Entity], views: Mapping[str, FeatureView], on_demand_views: Mapping[str, OnDemandFeatureView]
) -> None:
    """Checks names, keys and sources of views.

    Args:
        entities: all entities, by name.
        views: all views with rows of their own, by name.
        on_demand_views: all on-demand views, by name.

    Raises:
        InputError: two views have one name, a view has an unknown entity, a join key has two types, or two sources have
            one name.
    """
    _check_names([*views, *on_demand_views])
    for view in views.values():
        _check_entities(view, entities)
    _check_key_types(entities, views)
    _check_sources(views)


def check_services(services: Mapping[str, FeatureService], views: Mapping[str, Any]) -> None:
    """Checks that the views of services are among those of the project.

    Args:
        services: all feature services, by name.
        views: all views and on-demand views, by name.

    Raises:
        InputError: a service takes an unknown view.
    """
    for service in services.values():
        for projection in service.feature_view_projections:
            if projection.name not in views:
                raise InputError(
                    expected=f"a view in the service {service.name}, one of {sorted(views)}",
                    found=f"{projection.name!r}, which is in no module by itself",
                    next_command=f"assign the view {projection.name} to a name in a module of the project, "
                    f"then: {APPLY}",
                )


def check_windowed_keys(tables: Mapping[str, WindowedTable], entities: Mapping[str, Entity]) -> None:
    """Checks that entities declare the keys of windowed tables with the type that these have in the events.

    Args:
        tables: the windowed tables, by name.
        entities: the entities, by join key.

    Raises:
        InputError: an entity declares another type for a key.
    """
    for table in tables.values():
        for key in table.keys:
            entity, source = entities[key], table.enriched
            is_text = source.holds_texts(key)
            expected = ValueType.STRING if is_text else ValueType.INT64
            if entity.value_type != expected and not (is_text and entity.value_type == ValueType.UNKNOWN):
                raise InputError(
                    expected=f"the type {expected.name} of {key!r}, a key of the windowed table {table.name}, which is "
                    f"{source.dtype(key)} in the EventSource {source.name}",
                    found=f"{entity.value_type.name} in the entity {entity.name}",
                    next_command=f"give {key!r} one type in all EventSources and entities, such as "
                    f"ValueType.{expected.name} in the entity {entity.name}, then: {APPLY}",
                )


def _check_names(names: Iterable[str]) -> None:
    """Checks that names differ by more than case, which Feast demands."""
    first_names: dict[str, str] = {}
    for name in names:
        folded = name.casefold()
        if folded in first_names:
            raise InputError(
                expected="a name of its own for every view and on-demand function, whatever the case of its letters",
                found=f"{first_names[folded]!r} and {name!r}",
                next_command=f"rename one of them, then: {APPLY}",
            )
        first_names[folded] = name


def _check_entities(view: FeatureView, entities: Mapping[str, Entity]) -> None:
    unknown = [name for name in view.entities if name not in entities and name != DUMMY_ENTITY_NAME]
    if unknown:
        raise InputError(
            expected=f"the entities of the view {view.name} among those of the project: {sorted(entities)}",
            found=f"{unknown[0]!r}, which is in no module by itself",
            next_command=f"assign the Entity {unknown[0]} to a name in a module of the project, then: {APPLY}",
        )


def _check_key_types(entities: Mapping[str, Entity], views: Mapping[str, FeatureView]) -> None:
    """Checks that a join key has one type in all entities and views, because a lookup converts it once."""
    first_types: dict[str, tuple[str, str]] = {}
    declared = [
        (entity.join_key, entity.value_type.name, f"the entity {entity.name}")
        for entity in entities.values()
        if entity.value_type != ValueType.UNKNOWN
    ]
    columns = [(column, view) for view in views.values() for column in view.entity_columns]
    declared += [
        (column.name, column.dtype.to_value_type().name, f"the view {view.name}")
        for column, view in columns
        if view.entities != [DUMMY_ENTITY_NAME]
    ]
    for key, dtype, place in declared:
        first_type, first_place = first_types.setdefault(key, (dtype, place))
        if first_type != dtype:
            raise InputError(
                expected=f"one type for the join key {key!r}",
                found=f"{first_type} in {first_place}, {dtype} in {place}",
                next_command=f"give one of them another join key, or the same type, then: {APPLY}",
            )


def _check_sources(views: Mapping[str, FeatureView]) -> None:
    first_sources: dict[str, tuple[Any, str]] = {}
    for view in views.values():
        for source in (view.batch_source, view.stream_source):
            if source is None:
                continue
            first, first_view = first_sources.setdefault(source.name.casefold(), (source, view.name))
            if first is not source:
                raise InputError(
                    expected="a name of its own for every source, whatever the case of its letters",
                    found=f"a second source {source.name!r} in the view {view.name}; the first is in {first_view}",
                    next_command=f"name it: FileSource(name=…, …), or use one object in both views, then: {APPLY}",
                )
