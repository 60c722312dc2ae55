"""Pushes rows of live tables to the online store."""

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
from feature_repo.restricted import RestrictedFile
from transforms.stream.state.live_rows import LiveRows
from transforms.stream.state.live_table import LiveTable

SENT_AT_ONCE = 1_000
"""Rows that a connection buffers before the server has read them; more rows are written by a thread, which may wait."""


class Pusher:
    """Writes the newest rows of one table; rows older than the online ones are not written.

    Args:
        home: the data folder, whose project names the keys.
        server: the online store.
        live: the table that has the rows.
        pool: threads that write large batches.
        patience: seconds for which a write is retried while the server is away.
    """

    def __init__(self, home: Home, server: Server, live: LiveTable, pool: Executor, patience: float = 60.0) -> None:
        self.live, self._pool = live, pool
        self._pending: Callable[[], int] | None = None
        self._redis_keys: list[bytes | None] = []
        self._schema = Schema.of(live.table.name, live.table.fields)
        self._prefix = entity_key.prefix(home.project, live.table.name)
        self._writer = Writer(server, home.project, self._schema, patience=patience)
        self._restricted = RestrictedFile(home)

    def push(self, rows: LiveRows) -> int:
        """Packs rows and sends them to Redis, which writes them while the caller continues; none of restricted people.

        Returns:
            Number of rows.

        Raises:
            OnlineUnavailable: the online store did not accept the previous rows.
        """
        self.finish()
        rows = self._usable(rows)
        if not len(rows.event):
            return 0
        keys = self._redis_keys_of(rows.codes)
        values = encode(self._schema, rows.columns, times(rows.event), times(rows.created))
        if len(keys) <= SENT_AT_ONCE:
            self._pending = self._writer.begin(keys, values)
        else:
            self._pending = self._pool.submit(self._writer.write, keys, values).result
        return len(keys)

    def _usable(self, rows: LiveRows) -> LiveRows:
        """The rows of people whose data may be used."""
        ids = {key: ids for key, ids in self._restricted.read().ids.items() if key in self.live.table.keys}
        if not ids or not len(rows.event):
            return rows
        values = self.live.keys.values(rows.codes)
        usable = [True] * len(rows.codes)
        for key, people in ids.items():
            usable = [free and str(value) not in people for free, value in zip(usable, values[key], strict=True)]
        if all(usable):
            return rows
        none = LiveRows(rows.codes[:0], rows.event[:0], rows.created[:0], {})
        return LiveRows.of(self.live, rows.codes[np.array(usable)]) if any(usable) else none

    def _redis_keys_of(self, codes: np.ndarray) -> list[bytes]:
        """Redis keys of sorted codes, cached by code."""
        cache, requested = self._redis_keys, codes.tolist()
        cache.extend([None] * (requested[-1] + 1 - len(cache)))
        missing = [code for code in requested if cache[code] is None]
        if missing:
            values = self.live.keys.values(np.array(missing))
            parts = zip(*(map(entity_key.part, values[key]) for key in sorted(values)), strict=True)
            for code, key_parts in zip(missing, parts, strict=True):
                cache[code] = self._prefix + entity_key.entity(key_parts) + b"}"
        return [cache[code] for code in requested]  # type: ignore[misc]

    def finish(self) -> None:
        """Waits until the rows pushed last are online.

        Raises:
            OnlineUnavailable: the online store does not accept them.
        """
        pending, self._pending = self._pending, None
        if pending is not None:
            pending()


def times(micros: np.ndarray) -> pa.Array:
    """Converts microseconds since 1970 to the Arrow type that ``encode`` takes."""
    return pa.array(micros).view(MOMENT)
