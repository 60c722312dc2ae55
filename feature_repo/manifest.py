"""What serving needs of the registry, compiled into one small JSON file.

``compile_manifest`` (with Feast) writes it after ``feast apply``; ``load_service`` (without) reads it in a serving
process.
"""

import hashlib
import inspect
import json
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from feature_repo.errors import StoreError
from feature_repo.home import Home
from feature_repo.on_demand import ON_DEMAND, REQUEST_FIELDS

if TYPE_CHECKING:
    from feast import FeatureStore

VERSION = 1


@dataclass(frozen=True)
class View:
    """One feature table as a service reads it.

    Attributes:
        join_keys: sorted names of the key columns.
        features: name and Feast type of each column that is read.
    """

    name: str
    join_keys: tuple[str, ...]
    features: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Service:
    """One feature service, resolved down to columns and types.

    Attributes:
        fingerprint: changes when a name, type, key or on-demand function of the service changes.
        views: tables to look up, those that only feed an on-demand function included.
        on_demand: names of functions in ``feature_repo.on_demand`` to compute.
        features: ``view__feature`` and type of all that the service returns, in its order.
    """

    name: str
    project: str
    fingerprint: str
    views: tuple[View, ...]
    on_demand: tuple[str, ...]
    features: tuple[tuple[str, str], ...]

    @property
    def join_keys(self) -> tuple[str, ...]:
        """Sorted names of all key columns that the service asks for."""
        return tuple(sorted({key for view in self.views for key in view.join_keys}))

    @property
    def request_fields(self) -> tuple[str, ...]:
        """Names of the fields of the request that its on-demand functions read."""
        read = {column for name in self.on_demand for column in ON_DEMAND[name].inputs.values()}
        return tuple(field for field in REQUEST_FIELDS if field in read)

    def to_json(self) -> dict[str, Any]:
        """As in the manifest."""
        return {
            "fingerprint": self.fingerprint,
            "views": [
                {"name": view.name, "join_keys": view.join_keys, "features": view.features} for view in self.views
            ],
            "on_demand": self.on_demand,
            "features": self.features,
        }


def compile_manifest(store: "FeatureStore", home: Home) -> dict[str, Service]:
    """Resolve every feature service of the registry and write the manifest, atomically."""
    services = {item.name: resolve_service(store, item.name) for item in store.list_feature_services()}
    document = {
        "version": VERSION,
        "project": home.project,
        "services": {name: services[name].to_json() for name in sorted(services)},
    }
    partial = home.manifest.with_suffix(f".{os.getpid()}.tmp")
    partial.write_text(json.dumps(document, indent=1) + "\n")
    partial.replace(home.manifest)
    return services


def resolve_service(store: "FeatureStore", name: str) -> Service:
    """One feature service of the registry, down to columns.

    Raises:
        StoreError: the registry has no service of that name.
    """
    from feast.errors import FeatureServiceNotFoundException

    try:
        service = store.get_feature_service(name)
    except FeatureServiceNotFoundException as error:
        names = sorted(item.name for item in store.list_feature_services())
        raise StoreError(
            expected=f"a feature service, one of {names}",
            found=repr(name),
            next_command="python -m feature_repo apply  (if it is new in services.py)",
        ) from error
    tables = {view.name: view for view in store.list_feature_views()}
    columns: dict[str, dict[str, str]] = {}
    features: list[tuple[str, str]] = []
    on_demand: list[str] = []
    for projection in service.feature_view_projections:
        fields = [(field.name, str(field.dtype)) for field in projection.features]
        features += [(f"{projection.name}__{field}", dtype) for field, dtype in fields]
        if projection.name in ON_DEMAND:
            on_demand.append(projection.name)
        else:
            columns.setdefault(projection.name, {}).update(fields)
    for function in on_demand:
        for column in ON_DEMAND[function].inputs.values():
            view, _, field = column.partition("__")
            if field:
                types = {item.name: str(item.dtype) for item in tables[view].features}
                columns.setdefault(view, {})[field] = types[field]
    views = tuple(
        View(view, tuple(sorted(tables[view].join_keys)), tuple(fields.items())) for view, fields in columns.items()
    )
    return Service(
        name=name,
        project=store.project,
        fingerprint=_fingerprint(views, on_demand, features),
        views=views,
        on_demand=tuple(on_demand),
        features=tuple(features),
    )


def load_service(home: Home, name: str) -> Service:
    """One feature service from the manifest. Imports no Feast.

    Raises:
        StoreError: there is no manifest, it is damaged or of another version, or it has no such service.
    """
    document = _read(home)
    services = document["services"]
    if name not in services:
        raise StoreError(
            expected=f"a feature service, one of {sorted(services)}",
            found=repr(name),
            next_command="python -m feature_repo manifest  (if it was applied since)",
        )
    entry = services[name]
    return Service(
        name=name,
        project=document["project"],
        fingerprint=entry["fingerprint"],
        views=tuple(
            View(view["name"], tuple(view["join_keys"]), tuple(map(tuple, view["features"]))) for view in entry["views"]
        ),
        on_demand=tuple(entry["on_demand"]),
        features=tuple(map(tuple, entry["features"])),
    )


def _read(home: Home) -> dict[str, Any]:
    try:
        document = json.loads(home.manifest.read_text())
        if document["version"] != VERSION:
            raise ValueError(f"version {document['version']}")
    except FileNotFoundError as error:
        raise StoreError(
            expected="a compiled manifest",
            found=f"no file {home.manifest}",
            next_command="python -m feature_repo apply",
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(
            expected=f"a manifest of version {VERSION}",
            found=f"{home.manifest}: {error}",
            next_command="python -m feature_repo manifest",
        ) from error
    return document


def _fingerprint(views: tuple[View, ...], on_demand: list[str], features: list[tuple[str, str]]) -> str:
    code = [inspect.getsource(sys.modules[ON_DEMAND[name].function.__module__]) for name in on_demand]
    content = [[(view.name, view.join_keys, view.features) for view in views], code, features]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
