"""The online cost of each feature view of a service: time of a call for a hundred rows, and bytes of a row."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from feature_repo.home import Home
from feature_repo.manifest import View, load_address, load_service
from feature_repo.packed import entity_key
from feature_repo.packed.server import WRITE_TIMEOUT, open_server
from feature_repo.store import open_store
from training.datasets.view_rows import view_rows

ROWS, CALLS = 100, 7


@dataclass(frozen=True)
class Cost:
    """The lookup cost of one view.

    Attributes:
        milliseconds: median of a call of ``get_online_features`` for ``ROWS`` rows of this view alone.
        row_bytes: median size of an entity's stored value; 0 if nothing is online.
    """

    milliseconds: float
    row_bytes: float


def lookup_cost(home: Home, services: Sequence[str]) -> dict[str, Cost]:
    """Measures view → cost, most expensive first; on-demand views are computed, not looked up.

    Args:
        home: the data folder.
        services: feature services; each view is looked up for the newest entities of its table.
    """
    store, server = open_store(home), open_server(home, load_address(home), WRITE_TIMEOUT)
    views = {view.name: view for service in services for view in load_service(home, service).views}
    costs = {}
    for view in views.values():
        rows = _entities(view_rows(home, store, view), view)
        features = [f"{view.name}:{name}" for name, _ in view.features]
        call_ms = []
        for _ in range(CALLS):
            started = time.perf_counter()
            store.get_online_features(features=features, entity_rows=rows)
            call_ms.append(1_000 * (time.perf_counter() - started))
        names = [name for batch in server.scan(entity_key.prefix(home.project, view.name) + b"*") for name in batch][
            :ROWS
        ]
        sizes = [len(value) for value in server.send([("GET", name) for name in names], names) if value]
        costs[view.name] = Cost(float(np.median(call_ms)), float(np.median(sizes)) if sizes else 0.0)
    return dict(sorted(costs.items(), key=lambda item: -item[1].milliseconds))


def _entities(view_rows: pl.LazyFrame, view: View) -> list[dict[str, Any]]:
    """Lists the keys of ``ROWS`` lookups: the newest keys, repeated if there are fewer.

    For an empty table these are unknown keys.

    Args:
        view_rows: keys and ``event_timestamp`` of the view's rows.
        view: the view.
    """
    keys = sorted(view.join_keys)
    newest = view_rows.tail(50 * ROWS).sort("event_timestamp", descending=True).select(keys).collect()
    rows = newest.unique(maintain_order=True).head(ROWS).to_dicts()
    key_types = zip(view.join_keys, view.key_types, strict=True)
    unknown_entity = {key: _UNKNOWN.get(dtype, "nobody") for key, dtype in key_types}
    return [rows[position % len(rows)] if rows else unknown_entity for position in range(ROWS)]


_UNKNOWN: dict[str, Any] = {"Int64": -1, "Int32": -1, "Bool": False, "UnixTimestamp": 0}
"""Type of a key → a key that hardly anything has; a text for all others."""
