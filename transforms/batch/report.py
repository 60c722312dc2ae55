"""What a build did."""

from dataclasses import dataclass, field
from datetime import date


@dataclass
class ViewReport:
    """What a run did to one table.

    Attributes:
        rows: that the table has now, all versions counted.
        days: files that it has.
        rebuilt: days whose files were written.
        removed: files that no day asks for any more.
        seconds: it took.
    """

    rows: int = 0
    days: int = 0
    rebuilt: list[date] = field(default_factory=list)
    removed: int = 0
    seconds: float = 0.0
