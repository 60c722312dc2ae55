"""Finds definitions by their type, so that adding one means adding a file."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import Any, Generic, Protocol, TypeVar

from feature_repo.errors import InputError


class Named(Protocol):
    """Anything with a name of its own."""

    @property
    def name(self) -> str:
        """The name under which it is looked up."""
        ...


Definition = TypeVar("Definition", bound=Named)


@dataclass(frozen=True)
class Found(Generic[Definition]):
    """A definition, and the name of the module in which it was found first."""

    value: Definition
    module: str


def modules(package: str, *, without: Iterable[str] = ()) -> Iterator[ModuleType]:
    """Imports a package (or a single module) and all its modules, and yields them in the order of their names.

    Args:
        package: the dotted name.
        without: names of direct subpackages and modules that are neither imported nor yielded.
    """
    root = import_module(package)
    yield root
    for info in sorted(iter_modules(getattr(root, "__path__", ())), key=lambda info: info.name):
        if info.name not in set(without):
            yield from modules(f"{package}.{info.name}")


def find(modules: Iterable[ModuleType], kind: type[Definition]) -> dict[str, Found[Definition]]:
    """Finds the module-level values of one type, alone or in a tuple or list.

    Args:
        modules: the modules to search.
        kind: the type of the definitions.

    Returns:
        Definitions by name, sorted by name.

    Raises:
        InputError: two different definitions have the same name.

    Example:
        >>> from feature_repo.windows import WindowedTable
        >>> found = find(modules("feature_repo.definitions.windowed"), WindowedTable)
        >>> found["user_listening"].module
        'feature_repo.definitions.windowed.user_listening'
    """
    by_name: dict[str, Found[Definition]] = {}
    for module in modules:
        for value in _values(module):
            if not isinstance(value, kind):
                continue
            first = by_name.setdefault(value.name, Found(value, module.__name__))
            if first.value is not value:
                raise clash(value.name, kind.__name__, first.module, module.__name__)
    return dict(sorted(by_name.items()))


def definitions(package: str, kind: type[Definition]) -> dict[str, Definition]:
    """The definitions of one type in a package, by name; see ``find``."""
    return {name: definition.value for name, definition in find(modules(package), kind).items()}


def clash(name: str, kind: str, first: str, second: str) -> InputError:
    """The error for two definitions with one name; it names both modules."""
    return InputError(
        expected=f"a name of its own for every {kind}",
        found=f"a second {name!r} in {second}; the first is in {first}",
        next_command=f"give the {kind} in {second} another name",
    )


def _values(module: ModuleType) -> Iterator[Any]:
    for value in vars(module).values():
        if isinstance(value, tuple | list):
            yield from value
        else:
            yield value
