"""Finds definitions by their type, so that adding one means adding a file."""

from importlib import import_module
from pkgutil import iter_modules
from typing import Protocol, TypeVar

from feature_repo.errors import InputError


class Named(Protocol):
    """Anything with a name of its own."""

    @property
    def name(self) -> str:
        """The name under which it is looked up."""
        ...


Definition = TypeVar("Definition", bound=Named)


def definitions(package: str, kind: type[Definition]) -> dict[str, Definition]:
    """All module-level values of one type in the modules of a package, without those of subpackages.

    Args:
        package: the dotted name of the package. Its modules are imported.
        kind: the type of the definitions.

    Returns:
        Definitions by name, sorted by name.

    Raises:
        InputError: two different definitions have the same name.

    Example:
        >>> from feature_repo.windows import WindowedTable
        >>> "user_listening" in definitions("feature_repo.windowed", WindowedTable)
        True
    """
    by_name: dict[str, Definition] = {}
    for info in iter_modules(import_module(package).__path__, f"{package}."):
        for value in vars(import_module(info.name)).values():
            if not isinstance(value, kind):
                continue
            if by_name.setdefault(value.name, value) is not value:
                raise InputError(
                    expected=f"a name of its own for every {kind.__name__}",
                    found=f"a second {value.name!r} in {info.name}",
                    next_command=f"give the {kind.__name__} in {info.name} another name",
                )
    return dict(sorted(by_name.items()))
