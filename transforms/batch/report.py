"""The report of a batch run."""

from dataclasses import dataclass, field
from datetime import date


@dataclass
class ViewReport:
    """The result of a run for one table.

    Attributes:
        rows: number of rows of the table after the run, all versions counted.
        days: number of files of the table.
        rebuilt: days whose files were written.
        removed: number of files that were removed because no day needs them any more.
        seconds: wall time of the run.
    """

    rows: int = 0
    days: int = 0
    rebuilt: list[date] = field(default_factory=list)
    removed: int = 0
    seconds: float = 0.0
