"""Feature services: a training set as of a moment has the values that are online as of that moment."""

import contextlib
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice, product
from typing import Any

import numpy as np
import polars as pl
from feast import FeatureStore

from feature_repo.access.whole import check_whole
from feature_repo.compile_manifest import compile_manifest
from feature_repo.contract import Contract
from feature_repo.home import Home
from feature_repo.materialize import materialize
from feature_repo.store import FOLDER, config_file, silence_feast
from inference.features import OnlineFeatures
from refrain.checking.difference import Difference, same
from training.datasets import training_set

MOST_ROWS = 500
"""Most combinations of keys that are compared."""

STRANGER = "nobody"
"""A key without any event."""


def views_of(contract: Contract, service: str) -> set[str]:
    """The feature tables that a service reads, also through its on-demand functions."""
    names = {projection.name for projection in contract.services[service].feature_view_projections}
    functions = {name for name in names if name in contract.on_demand}
    inputs = {column for name in functions for column in contract.on_demand[name].inputs.values()}
    return (names - functions) | {column.partition("__")[0] for column in inputs if "__" in column}


def publish(home: Home, contract: Contract, services: Iterable[str], until: datetime) -> None:
    """Applies some services with what they read, compiles the manifest, and writes their values online.

    Args:
        home: the data folder, with built tables.
        contract: the definitions.
        services: names of the services.
        until: the moment of the values.
    """
    chosen = {name: contract.services[name] for name in services}
    projections = {item.name for service in chosen.values() for item in service.feature_view_projections}
    views = [contract.feature_tables[name] for name in sorted({v for name in chosen for v in views_of(contract, name)})]
    entities = [contract.entities_by_key[key] for key in sorted({key for view in views for key in view.join_keys})]
    functions = [contract.on_demand_views[name] for name in sorted(projections & set(contract.on_demand_views))]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        store = FeatureStore(repo_path=str(FOLDER), fs_yaml_file=config_file(home))
        silence_feast()
        store.apply([*entities, *views, *functions, *chosen.values()])
        compile_manifest(store, home, is_partial=True)
    materialize(home, until, say=lambda text: None)


def compare(home: Home, service: str, keys: Mapping[str, Sequence[Any]], until: datetime) -> Difference | None:
    """Compares the training set of a service with an online lookup.

    Args:
        home: the data folder, after ``publish``.
        service: name of the service.
        keys: join key → values that occur in the events.
        until: the moment of the values, in whole seconds.

    Returns:
        The first difference; None if there is none.
    """
    check_whole(home, "the comparison of training sets with lookups")
    lookup = OnlineFeatures(service, home)
    choices = [
        [*keys.get(key, [STRANGER + "-1"]), STRANGER] if dtype == "String" else [*keys.get(key, [1, 2]), -1]
        for key, dtype in lookup.service.key_types.items()
    ]
    rows = list(islice(product(*choices), MOST_ROWS))
    spine = dict(zip(lookup.service.key_types, map(list, zip(*rows, strict=True)), strict=True))
    for_spine, for_lookup = _request(lookup.service.request_fields, len(rows), until)
    offline = training_set(
        service,
        pl.DataFrame(
            {**spine, **for_spine, "event_timestamp": [until] * len(rows)},
            schema_overrides={"event_timestamp": pl.Datetime("us", "UTC")},
        ),
        home=home,
    ).to_polars()
    online = lookup.get(spine, {**for_lookup, "request_timestamp": until.timestamp()})
    for name, values in online.values.items():
        for number, (expected, found) in enumerate(zip(offline[name].to_list(), values, strict=True)):
            if not same(found, expected):
                key = {column: values[number] for column, values in spine.items()}
                at = int(until.timestamp()) * 1_000_000
                return Difference(name, key, at, expected, found, "training set", "online lookup")
    return None


def _request(fields: Mapping[str, str], count: int, until: datetime) -> tuple[dict[str, Any], dict[str, Any]]:
    """The request fields as columns of a spine, and as an online request; texts and times are the same for all rows."""
    for_spine: dict[str, Any] = {}
    for_lookup: dict[str, Any] = {}
    for number, (name, dtype) in enumerate(fields.items()):
        if dtype == "String":
            for_spine[name], for_lookup[name] = ["a"] * count, "a"
        elif dtype == "UnixTimestamp":
            for_spine[name], for_lookup[name] = [until] * count, until.timestamp()
        else:
            for_spine[name] = for_lookup[name] = 0.25 * np.arange(count) + number
    return for_spine, for_lookup
