"""Reads spines of any form into polars without changing their keys."""

import glob
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from feature_repo.encryption import parquet_files
from feature_repo.errors import InputError
from feature_repo.keys import key_values
from feature_repo.stores.key_series import KEY_TYPES
from transforms import parquet

TIME = "event_timestamp"

_LINES = (".jsonl", ".ndjson")


def read_spine(given: Any, keys: Mapping[str, str], request_fields: Mapping[str, str]) -> pl.DataFrame | pl.LazyFrame:
    """Reads a spine into polars; keys and times of text files stay texts, as they are written.

    Args:
        given: the spine; see ``SpineTable.of``.
        keys: join key → Feast's name of its type.
        request_fields: request field that the spine may have → Feast's name of its type.

    Raises:
        InputError: there is no such file, or it cannot be read as a table.
    """
    from feature_repo.stores.spine import Spine

    if isinstance(given, Spine):
        return pl.DataFrame(given.table) if given.in_memory else parquet_files.scan(given.table.files)
    if isinstance(given, pl.DataFrame | pl.LazyFrame):
        return given
    if isinstance(given, str | Path):
        return _file(Path(given), keys, request_fields)
    if isinstance(given, Mapping) or type(given).__module__.startswith("pandas"):
        return _columns(given, keys)
    try:
        return pl.DataFrame(given)
    except _CONVERSION_ERRORS as error:
        raise unreadable(given, error) from error


def unreadable(given: Any, error: Exception) -> InputError:
    """Makes the error for a spine that cannot be read as a table."""
    source = f"the file {given}" if isinstance(given, str | Path) else f"a {type(given).__name__}"
    return InputError(
        expected="a spine: a table with one type in each column",
        found=f"{(str(error).splitlines() or [type(error).__name__])[0]} in {source}",
        next_command="fix the column, or write the spine as Parquet: spine.write_parquet('spine.parquet')",
    )


def _file(path: Path, keys: Mapping[str, str], request_fields: Mapping[str, str]) -> pl.LazyFrame:
    if not path.exists():
        raise InputError(expected="a spine", found=f"no file {path}", next_command=f"ls {path.parent}")
    texts = [*keys, TIME, *(name for name, dtype in request_fields.items() if dtype in ("String", "UnixTimestamp"))]
    try:
        if path.suffix == ".csv":
            return _csv(path, texts)
        if path.suffix in _LINES:
            return _json_lines(path, texts)
        scan = parquet_files.scan(path, hive_schema=_in_paths(path, keys))
        scan.collect_schema()
    except (*_CONVERSION_ERRORS, OSError) as error:
        if path.suffix == ".csv" or path.suffix in _LINES:
            raise unreadable(path, error) from error
        raise parquet.damaged(path, error, "write the spine again") from error
    return scan


def _csv(path: Path, texts: list[str]) -> pl.LazyFrame:
    """Scans a CSV file; types of the other columns follow from all rows, not only the first ones."""
    names = pl.scan_csv(path, infer_schema=False, glob=False).collect_schema().names()
    duplicates = [name for name in names if "_duplicated_" in name]
    if duplicates:
        raise InputError(
            expected=f"columns of different names in {path}",
            found=f"the column {duplicates[0].partition('_duplicated_')[0]!r} twice",
            next_command="rename one of them in the first line",
        )
    as_text = {name: pl.String() for name in texts if name in names}
    return pl.scan_csv(path, infer_schema_length=None, schema_overrides=as_text, glob=False)


def _json_lines(path: Path, texts: list[str]) -> pl.LazyFrame:
    literal = glob.escape(str(path))  # polars reads every path of JSON lines as a pattern
    scan = pl.scan_ndjson(literal, infer_schema_length=None)
    names = scan.collect_schema()
    as_text = {name: pl.String() for name in texts if name in names and names[name].is_nested()}
    return pl.scan_ndjson(literal, infer_schema_length=None, schema_overrides=as_text)


def _in_paths(path: Path, keys: Mapping[str, str]) -> dict[str, pl.DataType] | None:
    """Types of keys in folder names, which are texts: ``user_id=007`` is no number."""
    if not path.is_dir():
        return None
    parts = {part.partition("=")[0] for file in path.rglob("*.parquet") for part in file.parts if "=" in part}
    return {key: pl.String() for key in keys if key in parts} or None


def _columns(given: Any, keys: Mapping[str, str]) -> pl.DataFrame:
    """Converts a pandas frame or a mapping column by column; keys that are Python objects are converted one by one."""
    columns = []
    for name in given:
        values = given[name]
        try:
            if name in keys and _is_of_objects(values):
                column = pl.Series(name, key_values(values, keys[name], name), KEY_TYPES.get(keys[name], pl.String()))
            else:
                column = pl.Series(name, values, nan_to_null=False)
        except _CONVERSION_ERRORS as error:
            raise unreadable(given, error) from error
        columns.append(column)
    try:
        return pl.DataFrame(columns)
    except _CONVERSION_ERRORS as error:
        raise unreadable(given, error) from error


def _is_of_objects(values: Any) -> bool:
    return isinstance(values, list | tuple) or str(getattr(values, "dtype", "")) == "object"


_CONVERSION_ERRORS = (pl.exceptions.PolarsError, TypeError, ValueError, OverflowError)
"""Errors that polars, and Arrow through it, raise if values do not fit a column."""
