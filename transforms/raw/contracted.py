"""Rows of an import that violate the data contract of their table: they are quarantined, as those that break its rules.

A table without a contract costs one look for its file. A contract is read once in a process, and again when it changed.
"""

import os
from functools import lru_cache
from typing import TYPE_CHECKING

import polars as pl

from feature_repo.home import Home
from transforms.raw.declared import raw_tables
from transforms.raw.table import RawTable
from transforms.raw.validate import QUARANTINE, as_json

if TYPE_CHECKING:
    from transforms.data_contracts.row_rules import RowRule

REASON = "contract: "
"""Begins the reason of a row that violates a contract."""


def by_contract(home: Home, table: RawTable, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Splits valid rows into those that fulfil the contract of their table and those that do not.

    Args:
        home: the data folder, whose project has the contracts.
        table: the raw table.
        rows: rows of the table that satisfy its own rules.

    Returns:
        Accepted rows, and refused ones as ``QUARANTINE``.

    Raises:
        InputError: the contract is invalid, or contradicts the table.
    """
    rules = rules_of(home, table)
    if not rules or rows.is_empty():
        return rows, pl.DataFrame(schema=QUARANTINE)
    verdicts = rows.select(rule.is_violated.alias(str(number)) for number, rule in enumerate(rules))
    is_refused = verdicts.select(pl.any_horizontal(pl.all())).to_series()
    if not is_refused.any():
        return rows, pl.DataFrame(schema=QUARANTINE)
    reasons = [
        REASON + "; ".join(rule.reason for rule, is_violated in zip(rules, row, strict=True) if is_violated)
        for row in verdicts.filter(is_refused).iter_rows()
    ]
    refused = {"reason": reasons, "row": as_json(rows.filter(is_refused))}
    return rows.filter(~is_refused), pl.DataFrame(refused, schema=QUARANTINE)


def rules_of(home: Home, table: RawTable) -> "tuple[RowRule, ...]":
    """Returns the rules of single rows by which a contract binds a raw table; none without one.

    Raises:
        InputError: the contract is invalid, or contradicts the table.
    """
    state = state_of(home, table.name)
    return () if state is None else _rules(home, table.name, state)


def state_of(home: Home, name: str) -> tuple[int, int] | None:
    """Returns size and time of change of the contract of a raw table; None if there is none."""
    try:
        stat = os.stat(f"{home.project_folder or home.root}/contracts/raw/{name}.odcs.yaml")  # noqa: PTH116 - each batch
    except (FileNotFoundError, NotADirectoryError):
        return None
    return stat.st_size, stat.st_mtime_ns


@lru_cache(maxsize=256)
def _rules(home: Home, name: str, state: tuple[int, int]) -> "tuple[RowRule, ...]":
    from transforms.data_contracts.binding import binding_contract
    from transforms.data_contracts.row_rules import row_rules

    contract = binding_contract(home, "raw", name, raw_tables(home)[name].columns)
    return () if contract is None else tuple(row_rules(contract))
