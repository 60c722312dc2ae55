"""The tables that contracts are about: raw tables, and the rows of feature views."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from feature_repo.contract import contract_of
from feature_repo.errors import InputError
from feature_repo.home import Home
from transforms.raw.dates import are_dates
from transforms.raw.declared import raw_tables
from transforms.raw.table import MICROSECONDS_UTC, RawTable

if TYPE_CHECKING:
    from feast import FeatureView

TIMES = ("event_timestamp", "created_timestamp")
DAY_PATTERN = r"^\d{4}-\d{2}-\d{2}$"
"""Form of a day in a column of texts."""
_OPTIONS = {
    "min": "minimum",
    "max": "maximum",
    "min_exclusive": "exclusiveMinimum",
    "max_exclusive": "exclusiveMaximum",
    "min_length": "minLength",
    "max_length": "maxLength",
    "regex": "pattern",
}
"""Rule of a column of a raw table → option of the standard."""


@dataclass(frozen=True)
class ContractTable:
    """A raw table, or the rows of a feature view.

    Attributes:
        kind: ``raw`` or ``features``.
        name: name of the table or view.
        about: what a row is, in one line; empty if nobody says it.
        columns: name and type of every column.
        key: columns whose values together stand once.
        required: columns that every row has.
        options: column → limits of its values, as ``logicalTypeOptions`` has them.
        descriptions: column → what it is, where that is declared.
        location: where the files lie: below the data folder, or below the project's, or absolute.
        files: function that lists the files of a tenant.
    """

    kind: str
    name: str
    about: str
    columns: Mapping[str, pl.DataType]
    key: tuple[str, ...]
    required: frozenset[str]
    location: str
    files: Callable[[], list[Path]]
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    descriptions: Mapping[str, str] = field(default_factory=dict)


def contract_tables(home: Home, names: Iterable[str] = ()) -> list[ContractTable]:
    """Lists the tables of a project: raw tables, then feature views, each sorted by name.

    Args:
        home: the data folder.
        names: the tables that are wanted; all if there are none.

    Raises:
        InputError: there is no table of a name.
    """
    contract = contract_of(home)
    raw = {name: _of_raw(home, table) for name, table in raw_tables(home).items()}
    views = {name: _of_view(home, view) for name, view in sorted(contract.views.items())}
    every = [*raw.values(), *views.values()]
    wanted = set(names)
    if missing := sorted(wanted - {table.name for table in every}):
        raise InputError(
            expected=f"raw tables and feature views among {', '.join(sorted({table.name for table in every}))}",
            found=repr(missing[0]),
            next_command="refrain contract write",
        )
    return [table for table in every if not wanted or table.name in wanted]


def _of_raw(home: Home, table: RawTable) -> ContractTable:
    from transforms.raw.read import files

    columns = table.schema.columns()
    options = {name: _options(column) for name, column in columns.items()}
    times = TIMES if table.changes_slowly else TIMES[:1]
    days = "" if table.changes_slowly else "date=*/"
    return ContractTable(
        kind="raw",
        name=table.name,
        about=_first_sentence(table.schema.__doc__),
        columns=table.columns,
        key=tuple(dict.fromkeys((*table.key, *times))),
        required=table.required,
        location=f"raw/{table.name}/tenant=*/{days}*.parquet",
        files=lambda: files(home, table.name),
        options={name: limits for name, limits in options.items() if limits},
    )


def _of_view(home: Home, view: "FeatureView") -> ContractTable:
    from feature_repo.days import files_in
    from feature_repo.stores.source_files import files_at, is_feature_table
    from transforms.feature_types import feature_type

    keys = {column.name: _view_type(str(column.dtype)) for column in view.entity_columns}
    features = {
        column.name: feature_type(str(column.dtype)) for column in sorted(view.features, key=lambda one: one.name)
    }
    is_table, source = is_feature_table(view), view.batch_source
    times = [getattr(source, "timestamp_field", ""), getattr(source, "created_timestamp_column", "")]
    times = [time for time in (TIMES if is_table else times) if time]
    path = str(getattr(source, "path", "") or "")
    columns = {**dict(sorted(keys.items())), **dict.fromkeys(times, MICROSECONDS_UTC)}
    columns |= {name: dtype for name, dtype in features.items() if dtype is not None}
    return ContractTable(
        kind="features",
        name=view.name,
        about=view.description.strip(),
        columns=columns,
        key=(*sorted(keys), *times) if is_table else (),
        required=frozenset([*keys, *times]) if is_table else frozenset(times),
        location=f"features/{view.name}/tenant=*/**/*.parquet" if is_table else _below(home.project_folder, path),
        files=lambda: files_in(home.features(view.name)) if is_table else _parquet(files_at(path) if path else []),
        descriptions={column.name: column.description for column in view.schema if column.description},
    )


def _view_type(name: str) -> pl.DataType:
    from transforms.feature_types import feature_type

    return feature_type(name) or pl.String()


def _below(folder: Path | None, path: str) -> str:
    """A path relative to the project's folder, if it is below it."""
    if folder is None or "://" in path or not Path(path).is_relative_to(folder):
        return path
    return str(Path(path).relative_to(folder))


def _parquet(files: list[Path]) -> list[Path]:
    return [file for file in files if file.suffix in (".parquet", ".pq")]


def _options(column: Any) -> dict[str, Any]:
    """The limits of a column of a raw table."""
    limits = {option: getattr(column, rule, None) for rule, option in _OPTIONS.items()}
    checks = column.check if isinstance(column.check, dict) else {}
    if are_dates in checks.values():
        limits["pattern"] = DAY_PATTERN
    return {option: limit for option, limit in limits.items() if limit is not None}


def _first_sentence(text: str | None) -> str:
    return " ".join((text or "").replace("``", "").strip().partition("\n\n")[0].split())
