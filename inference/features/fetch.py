"""What a lookup fetches of one view from Redis, and the rows that come of it."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from feature_repo.packed.decode import Block, Mixed, decode
from feature_repo.packed.schema import Schema
from inference.features.columns import ColumnRows
from inference.features.entities import GroupKeys
from inference.features.plan import Lookup

FEW_ROWS = 16
"""Most rows of which missing ones are decoded, too: that costs less than leaving them out."""
Rows = tuple[Block | Mixed | ColumnRows, np.ndarray | None]
"""The distinct rows of a view, and the index of each row of the lookup among them, as in ``ViewRows``."""
OlderSchemas = Callable[[int], Schema | None]
"""Fingerprint → earlier schema of a view; None if unknown."""


class Fetch(Protocol):
    """The rows of one view in one lookup."""

    @property
    def redis_keys(self) -> list[bytes]:
        """Redis keys of the rows to fetch."""
        ...

    def rows(self, packed: Sequence[bytes | None]) -> Rows:
        """Return the rows.

        Args:
            packed: packed values of ``redis_keys``; None where there is none.

        Raises:
            StoreError: a value is damaged or has an unknown schema.
        """
        ...


class WholeFetch:
    """All rows of the view are fetched."""

    def __init__(self, lookup: Lookup, older: OlderSchemas, keys: GroupKeys) -> None:
        self._schema, self._older, self._places = lookup.schema, older, keys.places
        prefix = lookup.prefix
        self.redis_keys = [prefix + entity for entity in keys.entities]

    def rows(self, packed: Sequence[bytes | None]) -> Rows:
        """See ``Fetch``."""
        if len(packed) <= FEW_ROWS or None not in packed:
            return decode(packed, self._schema, self._older), self._places
        places, block = decode_found(packed, self._schema, self._older)
        index = np.full(len(packed) + 1, -1)  # the last one is of a missing key, whose place is -1
        index[places] = np.arange(len(places))
        return block, index[:-1] if self._places is None else index[self._places]


class ReusedRows:
    """The rows of the view are those of an earlier lookup."""

    def __init__(self, block: Block | Mixed | ColumnRows, keys: GroupKeys) -> None:
        self._block, self._places = block, keys.places
        self.redis_keys: list[bytes] = []

    def rows(self, packed: Sequence[bytes | None]) -> Rows:
        """See ``Fetch``."""
        return self._block, self._places


def decode_found(
    packed: Sequence[bytes | None], schema: Schema, older: OlderSchemas
) -> tuple[np.ndarray, Block | Mixed]:
    """Decode the rows that were found; also return their indices.

    Raises:
        StoreError: a value is damaged or has an unknown schema.
    """
    places = [place for place, row in enumerate(packed) if row is not None]
    return np.array(places, np.int64), decode([packed[place] for place in places], schema, older)
