"""The contract: all definitions of a project, found by type in its definition packages.

The bundled definitions of music are one package (``feature_repo.definitions``), a project's own are others
(``feature_repo.project``), and installed packages add theirs by the entry point ``refrain.definitions``. A package has
folders or modules named after the kind of their definitions, its *rooms* (``ROOMS``). A module in no room may have
definitions of every kind; serving processes import it, so it should not import Feast or polars. Feast's own
objects are found in every room that defines features (``FEAST_ROOMS``).

All Feast views with rows of their own are the ``views``. Those whose rows Refrain writes are the ``feature_tables``;
the others, plain views, read files that Refrain never writes.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, cached_property
from importlib.metadata import entry_points
from types import ModuleType
from typing import TYPE_CHECKING, TypeVar

from feature_repo import discovery
from feature_repo.code_text import code_of
from feature_repo.definition_package import DefinitionPackage
from feature_repo.discovery import Found, Named
from feature_repo.errors import InputError
from feature_repo.example import Example
from feature_repo.feature_table import FeatureTable
from feature_repo.home import Home
from feature_repo.on_demand import OnDemand
from feature_repo.project import Project
from feature_repo.purpose_checks import (
    PurposeDeclarations,
    RawDeclaration,
    allowed_purposes,
    check_purposes,
    raw_tables_of_views,
)
from feature_repo.service import ServiceDeclaration
from feature_repo.windows import EventSource, WindowedTable, moment
from feature_repo.windows.definition import fingerprint_of

if TYPE_CHECKING:
    from feast import Entity, FeatureService, FeatureView, OnDemandFeatureView, PushSource

ENTRY_POINT, MODELS_ENTRY_POINT = "refrain.definitions", "refrain.models"
"""Groups of entry points whose values are packages with definitions, and with models."""

ROOMS = {
    "events": "feature_repo.definitions.events",
    "windowed": "feature_repo.definitions.windowed",
    "on_demand": "feature_repo.definitions.on_demand",
    "services": "feature_repo.definitions.services",
    "entities": "feature_repo.definitions.entities",
    "views": "feature_repo.definitions.views",
    "raw": "transforms.raw.tables",
    "importers": "transforms.raw.importers",
    "features": "transforms.batch.features",
    "models": "training.models",
    "examples": "feature_repo.definitions.examples",
    "compliance": "refrain.compliance.rules",
}
"""Kind of definitions → the bundled package of music. Only the first four are imported by serving processes."""

CATALOGUE = "transforms.batch.catalogue"
"""Package with code that functions of ``features`` call."""

FEAST_ROOMS = ("entities", "views", "events", "windowed", "on_demand", "services")
"""Rooms in which Feast's own objects are found: all that define features."""

Definition = TypeVar("Definition", bound=Named)


def contract_of(home: Home) -> "Contract":
    """Returns the contract of the project to which a data folder belongs; the same object at each call."""
    return _contract(Project.load(home.project_folder))


@cache
def _contract(project: Project) -> "Contract":
    return Contract(project)


class Contract:
    """All definitions of a project; each kind is searched on first use.

    >>> contract = Contract(Project())
    >>> contract.windowed["user_listening"].keys
    ('user_id',)
    """

    def __init__(self, project: Project) -> None:
        self.project = project
        self._found: dict[tuple[type, tuple[str, ...]], dict[str, Found]] = {}

    def find(self, kind: type[Definition], room: str) -> dict[str, Definition]:
        """Finds the definitions of one type in the rooms of one kind.

        Args:
            kind: type of the definitions.
            room: name of the room, one of ``ROOMS``.

        Returns:
            Definitions by name, sorted by name.

        Raises:
            InputError: two definitions have the same name, or a module cannot be imported.
        """
        return {name: definition.value for name, definition in self._find(kind, room).items()}

    def module_of(self, kind: type, room: str, name: str) -> str:
        """Returns the name of the module in which a definition was found."""
        return self._find(kind, room)[name].module

    @cached_property
    def events(self) -> Mapping[str, EventSource]:
        """Every kind of event, by name.

        Raises:
            InputError: the project limits what accounts can do in a kind of events that it does not have.
        """
        events = self.find(EventSource, "events")
        for kind in self.project.plausibility.keys() - events.keys():
            raise InputError(
                expected=f"[plausibility.KIND] of a kind of events: {', '.join(events) or 'none'}",
                found=f"[plausibility.{kind}]",
                next_command="correct refrain.toml",
            )
        return events

    @cached_property
    def windowed(self) -> Mapping[str, WindowedTable]:
        """All windowed tables, by name.

        Raises:
            InputError: the source or a dimension of a table is not among the events, or another one has its name.
        """
        tables = self.find(WindowedTable, "windowed")
        for name, table in tables.items():
            sources = [("source", table.source), *(("dimension", enrich.dimension) for enrich in table.enrich)]
            for role, source in sources:
                if self.events.get(source.name) is not source:
                    module = self.module_of(WindowedTable, "windowed", name)
                    raise InputError(
                        expected=f"the {role} of the windowed table {name} among the events of the project",
                        found=f"{source.name!r} in {module}, which is not one of {sorted(self.events)}",
                        next_command=f"declare the EventSource {source.name} in a module of the project, once",
                    )
        return tables

    @cached_property
    def on_demand(self) -> Mapping[str, OnDemand]:
        """All on-demand functions, by name, with those that finish windowed features at the moment of the request."""
        functions = self.find(OnDemand, "on_demand")
        for table in self.windowed.values():
            if not moment.inputs(table):
                continue
            name = moment.name_of(table)
            if name in functions:
                module = self.module_of(OnDemand, "on_demand", name)
                raise discovery.clash(name, "OnDemand", f"the windowed table {table.name}", module)
            inputs = moment.inputs(table)
            settings = fingerprint_of(table, inputs)
            functions[name] = OnDemand(name, moment.function(table), inputs, moment.outputs(table), settings=settings)
        return functions

    @cached_property
    def computed_tables(self) -> Mapping[str, FeatureTable]:
        """Feature tables that one function computes, by name. Imports the functions, and so polars."""
        return self.find(FeatureTable, "features")

    def code_digest(self, compute: Callable[..., object]) -> str:
        """Returns a digest of the code of a feature table's function and of the modules with features that it imports.

        >>> len(Contract(Project()).code_digest(Contract.code_digest))
        64
        """
        code = code_of(compute, ROOMS["features"], CATALOGUE, *self._packages)
        return hashlib.sha256(code.encode()).hexdigest()

    @cached_property
    def request_fields(self) -> Mapping[str, str]:
        """Request field of any on-demand function → name of its Feast type.

        Raises:
            InputError: two functions declare a field with different types.
        """
        fields: dict[str, str] = {}
        for name, function in self.on_demand.items():
            for field, dtype in function.request_fields.items():
                if fields.setdefault(field, dtype) != dtype:
                    raise InputError(
                        expected=f"one type for the request field {field!r}",
                        found=f"{fields[field]}, and {dtype} in the on-demand function {name}",
                        next_command=f"give the field of {name} another name, or the same type",
                    )
        return dict(sorted(fields.items()))

    @cached_property
    def examples(self) -> Mapping[str, Example]:
        """Examples of windowed tables, by name.

        Raises:
            InputError: the table of an example is not among those of the project.
        """
        examples = self.find(Example, "examples")
        for name, one in examples.items():
            if self.windowed.get(one.table.name) is not one.table:
                raise InputError(
                    expected=f"a windowed table of the project in the example {name!r}",
                    found=f"{one.table.name!r}, which is not one of {sorted(self.windowed)}",
                    next_command=f"correct the example in {self.module_of(Example, 'examples', name)}",
                )
        return examples

    @cached_property
    def entities(self) -> "Mapping[str, Entity]":
        """Feast's entities, by name: those that are declared, and one for each other key of a windowed table."""
        entities = {entity.name: entity for entity in self.entities_by_key.values()}
        return dict(sorted({**self.declared_entities, **entities}.items()))

    @cached_property
    def declared_entities(self) -> "Mapping[str, Entity]":
        """The declared entities, by name."""
        from feast import Entity

        return {name: definition.value for name, definition in self._find_feast(Entity).items()}

    @cached_property
    def entities_by_key(self) -> "Mapping[str, Entity]":
        """The first entity of each join key."""
        from feast import Entity, ValueType

        by_key: dict[str, Entity] = {}
        for entity in self.declared_entities.values():
            by_key.setdefault(entity.join_key, entity)
        for table in self.windowed.values():
            for key in table.keys:
                if key not in by_key:
                    name = next(
                        (
                            name
                            for name in (key.removesuffix("_id"), key)
                            if name and name not in self.declared_entities
                        ),
                        f"{key}_key",
                    )
                    by_key[key] = Entity(
                        name=name,
                        join_keys=[key],
                        value_type=ValueType.STRING if table.enriched.holds_texts(key) else ValueType.INT64,
                        description=f"Key of {table.name}",
                    )
        return by_key

    @cached_property
    def views(self) -> "Mapping[str, FeatureView]":
        """All Feast views with rows of their own, by name: those of windowed tables, and the declared ones.

        Raises:
            InputError: two have the same name.
        """
        from feast import FeatureView

        from feature_repo.definition_checks import check_windowed_keys
        from feature_repo.plain_views import settle_paths
        from feature_repo.windowed_views import view_of

        check_windowed_keys(self.windowed, self.entities_by_key)
        views = {name: view_of(table, self.entities_by_key) for name, table in self.windowed.items()}
        for name, definition in self._find_feast(FeatureView).items():
            if name in views:
                raise discovery.clash(name, "view", self.module_of(WindowedTable, "windowed", name), definition.module)
            views[name] = settle_paths(definition.value, self.project.folder)
        return views

    @cached_property
    def feature_tables(self) -> "Mapping[str, FeatureView]":
        """The views whose rows Refrain writes into a feature table of the data folder, by name.

        The others, the plain views, read files that somebody else writes.
        """
        from feature_repo.stores.source_files import is_feature_table

        return {name: view for name, view in self.views.items() if is_feature_table(view)}

    @cached_property
    def on_demand_views(self) -> "Mapping[str, OnDemandFeatureView]":
        """Feast's on-demand views, by name: those of all on-demand functions, and the declared ones.

        Raises:
            InputError: two have the same name, or a function reads a feature that no view has.
        """
        from feast import OnDemandFeatureView

        from feature_repo.on_demand_views import on_demand_view

        views = {name: on_demand_view(function, self.views) for name, function in self.on_demand.items()}
        for name, definition in self._find_feast(OnDemandFeatureView).items():
            if name in views:
                raise discovery.clash(name, "on-demand view", "an on-demand function", definition.module)
            views[name] = definition.value
        return views

    @cached_property
    def services(self) -> "Mapping[str, FeatureService]":
        """All feature services, by name: those of declarations, and Feast's own.

        Raises:
            InputError: two have the same name, or a service takes a view or a feature that does not exist.
        """
        from feast import FeatureService

        from feature_repo.services import feature_service

        views = {**self.views, **self.on_demand_views}
        declared = self._find(ServiceDeclaration, "services")
        services = {
            name: feature_service(definition.value, views, definition.module) for name, definition in declared.items()
        }
        for name, definition in self._find_feast(FeatureService).items():
            if name in services:
                raise discovery.clash(name, "service", declared[name].module, definition.module)
            services[name] = definition.value
        return services

    @cached_property
    def push_sources(self) -> "Mapping[str, PushSource]":
        """The push sources of the views, by name."""
        from feast import PushSource

        sources = [view.stream_source for view in self.views.values()]
        return {source.name: source for source in sources if isinstance(source, PushSource)}

    @property
    def purpose_declarations(self) -> PurposeDeclarations:
        """What services and tables say about their purposes. Imports the declarations of raw tables, and so polars."""
        raw_tables = self.find(RawDeclaration, "raw")  # type: ignore[type-abstract]
        return PurposeDeclarations(
            self.project.purposes,
            list(self.events),
            self.services,
            allowed_purposes(self.events, raw_tables),
            raw_tables_of_views(self.windowed, self.computed_tables, self.on_demand),
        )

    def import_command(self, kind: str = "") -> str:
        """Returns the command that brings events of a kind, or first events at all, for messages."""
        if self.project.extends and not kind:
            return "refrain simulate  (or: refrain import FORMAT PATH)"
        kinds = sorted(self.events)
        return f"refrain import table FILE --as {kind or (kinds[0] if len(kinds) == 1 else 'KIND')}"

    def feast_objects(self) -> dict[str, object]:
        """Returns everything that Feast registers, by a name that is unique among all kinds.

        Raises:
            InputError: a definition is invalid, or two of them contradict each other; nothing is registered then.
        """
        from feature_repo.definition_checks import check_services, check_views

        if not self.views:
            raise InputError(
                expected=f"a windowed table or a view among the definitions of {self.project.file}",
                found=f"none in {list(self._packages)}",
                next_command="declare one, as docs/projects.md shows, then: refrain apply",
            )
        check_views(self.entities, self.views, self.on_demand_views)
        check_services(self.services, {**self.views, **self.on_demand_views})
        check_purposes(self.purpose_declarations)
        assert self.request_fields is not None  # raises an InputError if two functions contradict each other
        kinds: dict[str, Mapping[str, object]] = {
            "entity": self.entities,
            "view": self.views,
            "on_demand": self.on_demand_views,
            "push": self.push_sources,
            "service": self.services,
        }
        return {f"{kind}_{name}": value for kind, values in kinds.items() for name, value in values.items()}

    def _find_feast(self, kind: type[Definition]) -> dict[str, Found[Definition]]:
        """Finds Feast's own objects of a type, without Feast's warnings about types that are new to it."""
        import feast.stream_feature_view  # noqa: F401 - its import would undo the silence

        from feature_repo.store import silence_feast

        silence_feast()
        return self._find(kind, *FEAST_ROOMS)

    def _find(self, kind: type[Definition], *rooms: str) -> dict[str, Found[Definition]]:
        if (kind, rooms) not in self._found:
            modules = {module.__name__: module for room in rooms for module in self._modules(room)}
            self._found[kind, rooms] = discovery.find(modules.values(), kind)
        return self._found[kind, rooms]

    def _modules(self, room: str) -> Iterator[ModuleType]:
        if self.project.extends:
            yield from discovery.modules(ROOMS[room])
        packages = {**self._packages, **self._model_packages} if room == "models" else self._packages
        for package in packages.values():
            yield from package.modules(without=set(ROOMS) - {room})

    @cached_property
    def _packages(self) -> dict[str, DefinitionPackage]:
        """The packages with definitions, by name: those of the project, then those of installed distributions."""
        return {**_installed(ENTRY_POINT), **self._own(self.project.definitions)}

    @cached_property
    def _model_packages(self) -> dict[str, DefinitionPackage]:
        """Further packages with models, by name."""
        return {**_installed(MODELS_ENTRY_POINT), **self._own(self.project.models)}

    def _own(self, names: Iterable[str]) -> dict[str, DefinitionPackage]:
        reason = f"as {self.project.file} names it"
        return {name: DefinitionPackage(name, self.project.folder, reason) for name in names}


def _installed(group: str) -> dict[str, DefinitionPackage]:
    """Returns the packages that installed distributions offer by entry points of a group, by name."""
    packages = {}
    for entry_point in entry_points(group=group):
        distribution = entry_point.dist.name if entry_point.dist else "a distribution"
        reason = f"as the entry point {entry_point.name} of {distribution} names it"
        packages[entry_point.module] = DefinitionPackage(entry_point.module, None, reason, distribution)
    return packages
