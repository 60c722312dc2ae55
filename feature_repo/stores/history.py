"""What lies behind one feature view: its Parquet files, their columns, and the types that hold all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

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
"""How the names of files begin that were pushed. Their rows are the last of a table: a push corrects what was there."""

_INTEGERS: dict[str, pl.DataType] = {"Int64": pl.Int64(), "Int32": pl.Int32()}
_PATH_TYPES: dict[str, pl.DataType] = {
    "String": pl.String(),
    **_INTEGERS,
    "Float64": pl.Float64(),
    "Float32": pl.Float32(),
}
"""Declared types that say what a text in the paths means; for others it is read as it is written."""

_READING_ERRORS = (pl.exceptions.PolarsError, pl.exceptions.PanicException, pa.ArrowException, OSError)


def literal(text: str) -> str:
    """An SQL string."""
    return "'" + text.replace("'", "''") + "'"


@dataclass(frozen=True)
class History:
    """Parquet files of one feature view and the columns of them that matter.

    Rows have a total order: the event time, then the created time (null is the oldest), then the place in the files;
    of two rows the later one is the newer. Times count in microseconds, rounded down.

    Attributes:
        view: name, for messages.
        files: in the order that numbers their rows.
        types: column of the files → the type that holds its values in all of them, for the columns that matter.
        keys: join key as the spine calls it → column.
        features: name in the answer → column.
        time: column of the event time.
        created: column of the created time, if there is one.
        ttl: rows older than this do not count; None is no limit.
        key_types: column of a key → Feast's name of its declared type, if that is known; by it keys are converted.
        in_paths: columns that stand in the paths (``country=se/``) of the files that lack them.
        declared: name in the answer → how the view declares the feature; others are given as the files have them.
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
        """Column → its types as the files have them → the first file with each; columns that matter alone.

        A column that is null throughout in a file, or that the file lacks, says nothing about it.
        """
        found: dict[str, dict[str, str]] = {column: {} for column in self.types}
        for file, at in zip(self.files, map(state, self.files), strict=True):
            columns = footer(file, at).columns.types
            for column, types in found.items():
                if column in columns and not pa.types.is_null(columns[column]):
                    types.setdefault(str(columns[column]), file)
        return found


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
    """Look at a view's source and check that it is what the view says.

    A source that is not Parquet on this machine is copied to a temporary Parquet file first.

    Args:
        source: of the view.
        view: its name.
        keys: join key as the spine calls it → name in the view.
        features: name in the answer → name in the view.
        time: name of the event time in the view.
        created: name of the created time, if there is one.
        renamed: name in the view → name in the files, where they differ.
        ttl: of the view; zero is no limit.
        repo_path: which relative paths start from.
        temp_directory: where a copy goes; the system's if None.
        declared: name in the view → Feast's name of its type, which decides how a key is compared and what the text of
            a column in the paths means. Without it, keys are compared as the files have them, and texts in the paths
            that are written as integers or dates are that.

    Raises:
        StoreError: files are missing or unreadable, lack a column, have no time where one is declared, or have types
            of one column that no type holds.
    """
    wanted = [*keys.values(), *features.values(), time, *([created] if created else [])]
    files = _parquet_files(source, view, repo_path)
    staged = None
    if files is None:
        staged = Staging(temp_directory)
        target = staged.folder / "rows.parquet"
        _stage(source, view, repo_path, target)
        files = [str(target)]
    declared = declared or {}
    columns, types, in_paths = _columns(files, wanted, renamed, declared, view)
    key_types = {columns[key]: declared[key] for key in keys.values() if declared.get(key) in KEY_TYPES}
    types |= {column: KEY_TYPES[dtype] for column, dtype in key_types.items()}
    for name in features.values():
        whole = _INTEGERS.get(declared.get(name, ""))
        if whole is not None and types[columns[name]] == pl.Float64:  # which would round the integers of other files
            types[columns[name]] = whole
    for moment in (time, created):
        if moment and types[columns[moment]] == pl.Null:  # as a table without rows may have it
            types[columns[moment]] = MICROSECONDS
        if moment and not isinstance(types[columns[moment]], pl.Datetime | pl.Date):
            raise StoreError(
                expected=f"a time in the column {columns[moment]!r} behind the view {view}",
                found=f"{types[columns[moment]]}; the columns: "
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


def _columns(
    files: Sequence[str],
    wanted: Sequence[str],
    renamed: Mapping[str, str],
    declared: Mapping[str, str],
    view: str,
) -> tuple[dict[str, str], dict[str, pl.DataType], tuple[str, ...]]:
    """Where each wanted name is: its column, the types of the columns, and which of them stand in the paths."""
    schemas = {file: _types_of(file, view) for file in files}
    names = {name for types in schemas.values() for name in types}
    columns = {name: renamed[name] if renamed.get(name) in names else name for name in wanted}
    of_columns = dict.fromkeys(columns.values())
    in_paths = tuple(c for c in of_columns if any(c not in schemas[file] and is_in_path(file, c) for file in files))
    absent = sorted(column for column in of_columns if column not in names and column not in in_paths)
    if absent:
        raise StoreError(
            expected=f"the columns {absent} behind the view {view}",
            found=f"{sorted(names)} in {_where(files)}",
            next_command="python -m transforms build, or correct the view and run: python -m feature_repo apply",
        )
    names_in_view = {column: name for name, column in columns.items()}
    types = {}
    for column in of_columns:
        first_files: dict[pa.DataType, str] = {}
        for file, there in schemas.items():
            if column in there:
                first_files.setdefault(there[column], file)
        path_type = _PATH_TYPES.get(declared.get(names_in_view[column], ""))
        together = _in_paths(files, column, path_type, view) if column in in_paths else None
        types[column] = _one_type(column, first_files, together, view)
    return columns, types, in_paths


def _types_of(file: str, view: str) -> Mapping[str, pa.DataType]:
    try:
        found = footer(file, state(file)).columns
    except (pa.ArrowException, OSError) as error:
        raise StoreError(
            expected=f"Parquet files behind the view {view}",
            found=f"{(str(error).splitlines() or [''])[0]} in {file}",
            next_command="python -m transforms build",
        ) from error
    if found.repeated:
        raise StoreError(
            expected=f"one column of each name in the files behind the view {view}",
            found=f"several columns {', '.join(map(repr, found.repeated))} in {file}",
            next_command="write the file again without the repeated columns",
        )
    return found.types


def _one_type(
    column: str, first_files: Mapping[pa.DataType, str], together: pl.DataType | None, view: str
) -> pl.DataType:
    """The type that holds a column's values in all files.

    Args:
        column: name.
        first_files: each type that the column has → the first file with it.
        together: of the values in the paths, if there are some.
        view: name, for the message.
    """
    before = (together, "the paths") if together else None
    for dtype, file in first_files.items():
        own = polars_type(readable(dtype))
        if own is None:
            raise StoreError(
                expected=f"a type of Parquet that can be read in the column {column!r} behind the view {view}",
                found=f"{dtype} in {file}",
                next_command="write the column in another type",
            )
        wider = settled(own) if together is None else unified(together, settled(own))
        if wider is None:
            there, where = before or (None, "")
            raise StoreError(
                expected=f"types of the column {column!r} behind the view {view} that hold one another's values",
                found=f"{there} in {where}, {dtype} in {file}",
                next_command="write the column in one type in all files",
            )
        if before is None or wider != together:
            before = dtype, file
        together = wider
    return together or pl.Null()


def _in_paths(files: Sequence[str], column: str, declared: pl.DataType | None, view: str) -> pl.DataType:
    """The type of a column that stands in the paths: the declared one, which every text has to fit."""
    texts = [text for text in (in_path(file, column) for file in files) if text is not None]
    if not texts:
        return declared or pl.Null()
    if declared is None:
        return next((d for d in (pl.Int64(), pl.Date()) if _are_written_as(texts, d)), pl.String())
    fits = pl.Series(texts, dtype=pl.String).cast(declared, strict=False).is_not_null()
    if not fits.all():
        text = texts[fits.arg_min() or 0]
        raise StoreError(
            expected=f"{declared} as {column!r} in the paths behind the view {view}",
            found=f"{column}={text}",
            next_command="rename the folder, or declare the column as String and run: python -m feature_repo apply",
        )
    return declared


def _are_written_as(texts: Sequence[str], dtype: pl.DataType) -> bool:
    given = pl.Series(texts, dtype=pl.String)
    there = given.str.to_date("%Y-%m-%d", strict=False) if dtype == pl.Date else given.cast(dtype, strict=False)
    return bool((there.cast(pl.String) == given).fill_null(False).all())


def _where(files: Sequence[str]) -> str:
    return files[0] if len(files) == 1 else f"{len(files)} files, the first is {files[0]}"


def _parquet_files(source: "DataSource", view: str, repo_path: Any) -> list[str] | None:
    """The files of a local Parquet source; None for any other source."""
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
    """The files of a table in the order that numbers their rows: by their paths, those that were pushed after all.

    Args:
        place: a file, a folder, or a pattern of names.
        source: that means it.
    """
    there = files_at(str(place), is_table=PLACE in (source.tags or {}))
    files = [file for file in there if file.suffix == ".parquet" or not place.is_dir()]
    return sorted(files, key=lambda file: file.name.startswith(PUSHED))


def _stage(source: "DataSource", view: str, repo_path: Any, target: Path) -> None:
    """Copy a source to one Parquet file, batch by batch."""
    from feast.infra.offline_stores.duckdb import _read_data_source

    try:
        batches = _read_data_source(source, str(repo_path)).to_pyarrow_batches()
        with pq.ParquetWriter(target, batches.schema) as writer:
            for batch in batches:
                writer.write_table(pa.Table.from_batches([batch]))
    except Exception as error:
        raise StoreError(
            expected=f"a readable source behind the view {view}",
            found=f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}",
            next_command="python -m feature_repo apply, once the source is there",
        ) from error
