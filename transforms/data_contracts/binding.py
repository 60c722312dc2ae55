"""Which contract is of which table: the files of a project, and whether one fits the declared columns."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from feature_repo.errors import InputError
from feature_repo.home import Home
from transforms.data_contracts.document import SUFFIX, Column, DataContract
from transforms.data_contracts.parse import read_contract

FOLDER = "contracts"
"""Folder of a project with its contracts; of the data folder where there is no project."""
KINDS = ("raw", "features")
"""Folders of contracts: of raw tables, and of feature tables. They are those of the data folder."""
BINDING = "active"
"""Status of a contract that binds."""


def folder_of(home: Home) -> Path:
    """Returns the folder of the contracts.

    >>> folder_of(Home(Path("/srv/refrain"))).as_posix()
    '/srv/refrain/contracts'
    """
    return (home.project_folder or home.root) / FOLDER


def path_of(home: Home, kind: str, table: str) -> Path:
    """Returns the file of the contract of a table, whether or not there is one."""
    return folder_of(home) / kind / f"{table}{SUFFIX}"


def paths(home: Home) -> list[tuple[str, Path]]:
    """Lists kind and file of all contracts, sorted.

    Raises:
        InputError: a contract lies where none is read.
    """
    folder = folder_of(home)
    files = sorted(folder.rglob(f"*{SUFFIX}"))
    for path in files:
        if path.parent.parent != folder or path.parent.name not in KINDS:
            raise InputError(
                expected=f"contracts in {folder / KINDS[0]} and {folder / KINDS[1]}",
                found=str(path),
                next_command=f"mv '{path}' '{folder / KINDS[0]}/'",
            )
    return [(path.parent.name, path) for path in files]


def binding_contract(home: Home, kind: str, table: str, columns: Mapping[str, pl.DataType]) -> DataContract | None:
    """Reads the contract that binds a table; None if there is none, or it is a draft or retired.

    Args:
        home: the data folder.
        kind: one of ``KINDS``.
        table: name of the table.
        columns: name and type of the table's columns.

    Raises:
        InputError: the contract is invalid, or contradicts the table.
    """
    path = path_of(home, kind, table)
    if not path.is_file():
        return None
    contract = read_contract(path)
    if contract.status != BINDING:
        return None
    check_columns(contract, columns)
    return contract


def check_columns(contract: DataContract, columns: Mapping[str, pl.DataType]) -> None:
    """Checks that a contract names columns that its table has, with their types.

    Raises:
        InputError: it names another column, another type, or a rule that values of the type cannot have.
    """
    for column in contract.columns:
        _check_name(contract, column.name, columns)
        dtype = columns[column.name]
        logical, element = logical_types(dtype)
        given = column.logical_type or logical
        is_day = given == "date" and logical == "string"  # days are texts
        if (given != logical and not is_day) or (column.element_type and column.element_type != element):
            raise _contradiction(
                contract, f"{column.name} as {logical}{f' of {element}' if element else ''}", _given(column)
            )
    for rule in contract.rules:
        named = [rule.column] if rule.column else []
        for name in [*named, *rule.arguments.get("properties", ()), *rule.arguments.get("columns", ())]:
            _check_name(contract, name, columns)
        dtype = columns.get(rule.column, pl.Null())
        is_nested = isinstance(dtype, pl.List | pl.Array | pl.Struct)
        if is_nested and rule.kind in ("invalidValues", "missingValues", "drift"):
            raise _contradiction(contract, f"{rule.kind} of numbers, texts or booleans", f"{rule.column} as {dtype}")
        if "pattern" in rule.arguments and dtype != pl.String():
            raise _contradiction(contract, "a pattern of texts", f"{rule.column} as {dtype}")
    for level in contract.levels:
        _check_name(contract, level.column, columns)
        if not isinstance(columns[level.column], pl.Datetime):
            found = f"{level.column} as {columns[level.column]}"
            raise _contradiction(contract, f"{level.property} of a column of times", found)


def logical_types(dtype: pl.DataType) -> tuple[str, str]:
    """Returns the logical type of the standard, and that of the elements of a list.

    >>> logical_types(pl.Int64()), logical_types(pl.List(pl.Float32()))
    (('integer', ''), ('array', 'number'))
    """
    if isinstance(dtype, pl.List | pl.Array):
        return "array", logical_types(dtype.inner)[0]  # type: ignore[arg-type]
    if isinstance(dtype, pl.Datetime | pl.Date):
        return ("timestamp" if isinstance(dtype, pl.Datetime) else "date"), ""
    if dtype.is_numeric():
        return ("integer" if dtype.is_integer() else "number"), ""
    return {pl.Boolean: "boolean", pl.Struct: "object", pl.Time: "time"}.get(dtype.base_type(), "string"), ""


def _check_name(contract: DataContract, name: str, columns: Mapping[str, pl.DataType]) -> None:
    if name not in columns:
        raise _contradiction(contract, f"columns among {', '.join(columns)}", repr(name))


def _given(column: Column) -> str:
    element = f" of {column.element_type}" if column.element_type else ""
    return f"{column.name} as {column.logical_type}{element}"


def _contradiction(contract: DataContract, expected: str, found: str) -> InputError:
    return InputError(
        expected=f"{expected}, as the table {contract.table} is declared",
        found=f"{found} in {contract.path}",
        next_command=f"correct {contract.path}, or: refrain contract write {contract.table} --again",
    )
