"""Rows of live tables into the online store."""

from concurrent.futures import Executor, Future

import numpy as np
import pyarrow as pa

from feature_repo.home import Home
from feature_repo.packed import entity_key
from feature_repo.packed.encode import encode, names
from feature_repo.packed.schema import Schema
from feature_repo.packed.server import Server
from feature_repo.packed.write import Writer
from feature_repo.windows import WindowedTable
from transforms.stream.state.live_table import LiveRows

_MOMENT = pa.timestamp("us", "UTC")


class Pusher:
    """Writes the newest rows of one table; those that are older than what is online stay out.

    Args:
        home: whose project.
        server: the online store.
        table: the declaration.
        pool: does the waiting for Redis.
        patience: seconds for which a write is tried again while the server is away.
    """

    def __init__(
        self, home: Home, server: Server, table: WindowedTable, pool: Executor, patience: float = 60.0
    ) -> None:
        self._pool = pool
        self.under_way: Future[int] | None = None
        self.view = table.name
        self._schema = Schema.of(table.name, table.fields)
        self._prefix = entity_key.prefix(home.project, table.name)
        self._writer = Writer(server, home.project, self._schema, patience=patience)

    def push(self, rows: LiveRows) -> int:
        """Pack rows, and hand them to Redis while the caller goes on, until ``under_way`` is done.

        Returns:
            How many rows there were.

        Raises:
            OnlineUnavailable: the online store did not take those before.
        """
        if self.under_way is not None:
            self.under_way.result()
        if not len(rows.event):
            return 0
        keys = names(self._prefix, [rows.keys[key] for key in sorted(rows.keys)]).to_pylist()
        values = encode(self._schema, rows.columns, _times(rows.event), _times(rows.created))
        self.under_way = self._pool.submit(self._writer.write, keys, values)
        return len(keys)


def _times(micros: np.ndarray) -> pa.Array:
    return pa.array(micros).view(_MOMENT)
