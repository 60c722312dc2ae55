"""Results of checks as lines for a person."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from refrain.checking.difference import Difference
from refrain.checking.generate import Arrival
from refrain.checking.oracle import EPOCH

MOST_EVENTS = 30
"""Most events of a failure that are printed."""


@dataclass(frozen=True)
class Result:
    """The result of one check.

    Attributes:
        subject: the table, service, function or example.
        check: what was checked.
        seconds: wall time, without that of making the events few.
        note: how much was compared.
        failure: lines that describe the failure; empty if the check has passed.
        is_skipped: whether nothing was checked; the note says why.
    """

    subject: str
    check: str
    seconds: float
    note: str = ""
    failure: tuple[str, ...] = ()
    is_skipped: bool = False

    @property
    def status(self) -> str:
        """``ok``, ``FAIL`` or ``skip``."""
        return "FAIL" if self.failure else "skip" if self.is_skipped else "ok"


def describe(difference: Difference, repeat: str, table: str = "") -> tuple[str, ...]:
    """Describes a difference: where it is, both values, the events, and the command that repeats it.

    Args:
        difference: the difference.
        repeat: the command.
        table: name of the windowed table, if there are events.
    """
    rows = {
        "table": table,
        "column": difference.column,
        "key": ", ".join(f"{name}={value!r}" for name, value in difference.key.items()),
        "moment": "" if difference.at is None else time_text(EPOCH + timedelta(microseconds=difference.at)),
        "expected": f"{difference.expected!r}  ({difference.expected_from})",
        "found": f"{difference.found!r}  ({difference.found_from})",
    }
    lines = [f"{name:9} {text}" for name, text in rows.items() if text]
    for number, (kind, events) in enumerate(difference.events.items()):
        label, count = kind if number else "events", len(events)
        lines.append(f"{label:9} {count}, the fewest found that still fail, in the order of arrival:")
        lines += [f"          {text}" for text in event_lines(events[:MOST_EVENTS])]
        if count > MOST_EVENTS:
            lines.append(f"          and {count - MOST_EVENTS} more")
    return (*lines, f"{'repeat':9} {repeat}")


def event_lines(events: Sequence[Arrival]) -> list[str]:
    """Events as Python dictionaries without missing values, as ``example`` takes them."""
    return [f"{_plain(event)!r}," for event in events]


def plural(count: int, noun: str) -> str:
    """A number with its noun.

    >>> plural(1, "event"), plural(2, "event")
    ('1 event', '2 events')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def time_text(moment: datetime) -> str:
    """A moment in UTC as ISO 8601.

    >>> time_text(EPOCH)
    '1970-01-01T00:00:00Z'
    """
    return moment.isoformat().replace("+00:00", "Z")


def _plain(event: Mapping[str, Any]) -> dict[str, Any]:
    texts = {name: time_text(value) if isinstance(value, datetime) else value for name, value in event.items()}
    return {name: value for name, value in texts.items() if value is not None}
