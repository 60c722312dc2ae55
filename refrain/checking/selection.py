"""Which definitions ``refrain test`` checks: the project's own, all, or a named one."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from feature_repo.contract import Contract
from feature_repo.errors import InputError
from feature_repo.example import Example
from feature_repo.on_demand import OnDemand
from feature_repo.service import ServiceDeclaration
from feature_repo.windows import WindowedTable, moment

BUNDLED = "feature_repo.definitions."
"""Prefix of the modules with the bundled definitions."""


@dataclass(frozen=True)
class Selection:
    """The definitions to check, by name.

    Attributes:
        tables: windowed tables.
        functions: on-demand functions.
        services: feature services.
        examples: examples.
    """

    tables: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()


def select(contract: Contract, name: str | None, *, bundled: bool) -> Selection:
    """Selects definitions.

    Args:
        contract: all definitions of the project.
        name: a table (with its examples), a service, an on-demand function or an example; None for all.
        bundled: whether the bundled definitions of music are checked, too.

    Raises:
        InputError: nothing has this name, or there is nothing to check.
    """
    if name is not None:
        return _named(contract, name)
    own = {
        kind: tuple(one for one in names if bundled or not contract.module_of(kind, room, one).startswith(BUNDLED))
        for kind, room, names in (
            (WindowedTable, "windowed", contract.windowed),
            (OnDemand, "on_demand", contract.find(OnDemand, "on_demand")),
            (ServiceDeclaration, "services", contract.services),
            (Example, "examples", contract.examples),
        )
    }
    functions = sorted({*own[OnDemand], *_moment_functions(contract, own[WindowedTable])})
    selection = Selection(own[WindowedTable], tuple(functions), own[ServiceDeclaration], own[Example])
    if selection == Selection():
        folder = contract.project.folder
        raise InputError(
            expected="a project with windowed tables, on-demand functions or services of its own",
            found=f"none in {folder}" if folder else "no refrain.toml in this folder or above it",
            next_command="refrain test --all  (checks the bundled definitions of music)"
            if contract.project.extends
            else f"declare a WindowedTable in a module that {folder}/refrain.toml names, then: refrain test",
        )
    return selection


def _named(contract: Contract, name: str) -> Selection:
    if name in contract.windowed:
        examples = [one.name for one in contract.examples.values() if one.table.name == name]
        return Selection((name,), _moment_functions(contract, [name]), (), tuple(examples))
    if name in contract.services:
        return Selection(services=(name,))
    if name in contract.on_demand:
        return Selection(functions=(name,))
    if name in contract.examples:
        return Selection(examples=(name,))
    names = sorted({*contract.windowed, *contract.services, *contract.on_demand, *contract.examples})
    close = get_close_matches(name, names, n=1)
    raise InputError(
        expected=f"the name of a windowed table, service, on-demand function or example, one of {names}",
        found=repr(name),
        next_command=f"refrain test {close[0]}" if close else "refrain test",
    )


def _moment_functions(contract: Contract, tables: Iterable[str]) -> tuple[str, ...]:
    """The on-demand functions that finish features of tables."""
    return tuple(moment.name_of(contract.windowed[name]) for name in tables if moment.inputs(contract.windowed[name]))
