"""Point-in-time join of a spine with the histories of many views, a chunk of the spine at a time."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from feature_repo.stores.as_of import LOWEST, Newest, Slots
from feature_repo.stores.column_types import small
from feature_repo.stores.declared import as_declared
from feature_repo.stores.history import History
from feature_repo.stores.history_reader import key_name
from feature_repo.stores.reading import reading
from feature_repo.stores.spine import Spine, key_codes, key_columns, moments
from feature_repo.temporary import temporary_folder

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
        own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        return self.threads or own or 1

    @contextlib.contextmanager
    def connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """DuckDB in memory, in UTC, within the limits: half of the memory is left to what lies outside of it."""
        with temporary_folder(self.temp_directory) as spill, duckdb.connect() as duck:
            duck.execute("SET timezone = 'UTC'")
            duck.execute(f"SET memory_limit = '{self.bytes // 2}B'")
            duck.execute(f"SET threads = {self.cores}")
            duck.execute("SET preserve_insertion_order = false")
            duck.execute("SET temp_directory = ?", [str(spill)])
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
        names = self.spine.schema.names
        keys = {key for history in self.histories for key in history.keys if key in names}
        types = _frame(pa.Table.from_batches([], self.spine.schema), sorted(keys))
        for history in self.histories:
            absent = [key for key in history.keys if key not in names]
            if absent:
                raise InputError(
                    expected=f"a spine with the join key {absent[0]!r} of the view {history.view}",
                    found=f"{names}",
                    next_command=f"rename or add {absent[0]!r} in the spine",
                )
            key_columns(types, history)
            clash = [name for name in history.features if name in names]
            if clash:
                raise InputError(
                    expected=f"a spine without a column named like a feature of the view {history.view}",
                    found=f"{clash}",
                    next_command=f"rename {clash[0]!r} in the spine, or ask with full_feature_names=True",
                )

    def rows_at_once(self) -> int:
        """As many rows of the spine as the memory holds with all that is made for them.

        Spine and features stand there twice at the end of a chunk (before and after they are put together); while a
        view is joined, its slots and what is sorted for them take some 250 bytes a row.
        """
        features = sum(_bytes_a_row(history) for history in self.histories)
        side_by_side = min(len(self.histories), self.limits.cores)
        each = 2 * (self.spine.bytes_a_row() + features) + 250 * side_by_side
        return int(min(max(self.limits.bytes * 0.75 / each, FEWEST_ROWS), MOST_ROWS))

    def tables(self, rows: int | None = None, progress: Progress = silent) -> Iterator[pa.Table]:
        """Chunks of the spine with all features, in order; one empty table if the spine is empty.

        Args:
            rows: of a chunk; what the memory holds if None.
            progress: told after each view of each chunk.
        """
        total, done = max(self.spine.rows, 1), 0
        for chunk in self.spine.chunks(rows or self.rows_at_once()):
            part = max(len(chunk), 1) / max(len(self.histories), 1)
            wide = chunk
            for place, (history, features) in enumerate(self._views(chunk)):
                for name, values in zip(features.column_names, features.columns, strict=True):
                    wide = wide.append_column(name, values)
                progress(done + (place + 1) * part, total, history.view)
            done += len(chunk)
            yield wide

    def _views(self, chunk: pa.Table) -> Iterator[tuple[History, pa.Table]]:
        """The features of each view for each row of a chunk. Views run side by side, each in a thread of its own."""
        when = moments(chunk, self.spine.time)
        keyed = _frame(chunk, sorted({key for history in self.histories for key in history.keys}))
        asked: dict[tuple, Future[tuple[pl.DataFrame, Slots]]] = {}

        def slots(history: History) -> tuple[pl.DataFrame, Slots]:
            keys = key_columns(keyed, history)
            codes, of_row = key_codes(
                keys.select(pl.col(key).alias(key_name(place)) for place, key in enumerate(history.keys)),
                when != LOWEST,
            )
            return codes, Slots(of_row, when)

        with ThreadPoolExecutor(max(min(len(self.histories), self.limits.cores), 1)) as pool:
            tasks = []
            for history in self.histories:
                types = [str(history.types[column]) for column in history.keys.values()]
                kind = (*history.keys, *types)
                if kind not in asked:
                    asked[kind] = pool.submit(slots, history)
                tasks.append(pool.submit(self._view, history, asked[kind]))
            try:
                for history, task in zip(self.histories, tasks, strict=True):
                    yield history, task.result()
            finally:
                pool.shutdown(cancel_futures=True)

    def _view(self, history: History, asked: "Future[tuple[pl.DataFrame, Slots]]") -> pa.Table:
        codes, slots = asked.result()
        newest = Newest(slots, as_known=self.as_known)
        ttl = None if history.ttl is None else history.ttl // timedelta(microseconds=1)
        until, since = 0, None
        with reading(history) as reader:
            if len(slots):
                until = int(slots.moments.max())
                since = None if ttl is None else int(slots.moments.min()) - ttl
                for arrays in reader.times(codes, until=until, since=since):
                    newest.offer(*arrays)
            rows, index = newest.result(ttl)
            values = reader.all_values(rows, history.features, since=since, until=until)
        of_slot = np.append(index, -1)  # the last is for rows of the spine without a slot
        of_row = pl.Series(of_slot[slots.slot_of_row], dtype=pl.Int64)
        gathered = values.select(pl.all().gather(pl.lit(of_row.set(of_row < 0, None))))
        table = small(gathered.to_arrow(compat_level=pl.CompatLevel.oldest()))
        return as_declared(history.view, history.declared, table)


def _frame(table: pa.Table, names: Sequence[str]) -> pl.DataFrame:
    return pl.DataFrame(table.select(list(names))) if names else pl.DataFrame()


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
