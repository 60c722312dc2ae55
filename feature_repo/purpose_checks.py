"""Checks of purposes: whether services read tables only that may be used for what they are for."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from feature_repo.errors import InputError
from feature_repo.feature_table import FeatureTable
from feature_repo.on_demand import OnDemand
from feature_repo.purposes import CONSENTS, NO_CONSENT, PURPOSES, consent_rule
from feature_repo.windows import EventSource, WindowedTable

if TYPE_CHECKING:
    from feast import FeatureService


@runtime_checkable
class RawDeclaration(Protocol):
    """A raw table, as ``transforms.raw.table.RawTable`` declares it."""

    @property
    def name(self) -> str:
        """Name of the table."""
        ...

    @property
    def schema(self) -> Any:
        """Columns, types and rules."""
        ...

    @property
    def purposes(self) -> tuple[str, ...] | None:
        """What its rows may be used for; None for anything."""
        ...


@dataclass(frozen=True)
class PurposeDeclarations:
    """All that a project says about purposes.

    Attributes:
        rules: purpose → whether it needs consent, as in ``refrain.toml``.
        events: names of the kinds of events.
        services: all feature services, by name.
        allowed: raw table → what it may be used for, for the tables that say so.
        tables: view or on-demand function → the raw tables that it is computed from.
    """

    rules: Mapping[str, str]
    events: Collection[str]
    services: "Mapping[str, FeatureService]"
    allowed: Mapping[str, tuple[str, ...]]
    tables: Mapping[str, frozenset[str]]

    @property
    def words(self) -> list[str]:
        """All purposes that may be named."""
        return [*PURPOSES, *(name for name in self.rules if name not in PURPOSES)]


@dataclass(frozen=True)
class Violation:
    """A service, or a table, whose purposes do not fit.

    Attributes:
        where: the service or the table.
        expected: what its declaration may say.
        found: what it says.
        next_command: the remedy.
    """

    where: str
    expected: str
    found: str
    next_command: str


def violations(declared: PurposeDeclarations) -> Iterator[Violation]:
    """Yields unknown purposes, and services that read tables which may not be used for their purpose."""
    words, allowed = declared.words, declared.allowed
    for table, purposes in allowed.items():
        for name in purposes:
            if name not in words:
                yield _unknown(f"the table {table}", name, words)
    if CONSENTS not in declared.events and any(consent_rule(declared.rules, name) for name in words):
        yield Violation(
            "the purposes of the project",
            f"events {CONSENTS!r}, as purposes need the consent of people",
            f"only the events {sorted(declared.events)}",
            f"declare the EventSource {CONSENTS}, as docs/consent.md shows",
        )
    for name, service in declared.services.items():
        purpose = service.tags.get("purpose", "")
        if purpose and purpose not in words:
            yield _unknown(f"the service {name}", purpose, words)
            continue
        for projection in service.feature_view_projections:
            view = projection.name
            for table in sorted(declared.tables.get(view, frozenset())):
                if purpose not in allowed.get(table, (purpose,)):
                    yield Violation(
                        f"the service {name}",
                        f"features of tables that may be used for {purpose!r}" if purpose else "a purpose",
                        f"{view}, of the table {table}, which is for {', '.join(allowed[table]) or 'nothing'}",
                        f"take {view} out of {name}, or correct its purpose, or the purposes of {table}",
                    )


def check_purposes(declared: PurposeDeclarations) -> None:
    """Checks that purposes are known words, and that services only read tables that are for their purpose.

    Raises:
        InputError: a word is unknown, or a service reads a table that may not be used for its purpose.
    """
    for violation in violations(declared):
        raise InputError(
            expected=f"{violation.expected}, in {violation.where}",
            found=violation.found,
            next_command=f"{violation.next_command}, then: refrain apply",
        )


def allowed_purposes(
    events: Mapping[str, EventSource], tables: Mapping[str, RawDeclaration]
) -> dict[str, tuple[str, ...]]:
    """Returns raw table → what it may be used for, for the tables that say so.

    Args:
        events: all kinds of events, by name.
        tables: the raw tables that are declared beside them, by name; what these say overrules their events.
    """
    declared = {name: event.purposes for name, event in events.items()}
    declared |= {name: table.purposes for name, table in tables.items() if table.purposes is not None}
    return {name: purposes for name, purposes in sorted(declared.items()) if purposes is not None}


def raw_tables_of_views(
    windowed: Mapping[str, WindowedTable], computed: Mapping[str, FeatureTable], functions: Mapping[str, OnDemand]
) -> dict[str, frozenset[str]]:
    """Returns view or on-demand function → the raw tables that it is computed from.

    Tables that a model writes, and files of one's own, are not computed from raw tables by a declaration: they are
    left out.
    """
    tables = {name: frozenset(source.name for source in table.sources) for name, table in windowed.items()}
    tables |= {name: frozenset(table.sources) for name, table in computed.items()}
    for name, function in functions.items():
        views = {column.partition("__")[0] for column in function.inputs.values() if "__" in column}
        tables[name] = frozenset().union(*(tables.get(view, frozenset()) for view in views))
    return tables


def _unknown(where: str, purpose: str, words: list[str]) -> Violation:
    return Violation(
        where,
        f"a purpose, one of {', '.join(words)}",
        repr(purpose),
        f'correct it, or add it to [purposes] in refrain.toml: {purpose} = "{NO_CONSENT}"',
    )
