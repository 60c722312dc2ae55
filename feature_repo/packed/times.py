"""Times of what is online, without its values."""

import struct
from collections.abc import Sequence
from functools import partial

import numpy as np

from feature_repo.packed.schema import UNKNOWN_TIME
from feature_repo.packed.server import Command, Server, persistent, raised

_TIMES = struct.Struct("<qq")
"""Event and created time, from the eighth byte of a packed value on."""

ROWS_A_TRIP = 10_000


def online_times(server: Server, entities: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """Event and created times of packed values.

    Args:
        server: that has them.
        entities: (n,) full names.

    Returns:
        Two arrays (n,) of microseconds since 1970, ``UNKNOWN_TIME`` where there is no value.

    Raises:
        OnlineUnavailable: Redis does not answer.
    """
    times = np.full((len(entities), 2), UNKNOWN_TIME, np.int64)
    for start in range(0, len(entities), ROWS_A_TRIP):
        part = list(entities[start : start + ROWS_A_TRIP])
        commands: list[Command] = [("GETRANGE", name, 8, 23) for name in part]
        headers = persistent(server, partial(_headers, server, commands, part), tries=2)
        for place, header in enumerate(headers, start=start):
            if len(header) == _TIMES.size:
                times[place] = _TIMES.unpack(header)
    return times[:, 0], times[:, 1]


def _headers(server: Server, commands: list[Command], entities: list[bytes]) -> list[bytes]:
    return raised(server.send(commands, entities))
