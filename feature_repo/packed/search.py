"""Exact nearest-neighbour search among the vectors of a view in the online store.

The search scans all values of the view, a thousand at a time, which suits small views and checks. Low-latency retrieval
uses an index in the model bundle (``inference.recommend.retrieve``).
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from feature_repo.errors import InputError
from feature_repo.packed import entity_key
from feature_repo.packed.decode import Block, Mixed, decode
from feature_repo.packed.schema import UNKNOWN_TIME, Schema
from feature_repo.packed.server import Server, get, translate_errors

METRICS = ("L2", "cosine", "inner_product")


@dataclass(frozen=True, order=True)
class Neighbour:
    """One entity near the query.

    Attributes:
        distance: L2 distance, 1 − cosine, or negated inner product; smaller is nearer.
        entity: the entity, as in the name of its packed value.
        value: packed value.
    """

    distance: float
    entity: bytes
    value: bytes


def nearest(
    server: Server,
    project: str,
    schema: Schema,
    older: Callable[[int], Schema | None],
    feature: str,
    query: np.ndarray,
    *,
    top: int,
    metric: str = "L2",
) -> list[Neighbour]:
    """Finds the entities nearest to a query, nearest first. Vectors of another length are ignored.

    Args:
        server: connection to the Redis that holds the values.
        project: name of the Feast project.
        schema: schema of the view.
        older: see ``decode``.
        feature: name of the column with the vectors.
        query: (d,) query vector.
        top: number of neighbours.
        metric: one of ``METRICS``.

    Raises:
        InputError: the metric is unknown.
        OnlineUnavailable: Redis does not answer.
        StoreError: a value is damaged.
    """
    if metric not in METRICS:
        raise InputError(
            expected=f"a distance, one of {list(METRICS)}", found=repr(metric), next_command="distance_metric='cosine'"
        )
    prefix = entity_key.prefix(project, schema.view)
    best: dict[bytes, Neighbour] = {}  # a scan may name an entity twice
    with translate_errors():
        for names in server.scan(prefix + b"*"):
            values = get(server, names)
            block = decode(values, schema, older)
            rows, vectors = _vectors(block, feature, len(query))
            for row, distance in zip(rows.tolist(), _distances(vectors, query, metric).tolist(), strict=True):
                entity = names[row][len(prefix) : -1]
                best[entity] = Neighbour(distance, entity, values[row] or b"")
            if len(best) > 4 * top:
                best = {neighbour.entity: neighbour for neighbour in heapq.nsmallest(top, best.values())}
    return heapq.nsmallest(top, best.values())


def _vectors(block: Block | Mixed, feature: str, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the (n,) indices of rows with a vector of this length, and the (n, length) vectors."""
    column = block.schema.columns[block.schema.index[feature]]
    is_present = (block.event != UNKNOWN_TIME) & ~block.is_null(feature)
    if column.kind == "vector":
        rows = np.flatnonzero(is_present) if column.length == length else np.empty(0, np.int64)
        return rows, block.numbers(feature)[rows].astype(np.float64).reshape(-1, length)
    values = block.objects(feature)
    rows = np.array([row for row in np.flatnonzero(is_present) if len(values[row]) == length], np.int64)
    return rows, np.array([values[row] for row in rows], np.float64).reshape(-1, length)


def _distances(vectors: np.ndarray, query: np.ndarray, metric: str) -> np.ndarray:
    if metric == "L2":
        return np.linalg.norm(vectors - query, axis=1)
    inner_products = vectors @ query
    if metric == "inner_product":
        return -inner_products
    norm_products = np.linalg.norm(vectors, axis=1) * np.linalg.norm(query)
    return 1.0 - np.divide(inner_products, norm_products, out=np.zeros(len(inner_products)), where=norm_products > 0)
