"""A rule about data of people, and what it finds."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from refrain.compliance.facts import Facts

Level = Literal["error", "warn", "off"]


@dataclass(frozen=True)
class Breach:
    """One thing that breaks a rule.

    Attributes:
        subject: what breaks it: a raw table, ``table.column``, a service, a model.
        problem: what is wrong with it, in one sentence.
        next_command: what to do next.
    """

    subject: str
    problem: str
    next_command: str


@dataclass(frozen=True)
class Rule:
    """A rule. A module with one, in ``refrain/compliance/rules`` or in the definitions of a project, is enough.

    Attributes:
        name: the name in ``compliance.toml``.
        about: the rule, in one sentence.
        check: function that yields what breaks it.
        level: ``"error"`` if a breach fails the check, ``"warn"`` if it is only reported.

    >>> def check(facts):
    ...     for name in sorted(facts.tables):
    ...         if name.startswith("tmp_"):
    ...             yield Breach(name, "a temporary table", f"rename {name}")
    >>> Rule("no_temporary_tables", "Raw tables have names that last.", check).level
    'error'
    """

    name: str
    about: str
    check: "Callable[[Facts], Iterator[Breach]]"
    level: Level = "error"
