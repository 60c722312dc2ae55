"""The manifest: the part of the registry that serving needs, compiled into one small JSON file.

``feature_repo.compile_manifest`` (with Feast) writes it after ``feast apply``; ``load_service`` (without Feast) reads
it in a serving process.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from feature_repo.code_text import code_of
from feature_repo.contract import contract_of
from feature_repo.errors import StoreError
from feature_repo.home import Home
from feature_repo.on_demand import OnDemand
from feature_repo.packed.address import Address
from feature_repo.project import Project
from feature_repo.purposes import consent_rule
from feature_repo.signing.manifests import read_signed_manifest

VERSION = 4


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


def fingerprint(views: tuple[View, ...], functions: Mapping[str, OnDemand], features: list[tuple[str, str]]) -> str:
    """Digest of what a service's values are: its tables, the code of its functions, and the order of its features."""
    tables = [(view.name, view.join_keys, view.key_types, view.features, view.definition) for view in views]
    code = [code_of(function.function) + function.settings for function in functions.values()]
    return hashlib.sha256(json.dumps([tables, code, features]).encode()).hexdigest()[:16]
