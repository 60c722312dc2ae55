"""What a person wants imported: the options of the command, over the section of the project."""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from feature_repo.errors import InputError
from feature_repo.project import TableImport

TIME, CREATED = "event_timestamp", "created_timestamp"
"""Columns of every raw table: when an event happened, and when it became known."""

COMMAND = "refrain import table"

_PASSWORD = re.compile(r"(://[^/@\s:]*):[^/\s]*@|(password=)[^&\s]+")


@dataclass(frozen=True)
class TableRequest:
    """One import, as it was requested.

    Attributes:
        kind: kind of events.
        path: the file; None for a database.
        sql: address of the database.
        query: query of the database.
        cursor: column of the query by which later runs continue; empty for none.
        time: option ``--time``.
        time_format: option ``--time-format``.
        map: options ``--map``: column of the events → column of the table.
        section: section of the project's file for this kind of events.
    """

    kind: str
    path: Path | None = None
    sql: str = ""
    query: str = ""
    cursor: str = ""
    time: str = ""
    time_format: str = ""
    map: Mapping[str, str] = field(default_factory=dict, hash=False)
    section: TableImport = field(default_factory=TableImport, hash=False)

    @property
    def mapping(self) -> dict[str, str]:
        """Column of the events → column of the table; the options override the project's section."""
        return {**self.section.map, **self.map}

    @property
    def time_column(self) -> str:
        """Column of the table with the times of the events; ``event_timestamp`` if none is named."""
        return self.time or self.map.get(TIME) or self.section.time or self.section.map.get(TIME) or TIME

    @property
    def format_of_times(self) -> str:
        """Unit or format of the times; that of the project's section is of the section's column only."""
        declared = self.section.time or self.section.map.get(TIME) or TIME
        return self.time_format or (self.section.time_format if self.time_column == declared else "")

    @property
    def place(self) -> str:
        """The file, or the database without its password."""
        return str(self.path) if self.path is not None else without_password(self.sql)

    def check(self) -> None:
        """Checks that the request names either a file or a query.

        Raises:
            InputError: it names neither, or parts of both.
        """
        is_query = self.path is None and self.sql and self.query
        if not is_query and (self.path is None or self.sql or self.query or self.cursor):
            raise InputError(
                expected="a file, or --sql with --query (and --cursor)",
                found="a file and options of a query"
                if self.path is not None
                else "neither a file nor both of these options",
                next_command=f"{COMMAND} FILE --as {self.kind or 'KIND'}  (or: {COMMAND} --sql postgresql://… "
                f"--query 'SELECT …' --as {self.kind or 'KIND'})",
            )

    def command(self, **changes: Any) -> str:
        """Returns the command of this request with other fields, ready to paste.

        >>> TableRequest("orders", Path("my orders.csv")).command(time="ordered_at")
        "refrain import table 'my orders.csv' --as orders --time ordered_at"
        """
        changed = replace(self, **changes)
        words = [str(changed.path)] if changed.path is not None else ["--sql", without_password(changed.sql)]
        options = {
            "--query": changed.query,
            "--as": changed.kind,
            "--cursor": changed.cursor,
            "--time": changed.time,
            "--time-format": changed.time_format,
        }
        words += [word for option, value in options.items() if value for word in (option, value)]
        words += [word for name, column in changed.map.items() for word in ("--map", f"{name}={column}")]
        return f"{COMMAND} {shlex.join(words)}"


def without_password(address: str) -> str:
    """Replaces the password in an address by three stars.

    >>> without_password("postgresql://ann:secret@db/shop")
    'postgresql://ann:***@db/shop'
    """
    return _PASSWORD.sub(lambda match: f"{match[1]}:***@" if match[1] else f"{match[2]}***", address)


def parse_map(options: Sequence[str]) -> dict[str, str]:
    """Parses options such as ``customer_id=customer``; nothing after ``=`` leaves that column of the events out.

    Raises:
        InputError: an option has no ``=``, or two are of the same column.
    """
    mapping: dict[str, str] = {}
    for option in options:
        name, equals, column = (part.strip() for part in option.partition("="))
        if not equals or not name or name in mapping:
            raise InputError(
                expected="--map COLUMN_OF_THE_EVENTS=COLUMN_OF_THE_TABLE, once for a column of the events",
                found=repr(option),
                next_command=f"{COMMAND} FILE --as KIND --map customer_id=customer",
            )
        mapping[name] = column
    return mapping
