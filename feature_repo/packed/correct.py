"""Rows that are online and say something else than they should: they keep their moment and get the values of now."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from feature_repo.clock import LAST, microseconds
from feature_repo.packed.encode import MOMENT, encode
from feature_repo.packed.schema import UNKNOWN_TIME, Schema
from feature_repo.packed.server import Server, get
from feature_repo.packed.write import Writer

_TIMES = struct.Struct("<qq")
"""Event and created time, from the eighth byte of a packed value on."""


@dataclass(frozen=True)
class OnlineRows:
    """Packed values as they lie.

    Attributes:
        names: (n,) full names.
        values: (n,) None where there is nothing.
        event: (n,) microseconds since 1970, ``UNKNOWN_TIME`` where there is nothing.
        created: (n,) likewise.
    """

    names: list[bytes]
    values: list[bytes | None]
    event: np.ndarray
    created: np.ndarray

    @classmethod
    def read(cls, server: Server, names: list[bytes]) -> "OnlineRows":
        """Those of some names.

        Raises:
            OnlineUnavailable: Redis does not answer.
        """
        values = get(server, names)
        nothing = (UNKNOWN_TIME, UNKNOWN_TIME)
        times = [_TIMES.unpack_from(one, 8) if one and len(one) >= 8 + _TIMES.size else nothing for one in values]
        event, created = np.array(times, np.int64).reshape(-1, 2).T
        return cls(names, values, event, created)

    def take(self, places: Sequence[int] | np.ndarray) -> "OnlineRows":
        """Some of them."""
        chosen = [int(place) for place in places]
        names, values = [self.names[place] for place in chosen], [self.values[place] for place in chosen]
        return OnlineRows(names, values, self.event[chosen], self.created[chosen])


def correct(
    writer: Writer, schema: Schema, rows: OnlineRows, columns: dict[str, pa.Array], moments: np.ndarray, now: int
) -> int:
    """Write the rows whose values are others; their new version is known from now on, so that it wins.

    Args:
        writer: of the view.
        schema: of the view.
        rows: (n,) as they are.
        columns: name → (n,) values as they should be.
        moments: (n,) to which the values belong; a row that is newer keeps its own.
        now: microseconds since 1970.

    Returns:
        How many were written.

    Raises:
        OnlineUnavailable: Redis does not take them.
    """
    event = np.maximum(rows.event, moments)
    as_they_are = encode(schema, columns, _times(event), _times(rows.created))
    other = [place for place, value in enumerate(as_they_are) if value != rows.values[place]]
    if other:
        known = np.maximum(np.minimum(rows.created + 1, microseconds(LAST)), now)
        packed = encode(schema, columns, _times(event), _times(known))
        writer.write([rows.names[place] for place in other], [packed[place] for place in other])
    return len(other)


def _times(micros: np.ndarray) -> pa.Array:
    return pa.array(micros).view(MOMENT)
