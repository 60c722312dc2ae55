"""The manifest: the part of the registry that serving needs, compiled into one small JSON file.

``compile_manifest`` (with Feast) writes it after ``feast apply``; ``load_service`` (without Feast) reads it in a
serving process.
"""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from feature_repo.access.compile import compile_access
from feature_repo.code_text import code_of
from feature_repo.contract import Contract, contract_of
from feature_repo.errors import StoreError
from feature_repo.home import Home
from feature_repo.on_demand import OnDemand
from feature_repo.packed.address import Address
from feature_repo.project import Project
from feature_repo.purposes import consent_rule
from feature_repo.registered_views import views_of
from feature_repo.service import ServiceDeclaration
from feature_repo.signing.manifests import read_signed_manifest, sign_manifest
from feature_repo.stores.source_files import is_feature_table, path_of
from feature_repo.version import version
from feature_repo.whole_files import write_whole

if TYPE_CHECKING:
    from feast import FeatureService, FeatureStore, FeatureView

VERSION = 4


class LeftToFeast(StoreError):
    """A service that only Feast can serve, because it renames views or has on-demand functions of its own."""


class UnknownService(StoreError):
    """No feature service has the requested name."""


@dataclass(frozen=True)
class View:
    """One feature table as a service reads it.

    Attributes:
        name: name of the view.
        join_keys: sorted names of the key columns.
        key_types: Feast's name of each key column's type; see ``feature_repo.keys``.
        features: name and Feast type of each column that the service reads.
        columns: name, Feast type and length (of a vector; else 0) of all columns in a packed value.
        ttl: maximum age of a row in seconds; 0 for no limit.
        defaults: column and default for missing values, used on request (the field's tag ``default``).
        definition: digest of what gives the values of the columns; see ``feature_repo.view_definitions``.
    """

    name: str
    join_keys: tuple[str, ...]
    key_types: tuple[str, ...]
    features: tuple[tuple[str, str], ...]
    columns: tuple[tuple[str, str, int], ...] = ()
    ttl: float = 0.0
    defaults: tuple[tuple[str, float | str], ...] = ()
    definition: str = ""


@dataclass(frozen=True)
class Service:
    """One feature service, resolved down to columns and types.

    Attributes:
        name: name of the service.
        project: name of the Feast project.
        fingerprint: digest that changes with any name, type, key, on-demand function or definition of the service.
        views: feature tables to look up, including those that only feed an on-demand function.
        on_demand: names of the on-demand functions to compute.
        features: ``view__feature`` and type of all returned features, in the order of the service.
        functions: name → declaration of each of these functions.
        purpose: what the features are used for; empty if the service does not say it.
    """

    name: str
    project: str
    fingerprint: str
    views: tuple[View, ...]
    on_demand: tuple[str, ...]
    features: tuple[tuple[str, str], ...]
    functions: Mapping[str, OnDemand] = field(default_factory=dict, compare=False, repr=False)
    purpose: str = ""

    @property
    def join_keys(self) -> tuple[str, ...]:
        """Sorted names of all key columns that the service needs."""
        return tuple(sorted({key for view in self.views for key in view.join_keys}))

    @property
    def key_types(self) -> dict[str, str]:
        """Key column → Feast's name of its type, sorted by name."""
        types = {key: dtype for view in self.views for key, dtype in zip(view.join_keys, view.key_types, strict=True)}
        return dict(sorted(types.items()))

    @cached_property
    def request_fields(self) -> dict[str, str]:
        """Request field that the service's on-demand functions read → name of its Feast type."""
        fields = [function.request_fields for function in self.functions.values()]
        return dict(sorted({name: dtype for types in fields for name, dtype in types.items()}.items()))

    def brief(self, most: int = 6) -> str:
        """Returns the number of features and the names of the first ones, for ``repr``.

        >>> Service("plays_v1", "shop", "", (), (), (("user__plays", "Int64"), ("user__skips", "Int64"))).brief(1)
        '2 features: user__plays, …'
        """
        names = [name for name, _ in self.features]
        more = ", …" if len(names) > most else ""
        return f"{len(names)} {'feature' if len(names) == 1 else 'features'}: {', '.join(names[:most])}{more}"

    def to_json(self) -> dict[str, Any]:
        """Returns the service as in the manifest."""
        return {
            "fingerprint": self.fingerprint,
            "views": [asdict(view) for view in self.views],
            "on_demand": self.on_demand,
            "features": self.features,
            "purpose": self.purpose,
        }


def compile_manifest(store: "FeatureStore", home: Home, *, is_partial: bool = False) -> dict[str, Service]:
    """Resolves every feature service of the registry and writes the manifest atomically.

    Args:
        store: the feature store.
        home: the data folder.
        is_partial: whether only some of the project's views are in the registry.
    """
    services = {}
    tables, contract = tables_of(store), contract_of(home)
    for item in store.list_feature_services():
        with suppress(LeftToFeast):
            services[item.name] = resolve_service(store, contract, item.name, tables)
    document = {
        "version": VERSION,
        "refrain": version(),
        "project": home.project,
        "online": _online(store),
        "services": {name: services[name].to_json() for name in sorted(services)},
        "sources": _sources(store),
        "windowed": {name: table.fingerprint for name, table in contract.windowed.items()},
    }
    views = {
        name: _view(table, {field.name: str(field.dtype) for field in table.features}, "")
        for name, table in tables.items()
    }
    access = compile_access(home, contract, views, is_partial=is_partial)
    if access is not None:
        document["access"] = access
    write_whole(home.manifest, json.dumps(document, indent=1) + "\n")
    sign_manifest(home)
    return services


def tables_of(store: "FeatureStore") -> dict[str, "FeatureView"]:
    """Reads the views of the registry with rows of their own, by name. Feast parses all of them anew at each call."""
    return {view.name: view for view in views_of(store)}


def resolve_service(
    store: "FeatureStore", contract: Contract, name: str, tables: Mapping[str, "FeatureView"] | None = None
) -> Service:
    """Resolves one feature service of the registry, down to columns.

    Args:
        store: the feature store.
        contract: the definitions of its project.
        name: name of the service.
        tables: feature views from ``tables_of``, if they were read for other services before.

    Raises:
        StoreError: the registry has no service of that name.
    """
    from feast.errors import FeatureServiceNotFoundException

    from feature_repo.view_definitions import definition_of

    try:
        service = store.get_feature_service(name)
    except FeatureServiceNotFoundException as error:
        names = sorted(item.name for item in store.list_feature_services())
        raise StoreError(
            expected=f"a feature service, one of {names}",
            found=repr(name),
            next_command="refrain apply  (if it is new)",
        ) from error
    renamed = [
        projection.name_to_use()
        for projection in service.feature_view_projections
        if projection.join_key_map or projection.name_alias
    ]
    if renamed:
        raise LeftToFeast(
            expected=f"views under their own names and keys in the service {name}",
            found=f"{renamed}, with another name or other join keys",
            next_command="ask Feast: store.get_online_features and get_historical_features; or one service for each",
        )
    functions = contract.on_demand
    tables = tables_of(store) if tables is None else tables
    unknown = [
        projection.name
        for projection in service.feature_view_projections
        if projection.name not in functions and projection.name not in tables
    ]
    if unknown:
        raise LeftToFeast(
            expected=f"feature tables and declared on-demand functions in the service {name}",
            found=f"{unknown}",
            next_command="ask Feast: store.get_online_features and get_historical_features",
        )
    columns: dict[str, dict[str, str]] = {}
    features: list[tuple[str, str]] = []
    on_demand: list[str] = []
    for projection in service.feature_view_projections:
        fields = [(field.name, str(field.dtype)) for field in projection.features]
        features += [(f"{projection.name}__{field}", dtype) for field, dtype in fields]
        if projection.name in functions:
            on_demand.append(projection.name)
        else:
            columns.setdefault(projection.name, {}).update(fields)
    for function in on_demand:
        for column in functions[function].inputs.values():
            view, _, field = column.partition("__")
            if field:
                types = {item.name: str(item.dtype) for item in tables[view].features}
                columns.setdefault(view, {})[field] = types[field]
    views = tuple(
        _view(tables[view], fields, definition_of(tables[view], fields, contract, store.config))
        for view, fields in columns.items()
    )
    taken = {name: functions[name] for name in on_demand}
    return Service(
        name=name,
        project=store.project,
        fingerprint=_fingerprint(views, taken, features),
        views=views,
        on_demand=tuple(on_demand),
        features=tuple(features),
        functions=taken,
        purpose=_purpose(contract, service),
    )


def _purpose(contract: Contract, service: "FeatureService") -> str:
    """Returns the purpose as it is declared now: a registry of before must not hide that consent is needed."""
    declared = contract.find(ServiceDeclaration, "services").get(service.name)
    return service.tags.get("purpose", "") if declared is None else declared.purpose


def _view(table: "FeatureView", fields: dict[str, str], definition: str) -> View:
    from feature_repo.stores.protobuf import key_types

    keys = key_types(table)
    return View(
        name=table.name,
        join_keys=tuple(keys),
        key_types=tuple(keys.values()),
        features=tuple(fields.items()),
        columns=tuple((field.name, str(field.dtype), field.vector_length or 0) for field in table.features),
        ttl=table.ttl.total_seconds() if table.ttl else 0.0,
        defaults=tuple(
            (field.name, _default(field.tags["default"])) for field in table.features if "default" in field.tags
        ),
        definition=definition,
    )


def _default(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _sources(store: "FeatureStore") -> dict[str, str | None]:
    views = [view for view in views_of(store) if not is_feature_table(view)]
    return {view.name: path_of(view, store.config) for view in sorted(views, key=lambda view: view.name)}


def _online(store: "FeatureStore") -> dict[str, str] | None:
    """Returns the options of the online store, without hosts and secrets; None for the embedded server."""
    from feature_repo.stores.online import PackedRedisOnlineStoreConfig

    config = store.config.online_store
    if not isinstance(config, PackedRedisOnlineStoreConfig):
        raise StoreError(
            expected="the online store to be feature_repo.stores.online.PackedRedisOnlineStore",
            found=str(config.type),
            next_command="set online_store.type in the profile, then: refrain apply",
        )
    address = config.address()
    return None if address.is_embedded else address.public()


def load_address(home: Home) -> Address:
    """Returns the address of the online store, from the manifest and ``REFRAIN_REDIS``. Imports no Feast.

    Raises:
        StoreError: there is no manifest, or it was compiled for an external Redis and ``REFRAIN_REDIS`` is not set.
    """
    online = read_manifest(home)["online"]
    address = Address.from_env(**(online or {}))
    if online is not None and address.is_embedded:
        raise StoreError(
            expected="REFRAIN_REDIS, as it was when the definitions were applied",
            found="it is not set",
            next_command="export REFRAIN_REDIS=localhost:6379",
        )
    return address


def load_views(home: Home) -> tuple[str, list[str]]:
    """Returns the project and the names of all views that any service reads. Imports no Feast.

    Raises:
        StoreError: the manifest is missing or damaged.
    """
    document = read_manifest(home)
    return document["project"], sorted(
        {view["name"] for service in document["services"].values() for view in service["views"]}
    )


def load_keys(home: Home) -> dict[str, list[str]]:
    """Returns service → its join keys. Imports no Feast.

    Raises:
        StoreError: the manifest is missing or damaged.
    """
    services = read_manifest(home)["services"]
    return {
        name: list(dict.fromkeys(key for view in service["views"] for key in view["join_keys"]))
        for name, service in services.items()
    }


def load_sources(home: Home) -> dict[str, str | None]:
    """Returns view → path of its files, for views that are not feature tables; None for a remote source.

    Imports no Feast.

    Raises:
        StoreError: the manifest is missing or damaged.
    """
    return read_manifest(home).get("sources", {})


def load_definitions(home: Home) -> dict[str, str]:
    """Returns windowed table → fingerprint of its definition, as it was applied last. Imports no Feast.

    Raises:
        StoreError: the manifest is missing or damaged.
    """
    return read_manifest(home).get("windowed", {})


def load_service(home: Home, name: str) -> Service:
    """Loads one feature service from the manifest. Imports no Feast.

    Raises:
        UnknownService: the manifest has no such service.
        StoreError: the manifest is missing, damaged, or of another version.
    """
    document = read_manifest(home)
    services = document["services"]
    if name not in services:
        raise UnknownService(
            expected=f"a feature service, one of {sorted(services)}",
            found=repr(name),
            next_command="refrain manifest  (if it was applied since)",
        )
    entry = services[name]
    rules = Project.load(home.project_folder).purposes
    if "purpose" not in entry and any(consent_rule(rules, purpose) for purpose in rules):
        raise StoreError(
            expected=f"the purpose of the service {name}, as the project asks for consent",
            found=f"{home.manifest}, written before services had purposes",
            next_command="refrain apply",
        )
    return Service(
        name=name,
        project=document["project"],
        fingerprint=entry["fingerprint"],
        views=tuple(view_of(view) for view in entry["views"]),
        on_demand=tuple(entry["on_demand"]),
        features=_pairs(entry["features"]),
        functions={function: _function(home, function) for function in entry["on_demand"]},
        purpose=entry.get("purpose", ""),
    )


def view_of(entry: Mapping[str, Any]) -> View:
    """Returns a view of its form in the manifest."""
    return View(
        name=entry["name"],
        join_keys=tuple(entry["join_keys"]),
        key_types=tuple(entry["key_types"]),
        features=_pairs(entry["features"]),
        columns=_pairs(entry["columns"]),
        ttl=entry["ttl"],
        defaults=_pairs(entry["defaults"]),
        definition=entry["definition"],
    )


def _function(home: Home, name: str) -> OnDemand:
    functions = contract_of(home).on_demand
    if name not in functions:
        raise StoreError(
            expected=f"the on-demand function {name}, which was applied",
            found="no such function among the definitions of the project",
            next_command="refrain apply",
        )
    return functions[name]


def _pairs(lists: list[list]) -> tuple:
    return tuple(map(tuple, lists))


def read_manifest(home: Home) -> dict[str, Any]:
    """Returns the whole manifest. Imports no Feast.

    Raises:
        StoreError: it is missing, damaged, or of another version.
    """
    home.check_layout()
    try:
        document = json.loads(read_signed_manifest(home))
        if document["version"] != VERSION:
            raise ValueError(f"version {document['version']}")
    except FileNotFoundError as error:
        raise StoreError(
            expected="a compiled manifest",
            found=f"no file {home.manifest}",
            next_command="refrain apply",
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(
            expected=f"a manifest of version {VERSION}",
            found=f"{home.manifest}: {error}",
            next_command="refrain manifest",
        ) from error
    return document


def _fingerprint(views: tuple[View, ...], functions: Mapping[str, OnDemand], features: list[tuple[str, str]]) -> str:
    tables = [(view.name, view.join_keys, view.key_types, view.features, view.definition) for view in views]
    code = [code_of(function.function) + function.settings for function in functions.values()]
    return hashlib.sha256(json.dumps([tables, code, features]).encode()).hexdigest()[:16]
