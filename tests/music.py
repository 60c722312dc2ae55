"""The bundled definitions of music by kind, found on first use, for tests that go through all of them."""

from collections.abc import Callable, Mapping
from typing import Any

from feature_repo.contract import Contract, contract_of
from feature_repo.home import DEFAULT_ROOT, Home

CONTRACT: Contract = contract_of(Home(DEFAULT_ROOT))


def _raw_tables() -> Mapping[str, Any]:
    from transforms.raw.declared import raw_tables

    return raw_tables(Home(DEFAULT_ROOT))


def _formats() -> Mapping[str, Any]:
    from transforms.raw.importers.format import Format

    return CONTRACT.find(Format, "importers")


_KINDS: dict[str, Callable[[], Mapping[str, Any]]] = {
    "EVENTS": lambda: CONTRACT.events,
    "WINDOWED": lambda: CONTRACT.windowed,
    "ON_DEMAND": lambda: CONTRACT.on_demand,
    "REQUEST_FIELDS": lambda: CONTRACT.request_fields,
    "FEATURE_TABLES": lambda: CONTRACT.feature_tables,
    "ON_DEMAND_VIEWS": lambda: CONTRACT.on_demand_views,
    "TABLES": _raw_tables,
    "FORMATS": _formats,
}


def __getattr__(name: str) -> Mapping[str, Any]:
    if name not in _KINDS:
        raise AttributeError(name)
    return _KINDS[name]()
