"""Point-in-time join of a spine with the histories of many views, one chunk of the spine at a time."""

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

from feature_repo.command_line import Progress, silent
from feature_repo.encryption import parquet_files
from feature_repo.encryption.places import is_in_use
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
"""Minimum and maximum number of spine rows in one chunk."""

_SHARE_OF_RAM = 0.5


@dataclass(frozen=True)
class Limits:
    """Resource limits of a join.

    Attributes:
        memory: approximate memory in bytes; half of the machine's if None.
        threads: number of threads; one per core if None.
        temp_directory: folder that DuckDB spills to; the system's temporary folder if None.
    """

    memory: int | None = None
    threads: int | None = None
    temp_directory: str | None = None

    @property
    def bytes(self) -> int:
        """Memory limit in bytes."""
        if self.memory:
            return self.memory
        return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * _SHARE_OF_RAM)

    @property
    def cores(self) -> int:
        """Number of threads that work at once."""
        available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        return self.threads or available or 1

    @contextlib.contextmanager
    def connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Opens an in-memory DuckDB in UTC. It gets half of the memory limit; the rest is for Arrow and polars."""
        with temporary_folder(self.temp_directory) as spill, duckdb.connect() as duck:
            duck.execute("SET timezone = 'UTC'")
            duck.execute(f"SET memory_limit = '{self.bytes // 2}B'")
            duck.execute(f"SET threads = {self.cores}")
            duck.execute("SET preserve_insertion_order = false")
            duck.execute("SET temp_directory = ?", [str(spill)])
            if is_in_use():  # keys of the spill are drawn by DuckDB's own generator: docs/encryption.md
                duck.execute("SET force_mbedtls_unsafe = true")
                duck.execute("SET temp_file_encryption = true")
            yield duck


@dataclass(frozen=True)
class Join:
    """A spine and the histories to join to it.

    Attributes:
        spine: the rows that features are joined to.
        histories: one history per view, in the order of the result.
        as_known: whether rows count from their created time.
        limits: memory, threads and spill folder.
    """

    spine: Spine
    histories: Sequence[History]
    as_known: bool
    limits: Limits

    def check(self) -> None:
        """Checks that the spine can be joined, before any rows are read.

        Raises:
            InputError: the spine lacks a key, has it in another type, or has a column with the name of a feature.
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
        """Returns the number of spine rows in one chunk that fits into the memory limit.

        Spine and features are in memory twice at the end of a chunk (before and after they are combined). While a
        view is joined, its slots and sort buffers take about 250 bytes per row.
        """
        features = sum(_bytes_a_row(history) for history in self.histories)
        parallel_views = min(len(self.histories), self.limits.cores)
        row_bytes = 2 * (self.spine.bytes_a_row() + features) + 250 * parallel_views
        return int(min(max(self.limits.bytes * 0.75 / row_bytes, FEWEST_ROWS), MOST_ROWS))

    def tables(self, rows: int | None = None, progress: Progress = silent) -> Iterator[pa.Table]:
        """Yields chunks of the spine with all features, in order; one empty table if the spine is empty.

        Args:
            rows: rows per chunk; as many as fit into memory if None.
            progress: callback, called after each view of each chunk.
        """
        total, done = max(self.spine.rows, 1), 0
        for chunk in self.spine.chunks(rows or self.rows_at_once()):
            work_per_view = max(len(chunk), 1) / max(len(self.histories), 1)
            joined = chunk
            for place, (history, features) in enumerate(self._views(chunk)):
                for name, values in zip(features.column_names, features.columns, strict=True):
                    joined = joined.append_column(name, values)
                progress(done + (place + 1) * work_per_view, total, history.view)
            done += len(chunk)
            yield joined

    def _views(self, chunk: pa.Table) -> Iterator[tuple[History, pa.Table]]:
        """Yields the features of each view for the rows of a chunk. Views run in parallel, one thread each."""
        row_moments = moments(chunk, self.spine.time)
        key_frame = _frame(chunk, sorted({key for history in self.histories for key in history.keys}))
        slot_futures: dict[tuple, Future[tuple[pl.DataFrame, Slots]]] = {}

        def slots(history: History) -> tuple[pl.DataFrame, Slots]:
            keys = key_columns(key_frame, history)
            codes, of_row = key_codes(
                keys.select(pl.col(key).alias(key_name(place)) for place, key in enumerate(history.keys)),
                row_moments != LOWEST,
            )
            return codes, Slots(of_row, row_moments)

        with ThreadPoolExecutor(max(min(len(self.histories), self.limits.cores), 1)) as pool:
            tasks = []
            for history in self.histories:
                types = [str(history.types[column]) for column in history.keys.values()]
                kind = (*history.keys, *types)
                if kind not in slot_futures:
                    slot_futures[kind] = pool.submit(slots, history)
                tasks.append(pool.submit(self._view, history, slot_futures[kind]))
            try:
                for history, task in zip(self.histories, tasks, strict=True):
                    yield history, task.result()
            finally:
                pool.shutdown(cancel_futures=True)

    def _view(self, history: History, slot_future: "Future[tuple[pl.DataFrame, Slots]]") -> pa.Table:
        codes, slots = slot_future.result()
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
        row_of_slot = np.append(index, -1)  # the last element is for spine rows without a slot
        row_index = pl.Series(row_of_slot[slots.slot_of_row], dtype=pl.Int64)
        gathered = values.select(pl.all().gather(pl.lit(row_index.set(row_index < 0, None))))
        table = small(gathered.to_arrow(compat_level=pl.CompatLevel.oldest()))
        return as_declared(history.view, history.declared, table)


def _frame(table: pa.Table, names: Sequence[str]) -> pl.DataFrame:
    return pl.DataFrame(table.select(list(names))) if names else pl.DataFrame()


def _bytes_a_row(history: History) -> float:
    """Estimates the memory of one row of a history's features, in bytes, from the statistics of its largest file."""
    columns = set(history.features.values())
    with contextlib.suppress(pa.ArrowInvalid, OSError):
        footer = parquet_files.metadata(max(history.files, key=os.path.getsize))
        groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
        chunks = [group.column(place) for group in groups for place in range(group.num_columns)]
        size = sum(chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema.split(".")[0] in columns)
        return max(size / max(footer.num_rows, 1), 8 * len(columns))
    return 32 * len(columns)
