"""Compiles the manifest: the part of Feast's registry that serving needs, resolved down to columns."""

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from feature_repo.access.compile import compile_access
from feature_repo.contract import Contract, contract_of
from feature_repo.errors import StoreError
from feature_repo.home import Home
from feature_repo.manifest import VERSION, Service, View, fingerprint
from feature_repo.registered_views import views_of
from feature_repo.service import ServiceDeclaration
from feature_repo.signing.manifests import sign_manifest
from feature_repo.stores.source_files import is_feature_table, path_of
from feature_repo.version import version
from feature_repo.whole_files import write_whole

if TYPE_CHECKING:
    from feast import FeatureService, FeatureStore, FeatureView


class LeftToFeast(StoreError):
    """A service that only Feast can serve, because it renames views or has on-demand functions of its own."""


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
        fingerprint=fingerprint(views, taken, features),
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
