"""Rows pushed to the offline store: converted to the types of their view, or rejected before anything is written."""

import time
import uuid
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
from feast import FeatureView, Field
from feast.data_source import DataSource

from feature_repo.encryption import parquet_files
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
    """Converts pushed rows to the column names and types of a view's table.

    A column gets the view's type, or the type of the existing files if that one is incompatible with the view's type.
    Times are microseconds, rounded down. Values are converted only without loss.

    Args:
        view: the view with the declared types.
        source: batch source of the view.
        table: pushed rows, with the column names of the view or of the files.
        files: existing files of the table.

    Raises:
        InputError: the table lacks a column of the view, or a value does not fit its type.
    """
    file_names = {new: old for old, new in source.field_mapping.items()}
    times = [source.timestamp_field, *([source.created_timestamp_column] if source.created_timestamp_column else [])]
    types_by_view_name = {
        **_declared_types(view, (*view.entity_columns, *view.features)),
        **dict.fromkeys(times, MOMENT),
    }
    table_names = {file_names.get(name, name): name for name in table.column_names}
    missing = [name for name in types_by_view_name if file_names.get(name, name) not in table_names]
    if missing:
        raise _missing_columns_error(view, missing, table)
    keys = {field.name: str(field.dtype) for field in view.entity_columns}
    names_in_view = {file_names.get(name, name): name for name in types_by_view_name}
    types_by_column = {file_names.get(name, name): dtype for name, dtype in types_by_view_name.items()}
    columns = {}
    for column, name in table_names.items():
        existing_types = [
            file_types[column] for file in files for file_types in [_file_types(file)] if column in file_types
        ]
        is_time = column in {file_names.get(time, time) for time in times}
        dtype = _written_type(types_by_column.get(column), existing_types, is_time=is_time)
        values = table[name].combine_chunks()
        if names_in_view.get(column) in keys:
            values = key_column(values, keys[names_in_view[column]], name)
        columns[column] = values if dtype is None else _convert(view, name, values, dtype, is_time=is_time)
    return pa.table(columns)


def arrow_table(view: FeatureView, rows: pd.DataFrame) -> pa.Table:
    """Converts a pushed frame to an Arrow table.

    Raises:
        InputError: a column has values of several types.
    """
    columns = {}
    is_text_feature = {field.name: column_of(field).kind in ("text", "texts") for field in view.features}
    for name in rows.columns:
        as_text = (
            is_text_feature.get(str(name), False) and rows[name].dtype == object
        )  # decimals with any number of digits become texts
        try:
            column = rows[name].map(_as_text) if as_text else rows[name]
            columns[name] = pa.array(column, from_pandas=True)
        except pa.ArrowException as error:
            raise InputError(
                expected=f"values of one type in the column {name!r} that is pushed to the view {view.name}",
                found=f"{(str(error).splitlines() or [''])[0]}; nothing was written",
                next_command=f"convert {name!r} before it is pushed",
            ) from error
    return pa.table(columns)


def _as_text(value: Any) -> Any:
    """Converts decimals and UUIDs to text; returns any other value unchanged."""
    if isinstance(value, list | tuple | set):
        return [_as_text(item) for item in value]
    return str(value) if isinstance(value, Decimal | uuid.UUID) else value


def in_view_types(view: FeatureView, table: pa.Table) -> pa.Table:
    """Converts features and times of pushed rows to the types of the view; keys are left unchanged.

    Args:
        view: the view with the declared types.
        table: pushed rows, with the column names of the view.

    Raises:
        InputError: the table lacks a column of the view, or a value does not fit its type.
    """
    source = source_of(view)
    time = (source.field_mapping or {}).get(source.timestamp_field, source.timestamp_field)
    required = [*key_types(view), *(feature.name for feature in view.features), time]
    missing = [name for name in required if name not in table.column_names]
    if missing:
        raise _missing_columns_error(view, missing, table)
    created = (source.field_mapping or {}).get(source.created_timestamp_column, source.created_timestamp_column)
    times = dict.fromkeys(({time, created} & {*table.column_names}), MOMENT)
    for name, dtype in {**_declared_types(view, view.features), **times}.items():
        place = table.column_names.index(name)
        values = table.column(place).combine_chunks()
        if name in times and is_text(values.type):  # from JSON
            values = instants(pl.Series(name, values), name).to_arrow()
        if dtype is not None:
            table = table.set_column(place, name, _convert(view, name, values, dtype, is_time=name in times))
    return table


def _missing_columns_error(view: FeatureView, names: Sequence[str], table: pa.Table) -> InputError:
    return InputError(
        expected=f"rows with the columns {list(names)} of the view {view.name}",
        found=f"{table.column_names}",
        next_command="add the columns to what is pushed",
    )


def add_file(folder: Path, rows: pa.Table) -> None:
    """Writes rows as a new file of a folder, the last in the order of its files."""
    name = f"{time.time_ns():020}-{uuid.uuid4().hex}.parquet"
    partial, final = folder / f".{name}", folder / f"{PUSHED}{name}"
    try:
        with parquet_files.writer(partial, rows.schema, final=final, compression="zstd") as writer:
            writer.write_table(rows)
        partial.rename(final)
    finally:
        partial.unlink(missing_ok=True)


def append(file: Path, rows: pa.Table) -> None:
    """Appends rows to a file, which is replaced. A column gets the common type of old and new values."""
    old_types = dict(_file_types(file))
    types = {**old_types, **{name: rows.schema.field(name).type for name in rows.column_names if name not in old_types}}
    for name in rows.column_names:
        if name in old_types:
            types[name] = _common_type(old_types[name], rows.schema.field(name).type)
    schema = pa.schema(list(types.items()))
    partial = file.with_name(f".{file.name}.{uuid.uuid4().hex[:8]}")
    try:
        with (
            parquet_files.open_file(file) as old_file,
            parquet_files.writer(partial, schema, final=file, compression="zstd") as writer,
        ):
            for batch in old_file.iter_batches():
                writer.write_table(_to_schema(pa.Table.from_batches([batch]), schema))
            writer.write_table(_to_schema(rows, schema))
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)


def _declared_types(view: FeatureView, fields: Sequence[Field]) -> dict[str, pa.DataType | None]:
    """Maps field names to Arrow types; None for maps, structs and nested lists, which are not converted."""
    columns = {field.name: column_of(field) for field in fields}
    return {name: None if column.kind == "message" else arrow_type(column) for name, column in columns.items()}


def _file_types(file: Path) -> Mapping[str, pa.DataType]:
    return footer(str(file), state(str(file))).columns.types


def _written_type(
    declared: pa.DataType | None, existing: Sequence[pa.DataType], *, is_time: bool
) -> pa.DataType | None:
    """Returns the type in which a column is written; None to write it unconverted."""
    typed = [dtype for dtype in existing if not pa.types.is_null(dtype)]
    if not typed:
        return declared
    if is_time and pa.types.is_timestamp(typed[-1]):
        return pa.timestamp("us", typed[-1].tz)
    if declared is None or any(unified(_polars_type(dtype), _polars_type(declared)) is None for dtype in typed):
        return typed[-1]
    return declared


def _common_type(first: pa.DataType, second: pa.DataType) -> pa.DataType:
    if first == second:
        return first
    common = unified(_polars_type(first), _polars_type(second))
    if common is None:
        return second
    return small(pl.DataFrame(schema={"": common}).to_arrow()).schema.field(0).type


def _polars_type(dtype: pa.DataType) -> pl.DataType:
    return settled(polars_type(readable(dtype)) or pl.Null())


def _to_schema(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Converts a table to a schema; columns that the table lacks are null."""
    columns = []
    for item in schema:
        if item.name not in table.column_names:
            columns.append(pa.nulls(len(table), item.type))
            continue
        values = table[item.name].combine_chunks()
        is_same = values.type == item.type
        columns.append(values if is_same else _to_arrow(_cast_series(series(values, item.name), item.type), item.type))
    return pa.table(columns, schema=schema)


def _cast_series(values: pl.Series, dtype: pa.DataType) -> pl.Series:
    target_type = polars_type(readable(dtype)) or pl.Null()
    return (
        pl.DataFrame([values])
        .select(cast(pl.col(values.name), values.dtype, target_type).alias(values.name))
        .to_series()
    )


def _to_arrow(values: pl.Series, dtype: pa.DataType) -> pa.Array:
    return values.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(dtype)


def _convert(view: FeatureView, name: str, values: pa.Array, dtype: pa.DataType, *, is_time: bool = False) -> pa.Array:
    """Converts a pushed column to a type, without loss.

    Args:
        view: the view, for messages.
        name: name of the column.
        values: (rows,) pushed values.
        dtype: target type.
        is_time: whether the column is the event or created time, which rejects numbers. In a feature of the type
            timestamp, numbers are seconds.

    Raises:
        InputError: a value does not fit.
    """
    if values.type == dtype:
        return values
    if pa.types.is_struct(values.type) and pa.types.is_map(dtype):  # Arrow infers a struct from a dict
        rows = [None if row is None else list(present(row).items()) for row in values.to_pylist()]
        return pa.array(rows, dtype)
    pushed_values = series(values, name)
    target_type = polars_type(readable(dtype)) or pl.Null()
    try:
        if pa.types.is_timestamp(dtype) and pa.types.is_integer(values.type) and not is_time:
            return from_seconds(values).cast(dtype)
        fits = _fits(pushed_values, target_type)
        if fits.all():
            return _to_arrow(_cast_series(pushed_values, dtype), dtype)
        problem = repr(pushed_values.filter(~fits)[:1].to_list()[0])
    except (pl.exceptions.PolarsError, pa.ArrowException) as error:
        problem = (str(error).splitlines() or [""])[0]
    raise InputError(
        expected=f"values of the type {dtype} in the column {name!r} that is pushed to the view {view.name}",
        found=f"{problem} of the type {values.type}; nothing was written",
        next_command=f"convert {name!r} before it is pushed, or correct the view and run: refrain apply",
    )


def _fits(values: pl.Series, target: pl.DataType) -> pl.Series:  # noqa: PLR0911 - one line a kind
    """Returns (rows,) whether each value converts to a type without loss; floats may round to other floats."""
    source = values.dtype
    is_null = values.is_null()
    if source in (target, pl.Null) or (source.is_float() and target.is_float()):
        return is_null | True
    if isinstance(source, pl.Struct | pl.Map) and isinstance(target, pl.Struct | pl.Map):
        return is_null | True
    if isinstance(source, pl.List | pl.Array) and isinstance(target, pl.List | pl.Array):
        elements = values.explode(empty_as_null=False).drop_nulls() if values.len() else values
        return is_null | (source.inner == target.inner or bool(_fits(elements, instance(target.inner)).all()))
    if source.is_nested() or target.is_nested():
        return is_null
    if isinstance(source, pl.Categorical | pl.Enum) or (source.is_temporal() and target.is_temporal()):
        return is_null | (settled(source) == target or source.is_temporal())
    only_one_is_text = (source == pl.String) != (target == pl.String)
    if only_one_is_text and (
        source.is_float() or target.is_float() or pl.Boolean in (source, target)
    ):  # 7.0 or 7? true or True?
        return is_null
    if source.is_temporal() or target.is_temporal():
        return is_null
    converted = values.cast(target, strict=False)
    return is_null | (converted.cast(source, strict=False) == values).fill_null(False)
