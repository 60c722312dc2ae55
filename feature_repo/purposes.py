"""What personal data may be used for: words that tables, services and consents share. Imports no Feast.

A raw table says what it may be used for (``RawTable(purposes=…)``, or ``EventSource(purposes=…)`` for a table that
follows from its events), a service says what it is for (``service(…, purpose=…)``). A project says in ``refrain.toml``
which purposes need the consent of the person, and may add words of its own::

    [purposes]
    personalisation = "opt-in"    # needs consent: without an event, the answer is no
    analytics = "opt-out"         # may be done until the person objects
    research = "no consent"       # a word of one's own
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from feature_repo.errors import InputError

if TYPE_CHECKING:
    import dataframely as dy

    from feature_repo.contract import Contract

TRAINING = "training"
"""Purpose of every training set, beside that of its service."""
PERSONALISATION = "personalisation"
"""Purpose of recommendations."""
PURPOSES = ("service", PERSONALISATION, "analytics", TRAINING, "advertising", "security")
"""Words that every project has."""
OPT_IN, OPT_OUT, NO_CONSENT = "opt-in", "opt-out", "no consent"
RULES = (OPT_IN, OPT_OUT, NO_CONSENT)
"""What holds for a person without an event of consent: no; yes; or no consent is needed, whatever the events say."""
CONSENTS = "consents"
"""Kind of the events in which people grant and withdraw consent. The first column of its key is the person's."""


@dataclass(frozen=True)
class ConsentRule:
    """How consent to one purpose is asked for.

    Attributes:
        purpose: the purpose.
        is_granted_without_event: whether a person of whom there is no event counts as consenting.
    """

    purpose: str
    is_granted_without_event: bool


def consent_rule(purposes: Mapping[str, str], purpose: str) -> ConsentRule | None:
    """Returns the rule of a purpose; None if it needs no consent.

    Args:
        purposes: the section ``[purposes]`` of a project.
        purpose: the purpose; empty for none.

    >>> consent_rule({"analytics": "opt-out"}, "analytics")
    ConsentRule(purpose='analytics', is_granted_without_event=True)
    >>> consent_rule({"analytics": "opt-out"}, "security") is None
    True
    """
    rule = purposes.get(purpose, NO_CONSENT)
    return None if rule == NO_CONSENT else ConsentRule(purpose, rule == OPT_OUT)


@runtime_checkable
class RawDeclaration(Protocol):
    """A raw table, as ``transforms.raw.table.RawTable`` declares it."""

    @property
    def name(self) -> str:
        """Name of the table."""
        ...

    @property
    def schema(self) -> "type[dy.Schema]":
        """Columns, types and rules."""
        ...

    @property
    def purposes(self) -> tuple[str, ...] | None:
        """What its rows may be used for; None for anything."""
        ...


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


def violations(contract: "Contract") -> Iterator[Violation]:
    """Yields unknown purposes, and services that read tables which may not be used for their purpose."""
    known = [*PURPOSES, *(name for name in contract.project.purposes if name not in PURPOSES)]
    allowed = allowed_purposes(contract)
    for table, purposes in allowed.items():
        for name in purposes:
            if name not in known:
                yield _unknown(f"the table {table}", name, known)
    if CONSENTS not in contract.events and any(consent_rule(contract.project.purposes, name) for name in known):
        yield Violation(
            "the purposes of the project",
            f"events {CONSENTS!r}, as purposes need the consent of people",
            f"only the events {sorted(contract.events)}",
            f"declare the EventSource {CONSENTS}, as docs/consent.md shows",
        )
    tables_by_view = raw_tables_of_views(contract)
    for name, service in contract.services.items():
        purpose = service.tags.get("purpose", "")
        if purpose and purpose not in known:
            yield _unknown(f"the service {name}", purpose, known)
            continue
        views = [projection.name for projection in service.feature_view_projections]
        for view in views:
            for table in sorted(tables_by_view.get(view, frozenset())):
                if purpose not in allowed.get(table, (purpose,)):
                    yield Violation(
                        f"the service {name}",
                        f"features of tables that may be used for {purpose!r}" if purpose else "a purpose",
                        f"{view}, of the table {table}, which is for {', '.join(allowed[table]) or 'nothing'}",
                        f"take {view} out of the service, or correct its purpose, or the purposes of {table}",
                    )


def check_purposes(contract: "Contract") -> None:
    """Checks that purposes are known words, and that services only read tables that are for their purpose.

    Raises:
        InputError: a word is unknown, or a service reads a table that may not be used for its purpose.
    """
    for violation in violations(contract):
        raise InputError(
            expected=f"{violation.expected}, in {violation.where}",
            found=violation.found,
            next_command=f"{violation.next_command}, then: refrain apply",
        )


def allowed_purposes(contract: "Contract") -> dict[str, tuple[str, ...]]:
    """Returns raw table → what it may be used for, for the tables that say so."""
    declared: dict[str, tuple[str, ...] | None] = {name: event.purposes for name, event in contract.events.items()}
    tables = contract.find(RawDeclaration, "raw")  # type: ignore[type-abstract]
    declared |= {name: table.purposes for name, table in tables.items() if table.purposes is not None}
    return {name: purposes for name, purposes in sorted(declared.items()) if purposes is not None}


def raw_tables_of_views(contract: "Contract") -> dict[str, frozenset[str]]:
    """Returns view → the raw tables that its rows are computed from, for views and on-demand functions.

    Tables that a model writes, and files of one's own, are not computed from raw tables by a declaration: they are
    left out.
    """
    tables = {name: frozenset(source.name for source in table.sources) for name, table in contract.windowed.items()}
    tables |= {name: frozenset(computed.sources) for name, computed in contract.computed_tables.items()}
    for name, function in contract.on_demand.items():
        views = {column.partition("__")[0] for column in function.inputs.values() if "__" in column}
        tables[name] = frozenset().union(*(tables.get(view, frozenset()) for view in views))
    return tables


def _unknown(where: str, purpose: str, known: list[str]) -> Violation:
    return Violation(
        where,
        f"a purpose, one of {', '.join(known)}",
        repr(purpose),
        f"correct it, or add it to [purposes] in refrain.toml: {purpose} = {NO_CONSENT!r}".replace("'", '"'),
    )
