"""Writes a contract of the Open Data Contract Standard 3.1 for each table, from its declaration."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from feature_repo.contract import contract_of
from feature_repo.home import Home
from feature_repo.whole_files import write_whole
from refrain.data_contract.tables import ContractTable
from transforms.data_contracts.binding import BINDING, logical_types
from transforms.data_contracts.document import SUFFIX
from transforms.data_contracts.names import VERSION

_FORMATS = {
    "Int8": "i8",
    "Int16": "i16",
    "Int32": "i32",
    "Int64": "i64",
    "UInt8": "u8",
    "UInt16": "u16",
    "UInt32": "u32",
    "UInt64": "u64",
    "Float32": "f32",
    "Float64": "f64",
}
"""Type of numbers → its format in the standard."""
HEAD = """\
# What the rows of {name} must be like: Open Data Contract Standard 3.1, written by refrain contract write {name}.
# It is yours to edit; refrain contract check {name} checks the data folder by it. To demand more, for example:
#   slaProperties: [{{property: freshness, value: 2, unit: d}}]
#   quality of the table: {{metric: rowCount, mustBeGreaterThan: 1000}}, or how many rows come a day:
#     {{type: custom, engine: refrain, implementation: {{check: volume, days: 28, lowest: 0.5, highest: 2}}}}
#   quality of a column: {{metric: nullValues, unit: percent, mustBeLessThan: 5}}, or
#     {{type: custom, engine: refrain, implementation: {{check: drift, days: 7}}}}
"""


def write(home: Home, table: ContractTable, folder: Path, *, again: bool = False) -> bool:
    """Writes the contract of a table.

    Args:
        home: the data folder.
        table: the table.
        folder: folder of the contracts.
        again: whether to replace a contract that is there.

    Returns:
        Whether the file was written; not if it is there.
    """
    path = folder / table.kind / f"{table.name}{SUFFIX}"
    if path.exists() and not again:
        return False
    write_whole(path, text(home, table))
    return True


def text(home: Home, table: ContractTable) -> str:
    """Returns the contract of a table as its declaration has it; the same text in every process."""
    content = yaml.safe_dump(document(home, table), sort_keys=False, allow_unicode=True, width=110)
    return HEAD.format(name=table.name) + content


def document(home: Home, table: ContractTable) -> dict[str, Any]:
    """Returns the contract of a table as the standard has it."""
    project = contract_of(home).project
    owner = project.owner_of(table.name)
    described: dict[str, Any] = {
        "name": table.name,
        "physicalName": f"{table.kind}/{table.name}",
        "physicalType": "table" if table.kind == "raw" else "view",
        "logicalType": "object",
    }
    described |= {"description": table.about} if table.about else {}
    described["properties"] = [_property(table, name, dtype) for name, dtype in table.columns.items()]
    server = {"server": "data folder", "type": "local", "path": table.location, "format": "parquet"}
    return {
        "apiVersion": VERSION,
        "kind": "DataContract",
        "id": f"{project.name}.{table.kind}.{table.name}",
        "name": table.name,
        "version": "1.0.0",
        "status": BINDING,
        "domain": project.name,
        **({"description": {"purpose": table.about}} if table.about else {}),
        **({"servers": [server]} if table.location else {}),
        **({"team": {"name": owner}} if owner else {}),
        "schema": [described],
    }


def _property(table: ContractTable, name: str, dtype: pl.DataType) -> dict[str, Any]:
    logical, element = logical_types(dtype)
    described: dict[str, Any] = {"name": name, "logicalType": logical, "physicalType": _physical(dtype)}
    if options := _options(dtype, table.options.get(name, {})):
        described["logicalTypeOptions"] = options
    if name in table.descriptions:
        described["description"] = table.descriptions[name]
    if name in table.key:
        described |= {"primaryKey": True, "primaryKeyPosition": table.key.index(name) + 1}
    if name in table.required:
        described["required"] = True
    if element and isinstance(dtype, pl.List | pl.Array):
        inner = dtype.inner
        described["items"] = {"logicalType": element, "physicalType": str(inner)}
    return described


def _options(dtype: pl.DataType, limits: Mapping[str, Any]) -> dict[str, Any]:
    options = dict(limits)
    if isinstance(dtype, pl.Datetime):
        options["timezone"] = True
    elif str(dtype) in _FORMATS:
        options["format"] = _FORMATS[str(dtype)]
    return options


def _physical(dtype: pl.DataType) -> str:
    if isinstance(dtype, pl.Datetime):
        return f"Datetime({dtype.time_unit}, {dtype.time_zone})"
    return str(dtype)
