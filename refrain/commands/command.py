"""What a module of this package declares, so that a command is one file."""

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
