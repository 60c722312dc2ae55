"""One thing that does not agree in a data folder."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """Something that does not agree.

    Attributes:
        where: the view, file or server.
        found: what is there, and how much of it.
        next_command: what mends it.
        is_fault: false for what is as it should be and yet worth knowing.
    """

    where: str
    found: str
    next_command: str
    is_fault: bool = True
