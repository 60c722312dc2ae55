"""What a module of this package declares, so that a command, or a group of them, is one file."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """A command of ``refrain``.

    Attributes:
        function: the command; its docstring is the help.
        section: section of the help in which it is listed.
        given_name: its name, if it is not that of the function.
    """

    function: Callable[..., None]
    section: str
    given_name: str = ""

    @property
    def name(self) -> str:
        """The name on the command line."""
        return self.given_name or self.function.__name__


@dataclass(frozen=True)
class CommandGroup:
    """Commands of ``refrain`` under one name, such as ``refrain person scan``.

    Attributes:
        name: the name on the command line.
        about: the help of the group.
        functions: the commands; their docstrings are their help.
        section: section of the help in which the group is listed.
        groups: groups within it, such as ``budget`` of ``refrain privacy budget show``; without a section.
    """

    name: str
    about: str
    functions: tuple[Callable[..., None], ...]
    section: str
    groups: tuple["CommandGroup", ...] = ()
