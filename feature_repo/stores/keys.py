"""Builds a spine from all keys of feature views, at one moment or on a grid of moments."""

import contextlib
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import polars as pl
import pyarrow as pa

from feature_repo.clock import microseconds
from feature_repo.encryption import parquet_files
from feature_repo.errors import InputError
from feature_repo.stores.column_types import small
from feature_repo.stores.history import History, literal
from feature_repo.stores.history_reader import HistoryReader, key_name
from feature_repo.stores.join import Limits
from feature_repo.stores.parquet_files import ROWS_AT_ONCE
from feature_repo.stores.reading import reading
from feature_repo.stores.spine import TIME, Spine, open_spine
from feature_repo.stores.staging import Staging


def all_keys(
    histories: Sequence[History],
    since: datetime | None,
    until: datetime,
    *,
    every: timedelta | None = None,
    limits: Limits,
) -> Spine:
    """Builds a spine of the distinct keys of feature views. Views with other keys add rows of their own keys alone.

    Args:
        histories: histories of the views.
        since: start of the range; None for no bound.
        until: end of the range.
        every: step of the grid. Without it, each key with a row in the range gets one moment, ``until``. With it,
            each key gets the moments ``since``, ``since + every``, … up to ``until``, from its first row on.
        limits: memory, threads and temporary folder.

    Returns:
        A spine with all keys and ``event_timestamp``, ordered by keys and moment.

    Raises:
        InputError: the range ends before it starts, or a grid has no start or no positive step.
    """
    if (since and since > until) or (every is not None and (since is None or every <= timedelta(0))):
        raise InputError(
            expected="a time range with a start before its end, and a step above zero for a grid",
            found=f"{since} to {until}, every {every}",
            next_command="start_date=datetime(2026, 1, 1, tzinfo=UTC), end_date=datetime(2026, 2, 1, tzinfo=UTC)",
        )
    keys = list(dict.fromkeys(key for history in histories for key in history.keys))
    names = [key_name(place) for place in range(len(keys))]
    end = f"TIMESTAMPTZ {literal(until.isoformat())}"
    key_list = ", ".join(f'"{name}"' for name in names)
    staged = Staging(limits.temp_directory)
    target = staged.folder / "keys.parquet"
    with limits.connection() as duck, contextlib.ExitStack() as stack:
        selects = []
        for number, history in enumerate(histories):
            if history.keys:
                reader = stack.enter_context(reading(history))
                range_start = None if every or since is None else microseconds(since)
                duck.register(f"view{number}", _first_rows(history, reader, range_start, microseconds(until), keys))
                selects.append(f"SELECT * FROM view{number}")
        if not selects:
            query = f"SELECT {end} AS {TIME}"
        else:
            distinct = (
                f"SELECT {key_list}, min(first_row) AS first_row FROM ({_UNION.join(selects)}) GROUP BY {key_list}"
            )
            if every is None or since is None:
                query = f"SELECT {key_list}, {end} AS {TIME} FROM ({distinct}) ORDER BY {key_list}"
            else:
                step = f"to_microseconds({every // timedelta(microseconds=1)})"
                start = f"TIMESTAMPTZ {literal(since.isoformat())}"
                grid = f"SELECT unnest(generate_series({start}, {end}, {step})) AS {TIME}"
                query = (
                    f"SELECT {key_list}, {TIME} FROM ({distinct}) JOIN ({grid}) ON epoch_us({TIME}) >= first_row"
                    f" ORDER BY {key_list}, {TIME}"
                )
        rows = duck.execute(query).to_arrow_reader(ROWS_AT_ONCE)
        schema = pa.schema([item.with_name(name) for item, name in zip(rows.schema, [*keys, TIME], strict=True)])
        with parquet_files.writer(target, schema) as writer:
            for batch in rows:
                writer.write_batch(pa.RecordBatch.from_arrays(batch.columns, schema=schema))
    spine = open_spine(target)
    return Spine(spine.table, spine.schema, spine.time, staged)


_UNION = " UNION ALL BY NAME "


def _first_rows(
    history: History, reader: HistoryReader, since: int | None, until: int, keys: Sequence[str]
) -> pa.RecordBatchReader:
    """Streams keys of a history and their first event time in microseconds; keys may repeat.

    Columns are named by the position of the key in ``keys``, so that names that differ only by case stay distinct.
    """
    columns = {key_name(keys.index(key)): column for key, column in history.keys.items()}
    types = {name: history.types[column] for name, column in columns.items()}
    schema = small(pl.DataFrame(schema={**types, "first_row": pl.Int64}).to_arrow()).schema

    def batches() -> Iterator[pa.RecordBatch]:
        for frame in reader.first_rows(columns, since=since, until=until):
            yield from frame.to_arrow().cast(schema).to_batches()

    return pa.RecordBatchReader.from_batches(schema, batches())
