"""Marks of raw columns, and what inherits them: features, views, services.

A raw table declares which of its columns are personal and which are sensitive (``RawTable.personal``, ``sensitive``;
``EventSource`` likewise). Columns with the ids of people are personal by themselves, in every table. Everything that is
made of a marked column has the mark, through values, conditions, groups and joins, up to services. Inheritance ends at
models: what a model learned is judged by the service that it takes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from feature_repo.errors import InputError
from feature_repo.people import PEOPLE
from refrain.lineage.graph import Lineage, Node
from transforms.raw.table import RawTable

Mark = Literal["personal", "sensitive"]

_PASSED_ON = ("column", "tile", "feature", "view", "service")


@dataclass(frozen=True)
class Marks:
    """What is personal, and what is sensitive; all that is sensitive is personal.

    Attributes:
        columns: mark → raw table and column, as declared.
        keys: join keys of people.
    """

    columns: Mapping[Mark, frozenset[tuple[str, str]]]
    keys: frozenset[str]

    @classmethod
    def of(cls, tables: Mapping[str, RawTable]) -> "Marks":
        """Reads the marks of raw tables.

        Raises:
            InputError: a mark names a column that is not there.

        >>> from transforms.raw.tables.users import USERS
        >>> marks = Marks.of({"users": USERS})
        >>> sorted(name for _, name in marks.columns["sensitive"]), ("users", "user_id") in marks.columns["personal"]
        (['birth_year', 'gender'], True)
        """
        for table in tables.values():
            _check(table)
        keys = PEOPLE | {name for table in tables.values() for name in table.personal if name in table.key}
        sensitive = frozenset((name, column) for name, table in tables.items() for column in table.sensitive)
        personal = {(name, column) for name, table in tables.items() for column in table.personal}
        personal |= {(name, column) for name, table in tables.items() for column in ids_of(table, keys)}
        return cls({"personal": frozenset(personal) | sensitive, "sensitive": sensitive}, frozenset(keys))

    def tables(self, mark: Mark = "personal") -> list[str]:
        """Names of the raw tables that have a marked column."""
        return sorted({table for table, _ in self.columns[mark]})

    def inherited(self, lineage: Lineage, mark: Mark) -> dict[Node, Node]:
        """Finds all that is made of marked columns.

        Args:
            lineage: lineage of the definitions.
            mark: the mark.

        Returns:
            Feature, view or service → a marked raw column that it is made of; by name.
        """
        origin: dict[Node, Node] = {}
        for table, name in sorted(self.columns[mark]):
            column = Node("column", f"{table}.{name}")
            if column in lineage:
                for node in made_of(lineage, column):
                    origin.setdefault(node, column)
        return {node: origin[node] for node in sorted(origin) if node.kind in ("feature", "view", "service")}


def ids_of(table: RawTable, keys: Iterable[str]) -> list[str]:
    """Columns of a table that hold ids of people."""
    columns = {name for key in keys for name in table.columns_of(key)}
    if set(table.entity_kinds.values()) & set(keys):
        columns.add("entity_id")
    return sorted(columns & set(table.columns))


def _check(table: RawTable) -> None:
    for name in (*table.personal, *table.sensitive):
        if name not in table.columns:
            raise InputError(
                expected=f"marks of columns of the raw table {table.name}: {', '.join(table.columns)}",
                found=repr(name),
                next_command=f"correct personal= or sensitive= of {table.name}, then: refrain comply",
            )


def made_of(lineage: Lineage, column: Node) -> set[Node]:
    """All that is made of a column or feature without a model in between."""
    found, frontier = set[Node](), [column]
    while frontier:
        for node in lineage.downstream(frontier.pop(), depth=1):
            if node.kind in _PASSED_ON and node not in found:
                found.add(node)
                if node.kind != "view":  # a view stands for its features, of which others may not have the mark
                    frontier.append(node)
    return found
