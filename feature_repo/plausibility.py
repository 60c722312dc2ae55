"""What one account can plausibly do: the sections ``[plausibility.KIND]`` of ``refrain.toml``.

::

    [plausibility.plays]               # an empty section has these values
    # refused by the stream and over HTTP, and marked or quarantined by imports
    at_once = 4                        # listening of one account, in hours per hour: a family on one account
    devices = 10                       # devices of one account within an hour
    events = 600                       # events of one account within an hour
    imports = "mark"                   # of an import: "mark" (stored, and counted in its report), or "quarantine"
    per_day = 10_000                   # events of one account that come over HTTP within a day
    # only marked, as they can be: refrain plausibility
    day = 24                           # hours of listening of one account that begin within a day (UTC)
    loop = 8                           # hours of one track, likewise
    longer = 2.0                       # times the length of its track that a play may last
    # columns; "" for none
    duration = "ms_played"             # the milliseconds of an event
    device = "device"
    lengths = "tracks:duration_ms"     # raw table with the milliseconds of what is played, and their column

Without a section, nothing is refused, and what would be is marked in kinds of events with a column ``ms_played``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from feature_repo.errors import InputError

if TYPE_CHECKING:
    from feature_repo.windows import EventSource

WHOLE = "Int64"
"""Type of the columns that milliseconds are in."""
MARK, QUARANTINE = "mark", "quarantine"
"""What an import does with implausible events."""


@dataclass(frozen=True)
class AccountLimits:
    """The limits of one kind of events.

    Attributes:
        at_once: most hours of one account that begin within an hour; an event counts for an hour at most.
        devices: most devices of one account within an hour.
        events: most events of one account within an hour.
        imports: what an import does with events beyond these three, ``MARK`` or ``QUARANTINE``.
        per_day: most events of one account that come over HTTP within a day.
        day: hours of one account that begin within a day; events beyond are marked.
        loop: hours of one account and one item that begin within a day; likewise.
        longer: times the length of its item that an event may last; likewise.
        duration: column with the milliseconds of an event; empty for none.
        device: column with the device; empty for none.
        lengths: raw table and column with the milliseconds of an item, such as ``tracks:duration_ms``; empty for none.
    """

    at_once: float = 4.0
    devices: int = 10
    events: int = 600
    imports: str = MARK
    per_day: int = 10_000
    day: float = 24.0
    loop: float = 8.0
    longer: float = 2.0
    duration: str = "ms_played"
    device: str = "device"
    lengths: str = "tracks:duration_ms"

    @classmethod
    def read(cls, kind: str, section: Any) -> "AccountLimits":
        """Reads and checks a section.

        Raises:
            InputError: an option is unknown or has another form.

        >>> AccountLimits.read("plays", {"devices": 5}).devices
        5
        """
        options = {field.name: type(field.default) for field in fields(cls)}
        for name, value in section.items() if isinstance(section, Mapping) else [("", section)]:
            is_number = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")
            is_valid = isinstance(value, str) if options.get(name) is str else is_number
            is_valid &= name != "imports" or value in (MARK, QUARANTINE)
            is_valid &= name != "lengths" or value == "" or all(str(value).partition(":"))
            if name not in options or not is_valid or (options[name] is int and not isinstance(value, int)):
                raise InputError(
                    expected=f"{', '.join(options)} in [plausibility.{kind}]: numbers above zero, names of columns, "
                    f'imports as "{MARK}" or "{QUARANTINE}", lengths as "table:column"',
                    found=f"{name} = {value!r}",
                    next_command=f"correct [plausibility.{kind}] in refrain.toml",
                )
        return cls(**section)

    def check(self, source: "EventSource") -> None:
        """Checks that the events have the columns, and that milliseconds are whole numbers.

        Raises:
            InputError: a column of the limits is not one of the events, or its type is another one.
        """
        for column in (self.duration, self.device):
            if column and column not in source.columns:
                raise InputError(
                    expected=f"columns of {source.name} in [plausibility.{source.name}]: {', '.join(source.columns)}",
                    found=repr(column),
                    next_command='correct refrain.toml; "" for none',
                )
        if self.duration and source.columns[self.duration] != WHOLE:
            raise InputError(
                expected=f"whole milliseconds as duration in [plausibility.{source.name}], of the type {WHOLE}",
                found=f"{self.duration}, of the type {source.columns[self.duration]}",
                next_command='correct refrain.toml; duration = "" for none',
            )


def limits_of(source: "EventSource", declared: Mapping[str, AccountLimits]) -> AccountLimits | None:
    """Returns the limits by which events of a kind are marked: the declared ones, or those of all kinds with a length.

    Args:
        source: the kind of events.
        declared: the sections of the project.

    Returns:
        The limits; None for a kind that is not judged: one without a key, or neither declared nor with whole numbers in
        ``ms_played``.

    Raises:
        InputError: a column of the declared limits is not one of the events, or its type is another one.

    >>> from feature_repo.windows import EventSource
    >>> views = EventSource("views", columns={"user_id": "String", "ms_played": "Int64"}, key=("user_id",))
    >>> limits_of(views, {}).device, limits_of(EventSource("orders", columns={}), {})
    ('', None)
    """
    if not source.key:
        return None
    limits = declared.get(source.name)
    if limits is not None:
        limits.check(source)
        return limits
    standard = AccountLimits()
    if source.columns.get(standard.duration) != WHOLE:
        return None
    return standard if standard.device in source.columns else replace(standard, device="")
