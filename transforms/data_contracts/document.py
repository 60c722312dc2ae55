"""A data contract as its file says it: columns, rules of quality, and service levels.

Of the standard, everything is accepted where it stands; a name that the standard does not have is an error, so that a
rule that is misspelt is not silently no rule. What is checked: of columns ``logicalType``, ``required``, ``unique``,
``primaryKey`` and ``logicalTypeOptions``; of quality all metrics of the library, and Refrain's own checks ``volume``
and ``drift`` (``type: custom``, ``engine: refrain``); of service levels ``freshness`` (also written ``latency``),
``retention`` and ``frequency``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

SUFFIX = ".odcs.yaml"
"""Ends the name of a contract's file."""


@dataclass(frozen=True)
class Rule:
    """One rule of quality.

    Attributes:
        kind: a metric of the library (one of ``METRICS``), ``volume``, ``drift``, or another type, which is not run.
        column: the column; empty for the whole table.
        name: name of the rule, or its description; may be empty.
        arguments: arguments of the metric, or settings of the check.
        operator: name of the comparison, one of ``OPERATORS``; empty for a check that is no metric.
        limit: what the metric is compared with.
        is_share: whether the metric is in percent of the rows.
        is_binding: whether a violation is one, and not a warning.
    """

    kind: str
    column: str = ""
    name: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    operator: str = ""
    limit: Any = None
    is_share: bool = False
    is_binding: bool = True


@dataclass(frozen=True)
class Column:
    """What a contract says of one column.

    Attributes:
        name: name of the column.
        logical_type: type as the standard has it; empty if it is not said.
        element_type: logical type of the elements of an array; empty if it is not said.
        required: whether every row has a value.
        unique: whether no value repeats.
        is_key: whether it is a part of the primary key.
        options: limits of the values: ``minimum``, ``maximum``, ``pattern`` and others.
    """

    name: str
    logical_type: str = ""
    element_type: str = ""
    required: bool = False
    unique: bool = False
    is_key: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ServiceLevel:
    """A service level that is checked.

    Attributes:
        property: ``freshness``, ``retention`` or ``frequency``.
        limit: the time.
        column: the column with the times.
    """

    property: str
    limit: timedelta
    column: str = "event_timestamp"


@dataclass(frozen=True)
class DataContract:
    """One contract of one table.

    Attributes:
        path: its file.
        table: name of the table.
        status: ``active`` binds; ``draft`` and ``proposed`` only warn; others are not checked.
        version: version of the contract.
        columns: the columns.
        rules: rules of quality, of columns and of the table.
        levels: service levels.
    """

    path: Path
    table: str
    status: str
    version: str
    columns: tuple[Column, ...]
    rules: tuple[Rule, ...] = ()
    levels: tuple[ServiceLevel, ...] = ()

    @property
    def key(self) -> list[str]:
        """Columns of the primary key."""
        return [column.name for column in self.columns if column.is_key]


def table_of(path: Path) -> str:
    """Returns the name of the table of a contract's file."""
    return path.name.removesuffix(SUFFIX)
