"""Event sources: the kinds of events that windowed tables aggregate."""

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
    """

    name: str
    columns: Mapping[str, str] = field(hash=False)
    key: tuple[str, ...] = ()
    shared: tuple[str, ...] = ("platform_id",)
    ranges: Mapping[str, tuple[int, int]] = field(default_factory=dict, hash=False)

    def dtype(self, name: str) -> str | None:
        """Returns the Feast type of a column; None if there is no such column."""
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

host_metrics = EventSource(
    "host_metrics",
    columns={
        "host_id": "String",
        "cpu_permille": "Int64",
        "memory_permille": "Int64",
        "disk_permille": "Int64",
        "network_in": "Int64",
        "network_out": "Int64",
        "disk_io": "Int64",
        "connections": "Int64",
    },
    key=("host_id",),
    ranges=dict.fromkeys(("cpu_permille", "memory_permille", "disk_permille"), (0, 1000))
    | dict.fromkeys(("network_in", "network_out", "disk_io", "connections"), (0, 1 << 50)),
)
"""Metrics reported by a host's agent, usually once a minute: shares in permille, rates in bytes per second."""

requests = EventSource(
    "requests",
    columns={
        "endpoint": "String",
        "request_id": "String",
        "host_id": "String",
        "client_ip": "String",
        "user_id": "String",
        "status": "Int64",
        "latency_us": "Int64",
        "bytes": "Int64",
    },
    key=("endpoint", "request_id"),
    ranges={"status": (100, 999), "latency_us": (0, 1 << 50), "bytes": (0, 1 << 50)},
)
"""One request to the service, at the time of the response."""

logins = EventSource(
    "logins",
    columns={
        "user_id": "String",
        "client_ip": "String",
        "session": "String",
        "country": "String",
        "device": "String",
        "success": "Bool",
    },
    key=("user_id", "client_ip", "session"),
)
"""One login attempt; ``session`` distinguishes attempts with equal times."""

log_lines = EventSource(
    "log_lines",
    columns={
        "host_id": "String",
        "program": "String",
        "number": "Int64",
        "level": "String",
        "template": "String",
        "message": "String",
    },
    key=("host_id", "program", "number"),
    ranges={"number": (0, 1 << 50)},
)
"""One log line; ``number`` distinguishes lines of one second, ``template`` is the line without its variable parts."""

feedback = EventSource(
    "feedback",
    columns={
        "user_id": "String",
        "track_id": "String",
        "action": "String",
        "answer_id": "String",
        "rating": "Int64",
        "amount_cents": "Int64",
    },
    key=("user_id", "track_id", "action"),
    ranges={"rating": (1, 5), "amount_cents": (0, 100_000_000)},
)
"""Feedback of a listener, one of ``ACTIONS``. ``answer_id`` identifies the recommendation; ``track_id`` is ``NO_TRACK``
if the action is not about a track."""

NO_TRACK = "-"

ACTIONS = ("click", "like", "dislike", "hide", "rate", "subscribe", "cancel", "purchase")

EVENTS = {source.name: source for source in (plays, host_metrics, requests, logins, log_lines, feedback)}
"""Every kind of event, by name."""
