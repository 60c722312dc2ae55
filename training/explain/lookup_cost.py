"""What each feature view of a service costs online: time of a call for a hundred rows, and bytes of a row."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from feature_repo.home import Home
from feature_repo.manifest import View, load_address, load_service
from feature_repo.packed import entity_key
from feature_repo.packed.server import WRITE_TIMEOUT, open_server
from feature_repo.store import open_store
from transforms import feature_tables

ROWS, CALLS = 100, 7


@dataclass(frozen=True)
class Cost:
    """Of one view.

    Attributes:
        milliseconds: median of a call of ``get_online_features`` for ``ROWS`` rows of this view alone.
        row_bytes: median size of what is stored of an entity; 0 where nothing is online.
    """

    milliseconds: float
    row_bytes: float


def lookup_cost(home: Home, services: Sequence[str]) -> dict[str, Cost]:
    """View → cost, dearest first; on-demand views are computed, not looked up.

    Args:
        home: the data folder.
        services: feature services; each view is asked for the newest entities of its table.
    """
    store, server = open_store(home), open_server(home, load_address(home), WRITE_TIMEOUT)
    views = {view.name: view for service in services for view in load_service(home, service).views}
    found = {}
    for view in views.values():
        rows = _entities(home, view)
        features = [f"{view.name}:{name}" for name, _ in view.features]
        spent = []
        for _ in range(CALLS):
            started = time.perf_counter()
            store.get_online_features(features=features, entity_rows=rows)
            spent.append(1_000 * (time.perf_counter() - started))
        names = [name for batch in server.scan(entity_key.prefix(home.project, view.name) + b"*") for name in batch][
            :ROWS
        ]
        sizes = [len(value) for value in server.send([("GET", name) for name in names], names) if value]
        found[view.name] = Cost(float(np.median(spent)), float(np.median(sizes)) if sizes else 0.0)
    return dict(sorted(found.items(), key=lambda item: -item[1].milliseconds))


def _entities(home: Home, view: View) -> list[dict[str, Any]]:
    """So many rows of keys, the newest ones again where there are fewer; nobody's where the table is empty."""
    keys = sorted(view.join_keys)
    newest = feature_tables.scan(home, view.name).select(*keys, "event_timestamp").tail(50 * ROWS).collect()
    rows = (
        newest.sort("event_timestamp", descending=True).select(keys).unique(maintain_order=True).head(ROWS).to_dicts()
    )
    nobody = dict.fromkeys(keys, "nobody")
    return [rows[place % len(rows)] if rows else nobody for place in range(ROWS)]
