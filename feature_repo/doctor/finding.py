"""One inconsistency in a data folder."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One inconsistency or note.

    Attributes:
        where: the view, file or server.
        found: description and extent of the inconsistency.
        next_command: command that fixes it.
        is_fault: false for a note, which needs no fix.
    """

    where: str
    found: str
    next_command: str
    is_fault: bool = True
