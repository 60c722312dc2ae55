"""The contract: all definitions of a project, found by type in its definition packages.

The bundled definitions of music are one package (``feature_repo.definitions``), a project's own are others
(``feature_repo.project``), and installed packages add theirs by the entry point ``refrain.definitions``. A package has
folders or modules named after the kind of their definitions, its *rooms* (``ROOMS``). A module in no room may have
definitions of every kind; serving processes import it, so it should not import Feast or polars.
"""

import traceback
from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from feature_repo import discovery
from feature_repo.discovery import Found, Named
from feature_repo.errors import InputError, RefrainError
from feature_repo.extras import missing_extra
from feature_repo.home import Home
from feature_repo.on_demand import OnDemand
from feature_repo.project import Project
from feature_repo.service import ServiceDeclaration
from feature_repo.windows import EventSource, WindowedTable, moment

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
}
"""Kind of definitions → the bundled package of music. Only the first four are imported by serving processes."""

Definition = TypeVar("Definition", bound=Named)


def contract_of(home: Home) -> "Contract":
    """Returns the contract of the project to which a data folder belongs; the same object at each call."""
    return _contract(Project.load(home.project_folder))


@lru_cache(maxsize=16)
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
        self._found: dict[tuple[type, str], dict[str, Found]] = {}

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
        return {name: found.value for name, found in self._find(kind, room).items()}

    def module_of(self, kind: type, room: str, name: str) -> str:
        """Returns the name of the module in which a definition was found."""
        return self._find(kind, room)[name].module

    @cached_property
    def events(self) -> Mapping[str, EventSource]:
        """Every kind of event, by name."""
        return self.find(EventSource, "events")

    @cached_property
    def windowed(self) -> Mapping[str, WindowedTable]:
        """All windowed tables, by name.

        Raises:
            InputError: the source of a table is not among the events, or another one has its name.
        """
        tables = self.find(WindowedTable, "windowed")
        for name, table in tables.items():
            if self.events.get(table.source.name) is not table.source:
                module = self.module_of(WindowedTable, "windowed", name)
                raise InputError(
                    expected=f"the source of the windowed table {name} among the events of the project",
                    found=f"{table.source.name!r} in {module}, which is not one of {sorted(self.events)}",
                    next_command=f"declare the EventSource {table.source.name} in a module of the project, once",
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
            functions[name] = OnDemand(
                name, moment.function(table), moment.inputs(table), moment.outputs(table), settings=table.fingerprint
            )
        return functions

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
    def entities(self) -> "Mapping[str, Entity]":
        """Feast's entities, by join key: those that are declared, and one for each other key of a windowed table."""
        from feast import Entity, ValueType

        by_key = {entity.join_key: entity for entity in self.find(Entity, "entities").values()}
        for table in self.windowed.values():
            for key in table.keys:
                if key not in by_key:
                    by_key[key] = Entity(
                        name=key.removesuffix("_id") or key,
                        join_keys=[key],
                        value_type=ValueType.STRING,
                        description=f"Key of {table.name}",
                    )
        return by_key

    @cached_property
    def feature_tables(self) -> "Mapping[str, FeatureView]":
        """All views with a feature table, by name: of windowed tables, and the declared ones."""
        from feast import FeatureView

        from feature_repo.windowed_views import view_of

        views = {name: view_of(table, self.entities) for name, table in self.windowed.items()}
        for name, view in self.find(FeatureView, "views").items():
            if name in views:
                table_module = self.module_of(WindowedTable, "windowed", name)
                raise discovery.clash(name, "view", table_module, self.module_of(FeatureView, "views", name))
            views[name] = view
        return views

    @cached_property
    def on_demand_views(self) -> "Mapping[str, OnDemandFeatureView]":
        """Feast's on-demand views of all on-demand functions, by name."""
        from feature_repo.on_demand_views import on_demand_view

        return {name: on_demand_view(function, self.feature_tables) for name, function in self.on_demand.items()}

    @cached_property
    def services(self) -> "Mapping[str, FeatureService]":
        """All feature services, by name.

        Raises:
            InputError: a service takes a view or a feature that does not exist.
        """
        from feature_repo.services import feature_service

        views = {**self.feature_tables, **self.on_demand_views}
        return {
            name: feature_service(found.value, views, found.module)
            for name, found in self._find(ServiceDeclaration, "services").items()
        }

    @cached_property
    def push_sources(self) -> "Mapping[str, PushSource]":
        """The push sources of the views, by name."""
        from feast import PushSource

        sources = [view.stream_source for view in self.feature_tables.values()]
        return {source.name: source for source in sources if isinstance(source, PushSource)}

    def feast_objects(self) -> dict[str, Any]:
        """Returns everything that Feast registers, by a name that is unique among all kinds."""
        kinds: dict[str, Mapping[str, Any]] = {
            "entity": self.entities,
            "view": self.feature_tables,
            "on_demand": self.on_demand_views,
            "push": self.push_sources,
            "service": self.services,
        }
        return {f"{kind}_{name}": value for kind, values in kinds.items() for name, value in values.items()}

    def _find(self, kind: type[Definition], room: str) -> dict[str, Found[Definition]]:
        if (kind, room) not in self._found:
            self._found[kind, room] = discovery.find(self._modules(room), kind)
        return self._found[kind, room]

    def _modules(self, room: str) -> Iterator[ModuleType]:
        if self.project.extends:
            yield from discovery.modules(ROOMS[room])
        groups, named = [ENTRY_POINT], list(self.project.definitions)
        if room == "models":
            groups, named = [ENTRY_POINT, MODELS_ENTRY_POINT], [*named, *self.project.models]
        installed = [entry_point.value for group in groups for entry_point in entry_points(group=group)]
        for package in dict.fromkeys((*named, *installed)):
            yield from self._own_modules(package, room)

    def _own_modules(self, package: str, room: str) -> list[ModuleType]:
        """Imports the modules of a package that may have definitions for a room.

        Raises:
            InputError: a module cannot be imported, or comes from elsewhere.
            MissingExtra: a module imports what an extra brings that is not installed.
        """
        try:
            found = list(discovery.modules(package, without=set(ROOMS) - {room}))
        except RefrainError:
            raise
        except Exception as error:
            missing = missing_extra(error) if isinstance(error, ModuleNotFoundError) else None
            raise missing or self._import_error(package, error) from error
        self._check_origin(package, found[0])
        return found

    def _check_origin(self, package: str, module: ModuleType) -> None:
        """Checks that a package of the project's folder was imported from there, and not one of the same name."""
        folder, file = self.project.folder, module.__file__
        if folder is None or file is None or Path(file).is_relative_to(folder):
            return
        if (folder / package).is_dir() or (folder / f"{package}.py").is_file():
            raise InputError(
                expected=f"a name for the package {folder / package} that nothing else has",
                found=f"{package} is also {file}",
                next_command=f"rename it, also in {folder / 'refrain.toml'}",
            )

    def _import_error(self, package: str, error: Exception) -> InputError:
        """Describes an import that failed: the last place in the project's own files, and the error."""
        folder = str(self.project.folder or Path.cwd())
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(folder)]
        place = f"{frames[-1].filename}, line {frames[-1].lineno}" if frames else f"no module {package}"
        if isinstance(error, SyntaxError) and error.filename:
            place = f"{error.filename}, line {error.lineno}"
        return InputError(
            expected=f"a package {package} that can be imported, as refrain.toml names it",
            found=f"{place}: {type(error).__name__}: {error}",
            next_command=f"correct {place.split(',')[0]}, then repeat the command"
            if frames or isinstance(error, SyntaxError)
            else f"correct definitions in {folder}/refrain.toml, or install {package}",
        )
