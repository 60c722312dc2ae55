"""Rows that are pushed to the offline store: in the types of their view, or refused before anything is written."""

import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from feast import FeatureView, Field
from feast.data_source import DataSource

from feature_repo.errors import InputError
from feature_repo.packed.encode import MOMENT, arrow_type
from feature_repo.stores.column_types import cast, polars_type, readable, settled, small, unified
from feature_repo.stores.declared import column_of
from feature_repo.stores.history import PUSHED
from feature_repo.stores.parquet_files import footer, series, state


def fitted(view: FeatureView, source: DataSource, table: pa.Table, files: Sequence[Path]) -> pa.Table:
    """Pushed rows under the names and in the types of a view's table.

    A column has the view's type, unless the files have it in a type that cannot stand beside that one; then it has
    theirs. Times are microseconds, rounded down. A value is converted where nothing of it is lost.

    Args:
        view: with the declared types.
        source: of the view.
        table: the rows, under the names of the view or of the files.
        files: that are there already.

    Raises:
        InputError: the table lacks a column of the view, or has a value that does not fit its type.
    """
    in_files = {new: old for old, new in source.field_mapping.items()}
    times = [source.timestamp_field, *([source.created_timestamp_column] if source.created_timestamp_column else [])]
    wanted_types = {**declared(view, (*view.entity_columns, *view.features)), **dict.fromkeys(times, MOMENT)}
    given = {in_files.get(name, name): name for name in table.column_names}
    absent = [name for name in wanted_types if in_files.get(name, name) not in given]
    if absent:
        raise InputError(
            expected=f"rows with the columns {absent} of the view {view.name}",
            found=f"{table.column_names}",
            next_command="add the columns to what is pushed",
        )
    wanted = {in_files.get(name, name): dtype for name, dtype in wanted_types.items()}
    columns = {}
    for column, name in given.items():
        there = [types[column] for file in files for types in [_types(file)] if column in types]
        is_time = column in {in_files.get(one, one) for one in times}
        dtype = _written_type(wanted.get(column), there, is_time=is_time)
        values = table[name].combine_chunks()
        columns[column] = values if dtype is None else converted(view, name, values, dtype, is_time=is_time)
    return pa.table(columns)


def add_file(folder: Path, rows: pa.Table) -> None:
    """Write rows as one more file of a folder, the last in the order of its files."""
    name = f"{time.time_ns():020}-{uuid.uuid4().hex}.parquet"
    partial, final = folder / f".{name}", folder / f"{PUSHED}{name}"
    try:
        pq.write_table(rows, partial, compression="zstd")
        partial.rename(final)
    finally:
        partial.unlink(missing_ok=True)


def append(file: Path, rows: pa.Table) -> None:
    """Write rows behind those of a file, which is replaced; a column takes the type that holds the values of both."""
    before = dict(_types(file))
    types = {**before, **{name: rows.schema.field(name).type for name in rows.column_names if name not in before}}
    for name in rows.column_names:
        if name in before:
            types[name] = _common_type(before[name], rows.schema.field(name).type)
    schema = pa.schema(list(types.items()))
    partial = file.with_name(f".{file.name}.{uuid.uuid4().hex[:8]}")
    try:
        with pq.ParquetFile(file) as old, pq.ParquetWriter(partial, schema, compression="zstd") as writer:
            for batch in old.iter_batches():
                writer.write_table(_in_schema(pa.Table.from_batches([batch]), schema))
            writer.write_table(_in_schema(rows, schema))
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)


def declared(view: FeatureView, fields: Sequence[Field]) -> dict[str, pa.DataType | None]:
    """Name of a field → Arrow's type for Feast's; None for maps, structs and nested lists, which are taken as they
    come.
    """
    columns = {field.name: column_of(field) for field in fields}
    return {name: None if column.kind == "message" else arrow_type(column) for name, column in columns.items()}


def _types(file: Path) -> Mapping[str, pa.DataType]:
    return footer(str(file), state(str(file))).columns.types


def _written_type(declared: pa.DataType | None, there: Sequence[pa.DataType], *, is_time: bool) -> pa.DataType | None:
    """The type that a column is written in; None to take it as it comes."""
    known = [dtype for dtype in there if not pa.types.is_null(dtype)]
    if not known:
        return declared
    if is_time and pa.types.is_timestamp(known[-1]):
        return pa.timestamp("us", known[-1].tz)
    if declared is None or any(unified(_settled(dtype), _settled(declared)) is None for dtype in known):
        return known[-1]
    return declared


def _common_type(first: pa.DataType, second: pa.DataType) -> pa.DataType:
    if first == second:
        return first
    together = unified(_settled(first), _settled(second))
    if together is None:
        return second
    return small(pl.DataFrame(schema={"": together}).to_arrow()).schema.field(0).type


def _settled(dtype: pa.DataType) -> pl.DataType:
    return settled(polars_type(readable(dtype)) or pl.Null())


def _in_schema(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The columns of a schema, those that the table lacks null."""
    columns = []
    for item in schema:
        if item.name not in table.column_names:
            columns.append(pa.nulls(len(table), item.type))
            continue
        values = table[item.name].combine_chunks()
        is_same = values.type == item.type
        columns.append(values if is_same else _arrow(_as(series(values, item.name), item.type), item.type))
    return pa.table(columns, schema=schema)


def _as(values: pl.Series, dtype: pa.DataType) -> pl.Series:
    want = polars_type(readable(dtype)) or pl.Null()
    return pl.DataFrame([values]).select(cast(pl.col(values.name), values.dtype, want))[values.name]


def _arrow(values: pl.Series, dtype: pa.DataType) -> pa.Array:
    return values.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(dtype)


def converted(view: FeatureView, name: str, values: pa.Array, dtype: pa.DataType, *, is_time: bool = False) -> pa.Array:
    """A pushed column in a type, where nothing of its values is lost.

    Args:
        view: for messages.
        name: of the column.
        values: (rows,) as they are pushed.
        dtype: wanted.
        is_time: whether it is the event or created time, of which numbers are refused; those of a feature are seconds.

    Raises:
        InputError: a value does not fit.
    """
    if values.type == dtype:
        return values
    given = series(values, name)
    want = polars_type(readable(dtype)) or pl.Null()
    try:
        if pa.types.is_timestamp(dtype) and pa.types.is_integer(values.type) and not is_time:
            return pc.multiply_checked(values.cast(pa.int64()), 1_000_000).cast(dtype)
        fits = _fits(given, want)
        if fits.all():
            return _arrow(_as(given, dtype), dtype)
        found = repr(given.filter(~fits)[0])
    except (pl.exceptions.PolarsError, pa.ArrowException) as error:
        found = (str(error).splitlines() or [""])[0]
    raise InputError(
        expected=f"values of the type {dtype} in the column {name!r} that is pushed to the view {view.name}",
        found=f"{found} of the type {values.type}; nothing was written",
        next_command=f"convert {name!r} before it is pushed, or correct the view and run: python -m feature_repo apply",
    )


def _fits(given: pl.Series, want: pl.DataType) -> pl.Series:
    """(rows,) whether each value can be had in a type without a loss; floats may be rounded to other floats."""
    have = given.dtype
    is_null = given.is_null()
    if have in (want, pl.Null) or have.is_nested() or (have.is_float() and want.is_float()):
        return is_null | True
    if isinstance(have, pl.Categorical | pl.Enum) or (have.is_temporal() and want.is_temporal()):
        return is_null | (settled(have) == want or have.is_temporal())
    texts = (have == pl.String) != (want == pl.String)
    if texts and (have.is_float() or want.is_float() or pl.Boolean in (have, want)):  # 7.0 or 7? true or True?
        return is_null
    if have.is_temporal() or want.is_temporal():
        return is_null
    there = given.cast(want, strict=False)
    return is_null | (there.cast(have, strict=False) == given).fill_null(False)
