"""The history behind one feature view: its Parquet files, their columns, and a common type for each column."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa

from feature_repo.encryption import parquet_files
from feature_repo.errors import StoreError
from feature_repo.packed.schema import Column
from feature_repo.stores.column_types import MICROSECONDS, polars_type, readable, settled, unified
from feature_repo.stores.key_series import KEY_TYPES
from feature_repo.stores.parquet_files import footer, in_path, is_in_path, state
from feature_repo.stores.source_files import files_at
from feature_repo.stores.source_path import PLACE, remedy
from feature_repo.stores.staging import Staging

if TYPE_CHECKING:
    from feast.data_source import DataSource

PUSHED = "pushed-"
"""Prefix of the names of pushed files. Their rows come last in a table, because a push corrects earlier rows."""

_INTEGERS: dict[str, pl.DataType] = {"Int64": pl.Int64(), "Int32": pl.Int32()}
_PATH_TYPES: dict[str, pl.DataType] = {
    "String": pl.String(),
    **_INTEGERS,
    "Float64": pl.Float64(),
    "Float32": pl.Float32(),
}
"""Declared types that path texts are parsed as; columns of other types keep the text."""


def literal(text: str) -> str:
    """Quotes a text as an SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


@dataclass(frozen=True)
class History:
    """The Parquet files of one feature view and their relevant columns.

    Rows are totally ordered by event time, then created time (null is oldest), then position in the files; a later
    row is newer. Times are microseconds, rounded down.

    Attributes:
        view: name of the view, for messages.
        files: paths, in the order in which rows are numbered.
        types: column of the files → common type of its values in all files, for the relevant columns.
        keys: join key in the spine → column of the files.
        features: feature name in the result → column of the files.
        time: column of the event time.
        created: column of the created time, if there is one.
        ttl: maximum age of a row; None for no limit.
        key_types: key column → Feast's name of its declared type, where known. Keys are converted to it.
        in_paths: columns encoded in the paths (``country=se/``) of files that lack them.
        declared: feature name in the result → its declaration. Other features keep the type of the files.
        staged: temporary copy of a source that is not local Parquet.
    """

    view: str
    files: tuple[str, ...]
    types: Mapping[str, pl.DataType]
    keys: Mapping[str, str]
    features: Mapping[str, str]
    time: str
    created: str | None = None
    ttl: timedelta | None = None
    key_types: Mapping[str, str] = field(default_factory=dict)
    in_paths: tuple[str, ...] = ()
    declared: Mapping[str, Column] = field(default_factory=dict)
    staged: Staging | None = field(default=None, repr=False, compare=False)

    def types_in_files(self) -> dict[str, dict[str, str]]:
        """Maps each relevant column to its types in the files, and each type to the first file that has it.

        Files that lack a column, or in which it is entirely null, are left out for that column.
        """
        types_by_column: dict[str, dict[str, str]] = {column: {} for column in self.types}
        for file, file_state in zip(self.files, map(state, self.files), strict=True):
            columns = footer(file, file_state).columns.types
            for column, first_files in types_by_column.items():
                if column in columns and not pa.types.is_null(columns[column]):
                    first_files.setdefault(str(columns[column]), file)
        return types_by_column


def open_history(
    source: "DataSource",
    *,
    view: str,
    keys: Mapping[str, str],
    features: Mapping[str, str],
    time: str,
    created: str | None,
    renamed: Mapping[str, str],
    ttl: timedelta | None,
    repo_path: Any,
    temp_directory: str | None,
    declared: Mapping[str, str] | None = None,
) -> History:
    """Opens a view's source and checks it against the view's declaration.

    A source that is not Parquet on this machine is copied to a temporary Parquet file first.

    Args:
        source: batch source of the view.
        view: name of the view.
        keys: join key in the spine → name in the view.
        features: feature name in the result → name in the view.
        time: name of the event time in the view.
        created: name of the created time, if there is one.
        renamed: name in the view → name in the files, where they differ.
        ttl: ttl of the view; zero for no limit.
        repo_path: folder that relative paths start from.
        temp_directory: folder for a temporary copy; the system's temporary folder if None.
        declared: name in the view → Feast's name of its type. It decides how keys are compared and how path texts are
            parsed. Without it, keys are compared in the types of the files, and path texts that look like integers
            or dates are read as such.

    Raises:
        StoreError: files are missing or unreadable, lack a column, have another type where a time is declared, or
            have types of one column without a common type.
    """
    requested = [*keys.values(), *features.values(), time, *([created] if created else [])]
    files = _parquet_files(source, view, repo_path)
    staged = None
    if files is None:
        staged = Staging(temp_directory)
        target = staged.folder / "rows.parquet"
        _stage(source, view, repo_path, target)
        files = [str(target)]
    declared = declared or {}
    is_table = PLACE in (source.tags or {})
    columns, types, in_paths = _resolve_columns(files, requested, renamed, declared, view, is_table=is_table)
    key_types = {columns[key]: declared[key] for key in keys.values() if declared.get(key) in KEY_TYPES}
    types |= {column: KEY_TYPES[dtype] for column, dtype in key_types.items()}
    for name in features.values():
        integer_type = _INTEGERS.get(declared.get(name, ""))
        if integer_type is not None and types[columns[name]] == pl.Float64:  # would round the integers of other files
            types[columns[name]] = integer_type
    for time_name in (time, created):
        if time_name and types[columns[time_name]] == pl.Null:  # possible in a table without rows
            types[columns[time_name]] = MICROSECONDS
        if time_name and not isinstance(types[columns[time_name]], pl.Datetime | pl.Date):
            raise StoreError(
                expected=f"a time in the column {columns[time_name]!r} behind the view {view}",
                found=f"{types[columns[time_name]]}; the columns: "
                + ", ".join(f"{name} {dtype}" for name, dtype in sorted(types.items())),
                next_command="write the column as a timestamp in microseconds, UTC",
            )
    return History(
        view=view,
        files=tuple(files),
        types=types,
        keys={spine: columns[name] for spine, name in keys.items()},
        features={answer: columns[name] for answer, name in features.items()},
        time=columns[time],
        created=columns[created] if created else None,
        ttl=ttl or None,
        key_types=key_types,
        in_paths=in_paths,
        staged=staged,
    )


def _resolve_columns(
    files: Sequence[str],
    requested: Sequence[str],
    renamed: Mapping[str, str],
    declared: Mapping[str, str],
    view: str,
    *,
    is_table: bool,
) -> tuple[dict[str, str], dict[str, pl.DataType], tuple[str, ...]]:
    """Resolves requested names: name → column, column → common type, and the columns encoded in paths."""
    schemas = {file: _file_types(file, view, is_table) for file in files}
    distinct_schemas: dict[int, tuple[Mapping[str, pa.DataType], str]] = {}  # equal schemas are one object
    for file, file_types in schemas.items():
        distinct_schemas.setdefault(id(file_types), (file_types, file))
    names = {name for file_types, _ in distinct_schemas.values() for name in file_types}
    columns = {name: renamed[name] if renamed.get(name) in names else name for name in requested}
    distinct_columns = dict.fromkeys(columns.values())
    not_in_every_file = [
        column
        for column in distinct_columns
        if any(column not in file_types for file_types, _ in distinct_schemas.values())
    ]
    in_paths = tuple(
        column
        for column in not_in_every_file
        if any(column not in schemas[file] and is_in_path(file, column) for file in files)
    )
    absent = sorted(column for column in distinct_columns if column not in names and column not in in_paths)
    build = "refrain build, or " if is_table else ""
    if absent:
        raise StoreError(
            expected=f"the columns {absent} behind the view {view}",
            found=f"{sorted(names)} in {_describe_files(files)}",
            next_command=f"{build}correct the view and run: refrain apply",
        )
    names_in_view = {column: name for name, column in columns.items()}
    types = {}
    for column in distinct_columns:
        first_files: dict[pa.DataType, str] = {}
        for file_types, file in distinct_schemas.values():
            if column in file_types:
                first_files.setdefault(file_types[column], file)
        path_type = _PATH_TYPES.get(declared.get(names_in_view[column], ""))
        path_column_type = _path_type(files, column, path_type, view) if column in in_paths else None
        types[column] = _common_type(column, first_files, path_column_type, view)
    return columns, types, in_paths


def _file_types(file: str, view: str, is_table: bool) -> Mapping[str, pa.DataType]:
    try:
        columns = footer(file, state(file)).columns
    except (pa.ArrowException, OSError) as error:
        raise StoreError(
            expected=f"Parquet files behind the view {view}",
            found=f"{(str(error).splitlines() or [''])[0]} in {file}",
            next_command="refrain build" if is_table else f"write {file} again, then repeat the command",
        ) from error
    if columns.repeated:
        raise StoreError(
            expected=f"one column of each name in the files behind the view {view}",
            found=f"several columns {', '.join(map(repr, columns.repeated))} in {file}",
            next_command="write the file again without the repeated columns",
        )
    return columns.types


def _common_type(
    column: str, first_files: Mapping[pa.DataType, str], common: pl.DataType | None, view: str
) -> pl.DataType:
    """Returns the common type of a column's values in all files.

    Args:
        column: name of the column.
        first_files: type of the column → first file that has it.
        common: type of the values in the paths, if there are any.
        view: name of the view, for the message.
    """
    earlier = (common, "the paths") if common else None
    for dtype, file in first_files.items():
        file_type = polars_type(readable(dtype))
        if file_type is None:
            raise StoreError(
                expected=f"a type of Parquet that can be read in the column {column!r} behind the view {view}",
                found=f"{dtype} in {file}",
                next_command="write the column in another type",
            )
        wider = settled(file_type) if common is None else unified(common, settled(file_type))
        if wider is None:
            earlier_type, location = earlier or (None, "")
            raise StoreError(
                expected=f"types of the column {column!r} behind the view {view} that hold one another's values",
                found=f"{earlier_type} in {location}, {dtype} in {file}",
                next_command="write the column in one type in all files",
            )
        if earlier is None or wider != common:
            earlier = dtype, file
        common = wider
    return common or pl.Null()


def _path_type(files: Sequence[str], column: str, declared: pl.DataType | None, view: str) -> pl.DataType:
    """Returns the type of a column encoded in paths: the declared type, which every path text must fit."""
    texts = [text for text in (in_path(file, column) for file in files) if text is not None]
    if not texts:
        return declared or pl.Null()
    if declared is None:
        return next((candidate for candidate in (pl.Int64(), pl.Date()) if _look_like(texts, candidate)), pl.String())
    fits = pl.Series(texts, dtype=pl.String).cast(declared, strict=False).is_not_null()
    if not fits.all():
        text = texts[fits.arg_min() or 0]
        raise StoreError(
            expected=f"{declared} as {column!r} in the paths behind the view {view}",
            found=f"{column}={text}",
            next_command="rename the folder, or declare the column as String and run: refrain apply",
        )
    return declared


def _look_like(texts: Sequence[str], dtype: pl.DataType) -> bool:
    series = pl.Series(texts, dtype=pl.String)
    parsed = series.str.to_date("%Y-%m-%d", strict=False) if dtype == pl.Date else series.cast(dtype, strict=False)
    return bool((parsed.cast(pl.String) == series).fill_null(False).all())


def _describe_files(files: Sequence[str]) -> str:
    return files[0] if len(files) == 1 else f"{len(files)} files, the first is {files[0]}"


def _parquet_files(source: "DataSource", view: str, repo_path: Any) -> list[str] | None:
    """Lists the files of a local Parquet source; None for any other source."""
    from feast import FileSource
    from feast.data_format import ParquetFormat

    if not isinstance(source, FileSource) or not isinstance(source.file_format, ParquetFormat | None):
        return None
    path = FileSource.get_uri_for_file_path(repo_path, source.path)
    if "://" in path:
        return None
    place = Path(path)
    files = parquet_files_in(place, source)
    if not files:
        raise StoreError(
            expected=f"Parquet files behind the view {view}",
            found=f"{'an empty folder' if place.is_dir() else 'nothing'} at {path}",
            next_command=remedy(source),
        )
    return [str(file) for file in files]


def parquet_files_in(place: Path, source: "DataSource") -> list[Path]:
    """Lists the files of a table in the order in which rows are numbered: by path, pushed files last.

    Args:
        place: a file, a folder, or a glob pattern.
        source: the source with this path.
    """
    candidates = files_at(str(place), is_table=PLACE in (source.tags or {}))
    files = [file for file in candidates if file.suffix == ".parquet" or not place.is_dir()]
    return sorted(files, key=lambda file: file.name.startswith(PUSHED))


def _stage(source: "DataSource", view: str, repo_path: Any, target: Path) -> None:
    """Copies a source to one Parquet file, batch by batch."""
    from feast.infra.offline_stores.duckdb import _read_data_source

    try:
        batches = _read_data_source(source, str(repo_path)).to_pyarrow_batches()
        with parquet_files.writer(target, batches.schema) as writer:
            for batch in batches:
                writer.write_table(pa.Table.from_batches([batch]))
    except Exception as error:
        raise StoreError(
            expected=f"a readable source behind the view {view}",
            found=f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}",
            next_command="refrain apply, once the source is there",
        ) from error
