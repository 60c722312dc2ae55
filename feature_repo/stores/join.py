"""Point-in-time join of a spine with the histories of many views, a chunk of the spine at a time."""

import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from feature_repo.stores.as_of import LOWEST, Integers, Newest, Slots
from feature_repo.stores.history import History
from feature_repo.stores.spine import Spine, decoded, in_unit, key_codes, key_expressions, moments

FEWEST_ROWS, MOST_ROWS = 10_000, 8_000_000
"""Rows of the spine that are joined at once, at the least and at the most."""

_SHARE_OF_RAM = 0.5


@dataclass(frozen=True)
class Limits:
    """What a join may use.

    Attributes:
        memory: bytes, about; half of the machine's if None.
        threads: all cores if None.
        temp_directory: where DuckDB spills; the system's if None.
    """

    memory: int | None = None
    threads: int | None = None
    temp_directory: str | None = None

    @property
    def bytes(self) -> int:
        """Of memory."""
        if self.memory:
            return self.memory
        return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * _SHARE_OF_RAM)

    @property
    def cores(self) -> int:
        """That work at once."""
        return self.threads or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

    @contextlib.contextmanager
    def connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """DuckDB in memory, in UTC, within the limits: half of the memory is left to what lies outside of it."""
        with tempfile.TemporaryDirectory(prefix="refrain-", dir=self.temp_directory) as spill, duckdb.connect() as duck:
            duck.execute("SET timezone = 'UTC'")
            duck.execute(f"SET memory_limit = '{self.bytes // 2}B'")
            duck.execute(f"SET threads = {self.cores}")
            duck.execute("SET preserve_insertion_order = false")
            duck.execute("SET temp_directory = ?", [spill])
            yield duck


@dataclass(frozen=True)
class Join:
    """A spine and what is to be joined to it.

    Attributes:
        spine: the rows.
        histories: one for each view, in the order of the answer.
        as_known: rows count from the moment they were created.
        limits: memory, threads, place to spill.
    """

    spine: Spine
    histories: Sequence[History]
    as_known: bool
    limits: Limits

    def check(self) -> None:
        """Refuse what cannot be joined, before any work.

        Raises:
            InputError: the spine lacks a key, has it in another type, or has a column of a feature's name.
        """
        empty = pa.Table.from_batches([], self.spine.schema)
        keys = sorted({key for history in self.histories for key in history.keys if key in self.spine.schema.names})
        types = _duckdb_types(decoded(empty, keys))
        for history in self.histories:
            key_expressions(types, history)
            clash = [name for name in history.features if name in self.spine.schema.names]
            if clash:
                raise InputError(
                    expected=f"a spine without a column named like a feature of the view {history.view}",
                    found=f"{clash}",
                    next_command=f"rename {clash[0]!r} in the spine, or ask with full_feature_names=True",
                )

    def rows_at_once(self) -> int:
        """As many rows of the spine as the memory holds with all that is made for them."""
        values = sum(_bytes_a_row(history) + 120 for history in self.histories)
        groups = len({tuple(history.keys) for history in self.histories})
        each = 3 * (self.spine.bytes_a_row() + values) + 160 * groups
        return int(min(max(self.limits.bytes / 2 / each, FEWEST_ROWS), MOST_ROWS))

    def tables(self, rows: int | None = None, progress: Progress = silent) -> Iterator[pa.Table]:
        """Chunks of the spine with all features, in order; one empty table if the spine is empty.

        Args:
            rows: of a chunk; what the memory holds if None.
            progress: told after each view of each chunk.
        """
        total, done = max(self.spine.rows, 1), 0
        with self.limits.connection() as duck:
            for chunk in self.spine.chunks(rows or self.rows_at_once()):
                part = max(len(chunk), 1) / len(self.histories) if self.histories else 1.0
                features: dict[str, pa.ChunkedArray] = {}
                for place, (history, table) in enumerate(self._views(duck, chunk)):
                    features.update(zip(table.column_names, table.columns, strict=True))
                    progress(done + (place + 1) * part, total, history.view)
                done += len(chunk)
                for name, values in features.items():
                    chunk = chunk.append_column(name, values)  # noqa: PLW2901
                yield chunk

    def _views(self, duck: duckdb.DuckDBPyConnection, chunk: pa.Table) -> Iterator[tuple[History, pa.Table]]:
        """The features of each view for each row of a chunk. Views run side by side, each in a thread of its own."""
        when, beyond, has_beyond = moments(chunk, self.spine.time)
        keys = sorted({key for history in self.histories for key in history.keys})
        keyed = decoded(chunk, keys)
        types = _duckdb_types(keyed)
        shared: dict[tuple, tuple[str, Slots]] = {}
        work = []
        duck.register("spine", keyed)
        for history in self.histories:
            expressions = key_expressions(types, history)
            unit = "ns" if has_beyond else history.unit
            kind = (tuple(history.keys), expressions, unit)
            if kind not in shared:
                codes = f"codes_{len(shared)}"
                code_of_row = key_codes(duck, "spine", list(history.keys), expressions, codes)
                code_of_row[when == LOWEST] = -1
                shared[kind] = codes, Slots(code_of_row, in_unit(when, beyond, unit))
            work.append((history, *shared[kind], unit))
        duck.unregister("spine")
        with ThreadPoolExecutor(max(min(len(work), self.limits.cores), 1)) as pool:
            tasks = [pool.submit(self._view, duck.cursor(), *arguments) for arguments in work]
            try:
                for history, task in zip(self.histories, tasks, strict=True):
                    yield history, task.result()
            finally:
                pool.shutdown(cancel_futures=True)

    def _view(self, duck: duckdb.DuckDBPyConnection, history: History, codes: str, slots: Slots, unit: str) -> pa.Table:
        newest = Newest(slots, as_known=self.as_known)
        scale = 1000 if unit == "ns" else 1
        ttl = None if history.ttl is None else round(history.ttl.total_seconds() * 1_000_000) * scale
        until, since = 0, None
        if len(slots):
            until = int(slots.moments.max())
            since = None if ttl is None else int(slots.moments.min()) - ttl
            for arrays in history.times(duck, codes, until=until, since=since, unit=unit):
                newest.offer(*arrays)
        rows, index = newest.result(ttl)
        values, places = history.values(duck, rows, since=since, until=until, unit=unit)
        return values.take(_indices(slots, index, places)) if history.features else values


def _indices(slots: Slots, index: Integers, places: Integers) -> pa.Array:
    """For each row of the spine, the row of the values; null where there is none."""
    of_slot = np.full(len(index) + 1, -1, dtype=np.int64)  # the last is for rows of the spine without a slot
    seen = index >= 0
    of_slot[:-1][seen] = places[index[seen]]
    of_row = of_slot[slots.of_row]
    return pa.array(of_row, mask=of_row < 0)


def _duckdb_types(table: pa.Table) -> dict[str, str]:
    with duckdb.connect() as duck:
        duck.register("t", table.slice(0, 0))
        types = {name: dtype for name, dtype, *_ in duck.execute("DESCRIBE t").fetchall()}
    return {name: "NULL" if pa.types.is_null(table[name].type) else dtype for name, dtype in types.items()}


def _bytes_a_row(history: History) -> float:
    """Of a history's features in memory, after one file's own statistics."""
    columns = set(history.features.values())
    with contextlib.suppress(pa.ArrowInvalid, OSError):
        footer = pq.read_metadata(max(history.files, key=os.path.getsize))
        groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
        chunks = [group.column(place) for group in groups for place in range(group.num_columns)]
        size = sum(c.total_uncompressed_size for c in chunks if c.path_in_schema.split(".")[0] in columns)
        return max(size / max(footer.num_rows, 1), 8 * len(columns))
    return 32 * len(columns)
