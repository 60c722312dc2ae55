"""The counts of an import, by table."""

from dataclasses import dataclass, field

from transforms.raw.files.members import PassedOver


@dataclass
class TableReport:
    """Counts of the rows of one table in an import.

    Attributes:
        read: rows of the source, malformed lines included.
        added: growth of the table in rows.
        duplicates: rows that repeat another row of the same import.
        corrected: rows that changed the values of a stored row; only counted where ``corrects`` is set.
        conflicts: duplicates with other values than the row that they repeat; likewise.
        quarantined: rows that were refused.
        days_touched: files of the table that were written.
        reasons: reason of refusal → number of rows.
        left_out: kind of rows that are not wanted → number of rows; they are not among those read.
        marked: why events are hardly plausible → number of new ones; they are stored.
    """

    read: int = 0
    added: int = 0
    duplicates: int = 0
    corrected: int = 0
    conflicts: int = 0
    quarantined: int = 0
    days_touched: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    marked: dict[str, int] = field(default_factory=dict)

    @property
    def known(self) -> int:
        """Rows that added none: they, or another report of their event, are stored, or they correct a stored row."""
        return max(self.read - self.quarantined - self.duplicates - self.added - self.corrected, 0)


@dataclass
class Report:
    """The result of one import.

    Attributes:
        source: name of the source.
        seconds: wall time of the import.
        tables: table → counts of its rows.
        passed_over: files of the source that were not read.
    """

    source: str
    seconds: float = 0.0
    tables: dict[str, TableReport] = field(default_factory=dict)
    passed_over: list[PassedOver] = field(default_factory=list)
