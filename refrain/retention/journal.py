"""What a run of the retention has done so far, so that one that was killed goes on; and what the last one did."""

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime

from feature_repo.home import Home
from feature_repo.whole_files import write_whole
from refrain.person.erasure.journal import read_record

_OPEN, _LAST = "open.json", "last.json"


@dataclass
class Journal:
    """A run of the retention.

    Attributes:
        started_at: when it was begun, ISO 8601.
        tables: raw tables that have lost rows.
        anew: tables whose rows online are to be written anew.
        counts: what was removed: table or kind of record → number of rows, lines or sets.
        done_at: when it was done; empty as long as it is not.
    """

    started_at: str
    tables: list[str] = field(default_factory=list)
    anew: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    done_at: str = ""

    @classmethod
    def start(cls, home: Home, now: datetime) -> "Journal":
        """The journal of a run that was begun; or a new one."""
        return unfinished(home) or cls(now.isoformat())

    def add(self, home: Home, kind: str, count: int) -> None:
        """Count what was removed."""
        if count:
            self.counts[kind] = self.counts.get(kind, 0) + count
            self.save(home)

    def save(self, home: Home) -> None:
        """Write the journal."""
        write_whole(home.retention / _OPEN, json.dumps(asdict(self)))

    def close(self, home: Home, now: datetime) -> None:
        """Keep what was done, and end the run."""
        self.done_at = now.isoformat()
        write_whole(home.retention / _LAST, json.dumps(asdict(self), indent=1))
        (home.retention / _OPEN).unlink(missing_ok=True)


def unfinished(home: Home) -> Journal | None:
    """The run that was begun and is not done; None if there is none.

    Raises:
        StoreError: the journal is damaged.
    """
    return _read(home, _OPEN)


def last(home: Home) -> Journal | None:
    """The last run that was done; None if there was none.

    Raises:
        StoreError: the file is damaged.
    """
    return _read(home, _LAST)


def _read(home: Home, name: str) -> Journal | None:
    path = home.retention / name
    if not path.is_file():
        return None
    return read_record(Journal, path, home, "a journal of the retention", "refrain retention run")
