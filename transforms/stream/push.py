"""Rows of live tables into the online store."""

from collections.abc import Callable
from concurrent.futures import Executor

import numpy as np
import pyarrow as pa

from feature_repo.home import Home
from feature_repo.packed import entity_key
from feature_repo.packed.encode import MOMENT, encode
from feature_repo.packed.schema import Schema
from feature_repo.packed.server import Server
from feature_repo.packed.write import Writer
from transforms.stream.state.live_rows import LiveRows
from transforms.stream.state.live_table import LiveTable

SENT_AT_ONCE = 1_000
"""Rows that a connection takes before the server has read them; more are written by a thread, which may wait."""


class Pusher:
    """Writes the newest rows of one table; those that are older than what is online stay out.

    Args:
        home: whose project.
        server: the online store.
        live: the table, whose keys its rows have.
        pool: writes many rows.
        patience: seconds for which a write is tried again while the server is away.
    """

    def __init__(self, home: Home, server: Server, live: LiveTable, pool: Executor, patience: float = 60.0) -> None:
        self.live, self._pool = live, pool
        self._under_way: Callable[[], int] | None = None
        self._names: list[bytes | None] = []
        self._schema = Schema.of(live.table.name, live.table.fields)
        self._prefix = entity_key.prefix(home.project, live.table.name)
        self._writer = Writer(server, home.project, self._schema, patience=patience)

    def push(self, rows: LiveRows) -> int:
        """Pack rows, and send them to Redis, which writes them while the caller goes on.

        Returns:
            How many rows there were.

        Raises:
            OnlineUnavailable: the online store did not take those before.
        """
        self.finish()
        if not len(rows.event):
            return 0
        keys = self._names_of(rows.codes)
        values = encode(self._schema, rows.columns, times(rows.event), times(rows.created))
        if len(keys) <= SENT_AT_ONCE:
            self._under_way = self._writer.begin(keys, values)
        else:
            self._under_way = self._pool.submit(self._writer.write, keys, values).result
        return len(keys)

    def _names_of(self, codes: np.ndarray) -> list[bytes]:
        """Full names of keys, sorted; each is made once."""
        known, wanted = self._names, codes.tolist()
        known.extend([None] * (wanted[-1] + 1 - len(known)))
        fresh = [code for code in wanted if known[code] is None]
        if fresh:
            texts = self.live.keys.texts(np.array(fresh))
            parts = zip(*(map(entity_key.part, texts[key]) for key in sorted(texts)), strict=True)
            for code, mine in zip(fresh, parts, strict=True):
                known[code] = self._prefix + entity_key.entity(mine) + b"}"
        return [known[code] for code in wanted]  # type: ignore[misc]

    def finish(self) -> None:
        """Wait until what was pushed last is online.

        Raises:
            OnlineUnavailable: the online store does not take it.
        """
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            under_way()


def times(micros: np.ndarray) -> pa.Array:
    """Microseconds since 1970 as ``encode`` takes them."""
    return pa.array(micros).view(MOMENT)
