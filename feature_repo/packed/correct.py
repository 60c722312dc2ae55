"""Corrects online rows that differ from the feature tables."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from feature_repo.packed.schema import UNKNOWN_TIME
from feature_repo.packed.server import Server, get
from feature_repo.packed.write import Writer

_TIMES = struct.Struct("<qq")
"""Event and created time, at byte offset 8 of a packed value."""


@dataclass(frozen=True)
class OnlineRows:
    """Packed values of the online store and their times.

    Attributes:
        names: (n,) full names.
        values: (n,) packed values; None where there is none.
        event: (n,) event times in microseconds since 1970; ``UNKNOWN_TIME`` where there is no value.
        created: (n,) created times, likewise.
    """

    names: list[bytes]
    values: list[bytes | None]
    event: np.ndarray
    created: np.ndarray

    @classmethod
    def read(cls, server: Server, names: list[bytes]) -> "OnlineRows":
        """Reads the rows of given names.

        Raises:
            OnlineUnavailable: Redis does not answer.
        """
        values = get(server, names)
        no_times = (UNKNOWN_TIME, UNKNOWN_TIME)
        times = [
            _TIMES.unpack_from(value, 8) if value and len(value) >= 8 + _TIMES.size else no_times for value in values
        ]
        event, created = np.array(times, np.int64).reshape(-1, 2).T
        return cls(names, values, event, created)

    def take(self, places: Sequence[int] | np.ndarray) -> "OnlineRows":
        """Selects rows by index."""
        indices = [int(place) for place in places]
        names, values = [self.names[place] for place in indices], [self.values[place] for place in indices]
        return OnlineRows(names, values, self.event[indices], self.created[indices])


def correct(writer: Writer, rows: OnlineRows, values: Sequence[bytes | None]) -> int:
    """Replaces rows by the correct values, newer or older, unless another writer changed them meanwhile.

    Args:
        writer: writer of the view.
        rows: (n,) rows that were read.
        values: (n,) correct packed values; None to delete the row.

    Returns:
        Number of replaced or deleted rows.

    Raises:
        OnlineUnavailable: Redis does not accept the rows.
    """
    changed_indices = [place for place, value in enumerate(values) if value != rows.values[place]]
    changed = rows.take(changed_indices)
    old_values = [value for value in changed.values if value is not None]
    return (
        writer.replace(changed.names, old_values, [values[place] for place in changed_indices])
        if changed_indices
        else 0
    )
