"""What checks take and return."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import polars as pl

from transforms.data_contracts.document import DataContract

Status = Literal["ok", "violated", "warning", "not checked"]


@dataclass(frozen=True)
class Result:
    """The result of one check of one contract.

    Attributes:
        kind: ``raw`` or ``features``.
        table: name of the table.
        check: ``schema``, ``nulls``, ``ranges``, ``keys``, ``metric``, ``freshness``, ``retention``, ``frequency``,
            ``volume`` or ``drift``.
        column: the column; empty for the table.
        status: ``ok``; ``violated``; ``warning``, a violation that does not bind; ``not checked``.
        summary: what was expected and what there is, in words; no value of a row.
        rows: rows that violate it, where rows do.
    """

    kind: str
    table: str
    check: str
    column: str
    status: Status
    summary: str
    rows: int = 0


@dataclass(frozen=True)
class Subject:
    """A contract and the rows that it is about.

    Attributes:
        kind: ``raw`` or ``features``.
        contract: the contract.
        rows: the rows of the table, with its columns.
        height: number of rows.
        now: the time as of which the check is.
        day_column: column by whose day rows are counted; empty if the table has no times.
    """

    kind: str
    contract: DataContract
    rows: pl.LazyFrame
    height: int
    now: datetime
    day_column: str

    def result(
        self, check: str, column: str, is_fine: bool, summary: str, rows: int = 0, *, is_binding: bool = True
    ) -> Result:
        """Returns a result; a violation that does not bind is a warning."""
        violation: Status = "violated" if is_binding and self.contract.status == "active" else "warning"
        return Result(self.kind, self.contract.table, check, column, "ok" if is_fine else violation, summary, rows)

    def not_checked(self, check: str, column: str, why: str) -> Result:
        """Returns the result of a check that could not be made."""
        return Result(self.kind, self.contract.table, check, column, "not checked", why)
