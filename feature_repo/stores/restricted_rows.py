"""Leaves rows of restricted people out of what is written online."""

from collections.abc import Collection, Sequence
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc
from feast.protos.feast.types.EntityKey_pb2 import EntityKey

from feature_repo.home import Home
from feature_repo.restricted import Ids, Restricted

Row = TypeVar("Row", bound=tuple)


def of_restricted(table: pa.Table, keys: Collection[str]) -> pa.Array | None:
    """Returns the (n,) mask of the rows of restricted people; None if nobody with these keys is restricted.

    Args:
        table: rows with the columns of their keys.
        keys: join keys.
    """
    mask = None
    for key, ids in Restricted.of(Home.from_env()).ids.items():
        if key in keys:
            of_these = pc.is_in(table[key].combine_chunks().cast(pa.string()), pa.array(sorted(ids), pa.string()))
            mask = of_these if mask is None else pc.or_(mask, of_these)
    return mask


def not_restricted(rows: Sequence[Row]) -> list[Row]:
    """Returns the rows of a push that are not of restricted people; the first part of a row is its ``EntityKey``."""
    people = Restricted.of(Home.from_env()).ids
    return [row for row in rows if not people or not _is_of(row[0], people)]


def _is_of(key: EntityKey, people: Ids) -> bool:
    return any(
        str(getattr(value, value.WhichOneof("val") or "", None)) in people.get(name, frozenset())
        for name, value in zip(key.join_keys, key.entity_values, strict=True)
    )
