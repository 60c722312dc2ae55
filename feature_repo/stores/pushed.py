"""Rows that are pushed to the offline store: in the types of their view, or refused before anything is written."""

import time
import uuid
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from feast import FeatureView, Field
from feast.data_source import DataSource

from feature_repo.errors import InputError
from feature_repo.packed.encode import MOMENT, arrow_type, from_seconds, is_text
from feature_repo.packed.key_columns import key_column
from feature_repo.stores.column_types import cast, instance, polars_type, readable, settled, small, unified
from feature_repo.stores.declared import column_of
from feature_repo.stores.history import PUSHED
from feature_repo.stores.parquet_files import footer, series, state
from feature_repo.stores.protobuf import key_types, present
from feature_repo.stores.source_path import source_of
from feature_repo.stores.spine import instants


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
    wanted_types = {**_declared(view, (*view.entity_columns, *view.features)), **dict.fromkeys(times, MOMENT)}
    given = {in_files.get(name, name): name for name in table.column_names}
    absent = [name for name in wanted_types if in_files.get(name, name) not in given]
    if absent:
        raise _absent(view, absent, table)
    keys = {field.name: str(field.dtype) for field in view.entity_columns}
    names_in_view = {in_files.get(name, name): name for name in wanted_types}
    wanted = {in_files.get(name, name): dtype for name, dtype in wanted_types.items()}
    columns = {}
    for column, name in given.items():
        there = [types[column] for file in files for types in [_types(file)] if column in types]
        is_time = column in {in_files.get(one, one) for one in times}
        dtype = _written_type(wanted.get(column), there, is_time=is_time)
        values = table[name].combine_chunks()
        if names_in_view.get(column) in keys:
            values = key_column(values, keys[names_in_view[column]], name)
        columns[column] = values if dtype is None else _converted(view, name, values, dtype, is_time=is_time)
    return pa.table(columns)


def arrow_table(view: FeatureView, rows: pd.DataFrame) -> pa.Table:
    """A pushed frame as an Arrow table.

    Raises:
        InputError: a column has values of several types.
    """
    columns = {}
    texts = {field.name: column_of(field).kind in ("text", "texts") for field in view.features}
    for name in rows.columns:
        is_written = texts.get(str(name), False) and rows[name].dtype == object  # with any number of digits
        try:
            column = rows[name].map(_as_text) if is_written else rows[name]
            columns[name] = pa.array(column, from_pandas=True)
        except pa.ArrowException as error:
            raise InputError(
                expected=f"values of one type in the column {name!r} that is pushed to the view {view.name}",
                found=f"{(str(error).splitlines() or [''])[0]}; nothing was written",
                next_command=f"convert {name!r} before it is pushed",
            ) from error
    return pa.table(columns)


def _as_text(value: Any) -> Any:
    """Decimals and UUIDs as they are written; anything else as it is."""
    if isinstance(value, list | tuple | set):
        return [_as_text(item) for item in value]
    return str(value) if isinstance(value, Decimal | uuid.UUID) else value


def in_view_types(view: FeatureView, table: pa.Table) -> pa.Table:
    """Pushed rows with features and times in the types of the view, and keys as they come.

    Args:
        view: with the declared types.
        table: the rows, under the names of the view.

    Raises:
        InputError: the table lacks a column of the view, or has a value that does not fit its type.
    """
    source = source_of(view)
    time = (source.field_mapping or {}).get(source.timestamp_field, source.timestamp_field)
    wanted = [*key_types(view), *(feature.name for feature in view.features), time]
    absent = [name for name in wanted if name not in table.column_names]
    if absent:
        raise _absent(view, absent, table)
    created = (source.field_mapping or {}).get(source.created_timestamp_column, source.created_timestamp_column)
    times = dict.fromkeys(({time, created} & {*table.column_names}), MOMENT)
    for name, dtype in {**_declared(view, view.features), **times}.items():
        place = table.column_names.index(name)
        values = table.column(place).combine_chunks()
        if name in times and is_text(values.type):  # as in JSON
            values = instants(pl.Series(name, values), name).to_arrow()
        if dtype is not None:
            table = table.set_column(place, name, _converted(view, name, values, dtype, is_time=name in times))
    return table


def _absent(view: FeatureView, names: Sequence[str], table: pa.Table) -> InputError:
    return InputError(
        expected=f"rows with the columns {list(names)} of the view {view.name}",
        found=f"{table.column_names}",
        next_command="add the columns to what is pushed",
    )


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


def _declared(view: FeatureView, fields: Sequence[Field]) -> dict[str, pa.DataType | None]:
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
    return pl.DataFrame([values]).select(cast(pl.col(values.name), values.dtype, want).alias(values.name)).to_series()


def _arrow(values: pl.Series, dtype: pa.DataType) -> pa.Array:
    return values.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(dtype)


def _converted(
    view: FeatureView, name: str, values: pa.Array, dtype: pa.DataType, *, is_time: bool = False
) -> pa.Array:
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
    if pa.types.is_struct(values.type) and pa.types.is_map(dtype):  # a dict, which Arrow takes for a struct
        rows = [None if row is None else list(present(row).items()) for row in values.to_pylist()]
        return pa.array(rows, dtype)
    given = series(values, name)
    want = polars_type(readable(dtype)) or pl.Null()
    try:
        if pa.types.is_timestamp(dtype) and pa.types.is_integer(values.type) and not is_time:
            return from_seconds(values).cast(dtype)
        fits = _fits(given, want)
        if fits.all():
            return _arrow(_as(given, dtype), dtype)
        found = repr(given.filter(~fits)[:1].to_list()[0])
    except (pl.exceptions.PolarsError, pa.ArrowException) as error:
        found = (str(error).splitlines() or [""])[0]
    raise InputError(
        expected=f"values of the type {dtype} in the column {name!r} that is pushed to the view {view.name}",
        found=f"{found} of the type {values.type}; nothing was written",
        next_command=f"convert {name!r} before it is pushed, or correct the view and run: python -m feature_repo apply",
    )


def _fits(given: pl.Series, want: pl.DataType) -> pl.Series:  # noqa: PLR0911 - one line a kind
    """(rows,) whether each value can be had in a type without a loss; floats may be rounded to other floats."""
    have = given.dtype
    is_null = given.is_null()
    if have in (want, pl.Null) or (have.is_float() and want.is_float()):
        return is_null | True
    if isinstance(have, pl.Struct | pl.Map) and isinstance(want, pl.Struct | pl.Map):
        return is_null | True
    if isinstance(have, pl.List | pl.Array) and isinstance(want, pl.List | pl.Array):
        elements = given.explode(empty_as_null=False).drop_nulls() if given.len() else given
        return is_null | (have.inner == want.inner or bool(_fits(elements, instance(want.inner)).all()))
    if have.is_nested() or want.is_nested():
        return is_null
    if isinstance(have, pl.Categorical | pl.Enum) or (have.is_temporal() and want.is_temporal()):
        return is_null | (settled(have) == want or have.is_temporal())
    texts = (have == pl.String) != (want == pl.String)
    if texts and (have.is_float() or want.is_float() or pl.Boolean in (have, want)):  # 7.0 or 7? true or True?
        return is_null
    if have.is_temporal() or want.is_temporal():
        return is_null
    there = given.cast(want, strict=False)
    return is_null | (there.cast(have, strict=False) == given).fill_null(False)
