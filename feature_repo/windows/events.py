"""What happens: the kinds of events that windowed tables are made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class EventSource:
    """One kind of event; its raw table (``transforms.raw``) has the same columns and rules of its own beside.

    Attributes:
        name: of the raw table, and the ``kind`` of an event in the stream.
        columns: name → Feast type (String, Int64 or Bool), times apart.
        key: columns that, with ``event_timestamp``, make two tellings tell the same event.
        shared: columns that have the tenant's name in every event.
        ranges: column of integers → smallest and largest value that can be true.
    """

    name: str
    columns: Mapping[str, str] = field(hash=False)
    key: tuple[str, ...] = ()
    shared: tuple[str, ...] = ("platform_id",)
    ranges: Mapping[str, tuple[int, int]] = field(default_factory=dict, hash=False)

    def dtype(self, name: str) -> str | None:
        """Feast type of a column; None if there is no such column."""
        return "String" if name in self.shared else self.columns.get(name)


plays = EventSource(
    "plays",
    columns={
        "user_id": "String",
        "track_id": "String",
        "artist_id": "String",
        "ms_played": "Int64",
        "skipped": "Bool",
        "context": "String",
        "device": "String",
    },
    key=("user_id", "track_id"),
    ranges={"ms_played": (0, 86_400_000)},
)

EVENTS = {source.name: source for source in (plays,)}
"""Every kind of event, by name."""
