"""What each feature view of a service costs online: time of a call for a hundred rows, and bytes of a row."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from feature_repo.home import Home
from feature_repo.manifest import load_address, load_service
from feature_repo.packed import entity_key
from feature_repo.packed.server import WRITE_TIMEOUT, open_server
from feature_repo.store import open_store

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


def lookup_cost(home: Home, service: str, keys: pl.DataFrame) -> dict[str, Cost]:
    """View → cost, dearest first; on-demand views are computed, not looked up.

    Args:
        home: the data folder.
        service: feature service.
        keys: rows with its join keys.
    """
    store, server = open_store(home), open_server(home, load_address(home), WRITE_TIMEOUT)
    some = keys.head(ROWS)
    found = {}
    for view in load_service(home, service).views:
        rows: list[dict[str, Any]] = (
            some.select(sorted(view.join_keys)).to_dicts() if view.join_keys else [{}] * len(some)
        )
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
