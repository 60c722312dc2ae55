"""Checks the tables of a data folder by the contracts of its project."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

import polars as pl

from feature_repo import clock
from feature_repo.command_line import Progress, silent
from feature_repo.encryption import parquet_files
from feature_repo.errors import InputError, StoreError
from feature_repo.home import Home
from refrain.data_contract.checks import drift, rows, times, volume
from refrain.data_contract.result import Result, Subject
from refrain.data_contract.tables import ContractTable, contract_tables
from transforms import parquet
from transforms.data_contracts.binding import check_columns, folder_of, logical_types, paths
from transforms.data_contracts.document import DataContract, table_of
from transforms.data_contracts.parse import read_contract
from transforms.raw.declared import raw_tables
from transforms.raw.read import scan_files

CHECKS = (rows.check, times.check, volume.check, drift.check)
_UNCHECKED = ("deprecated", "retired")


def check(home: Home, names: Iterable[str] = (), *, progress: Progress = silent) -> list[Result]:
    """Checks contracts over the data folder.

    Args:
        home: the data folder, whose project has the contracts.
        names: raw tables and views that are checked; every one with a contract if there are none.
        progress: callback for each contract.

    Returns:
        The results, by contract; all contracts are read before the first is checked.

    Raises:
        InputError: there is no contract, or one is invalid, or contradicts the declarations, or is of no table.
    """
    wanted = set(names)
    contracts = _contracts(home, wanted)
    results: list[Result] = []
    for number, (table, contract) in enumerate(contracts):
        progress(number, len(contracts), table.name)
        results += check_one(home, table, contract)
    progress(len(contracts), len(contracts), "")
    return results


def check_one(home: Home, table: ContractTable, contract: DataContract) -> list[Result]:
    """Checks one contract, which fits its table, over the rows of the data folder's tenant."""
    subject = Subject(table.kind, contract, pl.LazyFrame(schema=table.columns), 0, clock.now(), "")
    if contract.status in _UNCHECKED:
        return [subject.not_checked("contract", "", f"its status is {contract.status}")]
    files = table.files()
    problems, rows_of_table = _scanned(home, table, contract, files)
    results = [subject.result("schema", column, False, problem) for column, problem in problems]
    if problems:
        return [*results, subject.not_checked("rows", "", "the files do not have the columns of the contract")]
    if files:
        results.append(subject.result("schema", "", True, f"{len(contract.columns)} columns in {len(files):,} files"))
    day_column = next((name for name in ("event_timestamp", *_times(table)) if name in table.columns), "")
    height = int(rows_of_table.select(pl.len()).collect(engine="streaming").item())
    subject = Subject(table.kind, contract, rows_of_table, height, clock.now(), day_column)
    if not height:
        results.append(subject.not_checked("rows", "", "there are none"))
    try:
        for run in CHECKS:
            results += run(subject)
    except parquet.UNREADABLE as error:
        for path in files:
            parquet.read_whole(path, remedy="refrain doctor")
        raise StoreError(
            expected=f"rows of {table.name} that can be read", found=str(error), next_command="refrain doctor"
        ) from error
    results += [
        subject.not_checked(rule.kind, rule.column, rule.name or "no check of Refrain's")
        for rule in contract.rules
        if rule.kind.partition(" ")[0] in ("custom", "sql", "text")
    ]
    return results


def _contracts(home: Home, wanted: set[str]) -> list[tuple[ContractTable, DataContract]]:
    tables = {(table.kind, table.name): table for table in contract_tables(home)}
    contracts: list[tuple[ContractTable, DataContract]] = []
    for kind, path in paths(home):
        table = tables.get((kind, table_of(path)))
        if table is None:
            names = [name for other, name in tables if other == kind]
            raise InputError(
                expected=f"a contract of one of {', '.join(names) or 'no tables'}",
                found=str(path),
                next_command=f"mv '{path}' '{path}.old', or declare {table_of(path)}",
            )
        if not wanted or table.name in wanted:
            contract = read_contract(path)
            check_columns(contract, table.columns)
            contracts.append((table, contract))
    missing = sorted(wanted - {table.name for table, _ in contracts})
    if missing or not contracts:
        contract_tables(home, missing)  # says if there is no such table at all
        raise InputError(
            expected=f"a contract of {missing[0]}" if missing else "contracts",
            found=f"none in {folder_of(home)}",
            next_command=f"refrain contract write {missing[0] if missing else ''}".rstrip(),
        )
    return contracts


def _scanned(
    home: Home, table: ContractTable, contract: DataContract, files: Sequence[Path]
) -> tuple[list[tuple[str, str]], pl.LazyFrame]:
    """Returns columns with what is wrong with them in the files, and the rows with the columns of the table."""
    problems: dict[tuple[str, str], None] = {}
    scans: list[pl.LazyFrame] = []
    schemas = [(_schema(path), path) for path in files]
    for schema, group in groupby(schemas, lambda item: item[0]):
        paths_of_schema = [path for _, path in group]
        problems |= dict.fromkeys(_misfits(contract, table.columns, dict(schema), paths_of_schema[0]))
        scans.append(_scan(table.columns, dict(schema), paths_of_schema))
    if problems:
        return list(problems), pl.LazyFrame(schema=table.columns)
    if table.kind == "raw":
        return [], scan_files(raw_tables(home)[table.name], files)
    return [], pl.concat(scans) if scans else pl.LazyFrame(schema=table.columns)


def _schema(path: Path) -> tuple[tuple[str, pl.DataType], ...]:
    try:
        return tuple(parquet_files.scan(path, hive_partitioning=False).collect_schema().items())
    except parquet.UNREADABLE as error:
        raise parquet.damaged(path, error, "refrain doctor") from error


def _misfits(
    contract: DataContract, columns: Mapping[str, pl.DataType], schema: Mapping[str, pl.DataType], path: Path
) -> Iterator[tuple[str, str]]:
    """Yields columns of the contract that a file lacks or has in another type, with what is wrong."""
    for column in contract.columns:
        expected = logical_types(columns[column.name])
        if column.name not in schema:
            if column.required or column.is_key:
                yield (
                    column.name,
                    f"{column.name} as {expected[0]}: no such column in {path.name} of {path.parent.name}",
                )
            continue
        found = schema[column.name]
        given = logical_types(found)
        widens = (given[0], expected[0]) == ("integer", "number") or found == pl.Null()
        if given != expected and not widens:
            yield column.name, f"{column.name} as {expected[0]}: {found} in {path.name} of {path.parent.name}"


def _scan(columns: Mapping[str, pl.DataType], schema: Mapping[str, pl.DataType], files: Sequence[Path]) -> pl.LazyFrame:
    first, *others = files
    rows_of_files = parquet_files.scan([first, *others], hive_partitioning=False)
    return rows_of_files.select(_column(name, dtype, schema.get(name)) for name, dtype in columns.items())


def _column(name: str, dtype: pl.DataType, given: pl.DataType | None) -> pl.Expr:
    if given is None:
        return pl.lit(None, dtype).alias(name)
    column = pl.col(name)
    if isinstance(given, pl.Datetime) and given.time_zone is None:
        column = column.dt.replace_time_zone("UTC")
    return column.cast(dtype, strict=False)


def _times(table: ContractTable) -> list[str]:
    return [name for name, dtype in table.columns.items() if isinstance(dtype, pl.Datetime)]
