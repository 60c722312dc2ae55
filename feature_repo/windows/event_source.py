"""The declaration of a kind of events."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class EventSource:
    """One kind of event. Its raw table (``transforms.raw``) has the same columns, and further validation rules.

    Attributes:
        name: name of the raw table, and ``kind`` of the event in the stream.
        columns: column name → Feast type (String, Int64 or Bool), without the time columns.
        key: columns that identify an event together with ``event_timestamp``; reports with equal keys are versions.
        shared: columns whose value is the tenant's name in every event.
        ranges: integer column → minimum and maximum valid value.

    >>> orders = EventSource("orders", columns={"customer_id": "String", "cents": "Int64"}, key=("customer_id",))
    >>> orders.dtype("cents"), orders.dtype("platform_id"), orders.dtype("color")
    ('Int64', 'String', None)
    """

    name: str
    columns: Mapping[str, str] = field(hash=False)
    key: tuple[str, ...] = ()
    shared: tuple[str, ...] = ("platform_id",)
    ranges: Mapping[str, tuple[int, int]] = field(default_factory=dict, hash=False)

    def dtype(self, name: str) -> str | None:
        """Returns the Feast type of a column; None if there is no such column."""
        return "String" if name in self.shared else self.columns.get(name)
