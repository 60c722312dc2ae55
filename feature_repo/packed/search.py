"""Exact nearest neighbours among the vectors of a view online.

Every value of the view is looked at, a thousand at a time: right for small views and for checks. What has to answer in
a millisecond has an index of its own, in the model bundle (``inference.recommend.retrieve``).
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from feature_repo.errors import InputError
from feature_repo.packed import entity_key
from feature_repo.packed.decode import Block, Mixed, decode
from feature_repo.packed.schema import UNKNOWN_TIME, Schema
from feature_repo.packed.server import Server, get, telling

METRICS = ("L2", "cosine", "inner_product")


@dataclass(frozen=True, order=True)
class Neighbour:
    """One entity.

    Attributes:
        distance: smaller is nearer; 1 − cosine, or the negated inner product.
        entity: as in the name of its value.
        value: packed.
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
    """The entities whose vectors are nearest to a query, nearest first; without those whose vector has another length.

    Args:
        server: that holds the values.
        project: Feast's.
        schema: of the view.
        older: see ``decode``.
        feature: name of the column of vectors.
        query: (d,).
        top: how many.
        metric: one of ``METRICS``.

    Raises:
        InputError: there is no such metric.
        OnlineUnavailable: Redis does not answer.
        StoreError: a value is damaged.
    """
    if metric not in METRICS:
        raise InputError(
            expected=f"a distance, one of {list(METRICS)}", found=repr(metric), next_command="distance_metric='cosine'"
        )
    prefix = entity_key.prefix(project, schema.view)
    best: dict[bytes, Neighbour] = {}  # a scan may name an entity twice
    with telling():
        for names in server.scan(prefix + b"*"):
            found = get(server, names)
            block = decode(found, schema, older)
            rows, vectors = _vectors(block, feature, len(query))
            for row, distance in zip(rows.tolist(), _distances(vectors, query, metric).tolist(), strict=True):
                entity = names[row][len(prefix) : -1]
                best[entity] = Neighbour(distance, entity, found[row] or b"")
            if len(best) > 4 * top:
                best = {one.entity: one for one in heapq.nsmallest(top, best.values())}
    return heapq.nsmallest(top, best.values())


def _vectors(block: Block | Mixed, feature: str, length: int) -> tuple[np.ndarray, np.ndarray]:
    """(found,) places of the rows that have a vector of this length, and (found, length) the vectors."""
    column = block.schema.columns[block.schema.index[feature]]
    there = (block.event != UNKNOWN_TIME) & ~block.is_null(feature)
    if column.kind == "vector":
        rows = np.flatnonzero(there) if column.length == length else np.empty(0, np.int64)
        return rows, block.numbers(feature)[rows].astype(np.float64).reshape(-1, length)
    values = block.objects(feature)
    rows = np.array([row for row in np.flatnonzero(there) if len(values[row]) == length], np.int64)
    return rows, np.array([values[row] for row in rows], np.float64).reshape(-1, length)


def _distances(vectors: np.ndarray, query: np.ndarray, metric: str) -> np.ndarray:
    if metric == "L2":
        return np.linalg.norm(vectors - query, axis=1)
    inner = vectors @ query
    if metric == "inner_product":
        return -inner
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(query)
    return 1.0 - np.divide(inner, lengths, out=np.zeros(len(inner)), where=lengths > 0)
