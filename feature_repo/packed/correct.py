"""Rows that are online and say something else than they should."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from feature_repo.packed.schema import UNKNOWN_TIME
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


def correct(writer: Writer, rows: OnlineRows, values: Sequence[bytes | None]) -> int:
    """Put what should be there in the place of rows, whichever is newer; what others have written meanwhile stays.

    Args:
        writer: of the view.
        rows: (n,) that are there.
        values: (n,) packed, as they should be; None where there should be none.

    Returns:
        How many were other.

    Raises:
        OnlineUnavailable: Redis does not take them.
    """
    other = [place for place, value in enumerate(values) if value != rows.values[place]]
    found = rows.take(other)
    seen = [value for value in found.values if value is not None]
    return writer.replace(found.names, seen, [values[place] for place in other]) if other else 0
