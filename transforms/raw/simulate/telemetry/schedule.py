"""The schedule of simulated incidents: kinds, times and affected entities."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from transforms.raw.table import MICROSECONDS_UTC

MINUTE, DAY = 60_000_000, 86_400_000_000
"""A minute and a day in microseconds."""

SCRAPED = 3
"""Number of endpoints that a scraper calls."""

DEFAULT_START = datetime(2026, 1, 5, tzinfo=UTC)


@dataclass(frozen=True)
class TelemetrySize:
    """The size of a simulated service.

    Attributes:
        hosts: number of machines; each is scraped once a minute.
        endpoints: number of endpoints.
        rate: average requests per minute and endpoint.
        accounts: number of listeners.
        masters: number of masters per day.
        days: number of simulated days.
        quiet_days: number of days without incidents at the beginning.
        incidents: number of incidents of each kind in the later days.
        start: first day, UTC.
    """

    hosts: int = 8
    endpoints: int = 5
    rate: float = 12.0
    accounts: int = 200
    masters: int = 60
    days: int = 21
    quiet_days: int = 14
    incidents: int = 6
    start: datetime = DEFAULT_START

    @property
    def begin(self) -> int:
        """First moment, microseconds since 1970."""
        return int(self.start.timestamp()) * 1_000_000


@dataclass(frozen=True)
class Kind:
    """One kind of incident.

    Attributes:
        entity: join key of the affected entity.
        minutes: shortest and longest duration in minutes.
        cause: description for the incident's label.
    """

    entity: str
    minutes: tuple[int, int]
    cause: str


KINDS: dict[str, Kind] = {
    "saturation": Kind("host_id", (20, 90), "a process takes the whole processor"),
    "leak": Kind("host_id", (60, 180), "a process takes more and more memory"),
    "latency_step": Kind("endpoint", (20, 90), "a database answers three times as slowly"),
    "error_burst": Kind("endpoint", (10, 40), "a dependency is gone"),
    "traffic_drop": Kind("endpoint", (20, 60), "requests do not arrive"),
    "credential_stuffing": Kind("client_ip", (15, 60), "stolen passwords are tried on many accounts"),
    "scraping": Kind("client_ip", (20, 90), "the catalogue is copied"),
    "stream_fraud": Kind("user_id", (360, 1_440), "a bot plays few tracks for just long enough to be paid"),
    "account_sharing": Kind("user_id", (360, 1_440), "an account was sold to several people"),
    "clipped_master": Kind("track_id", (0, 0), "the gain was too high"),
    "silent_master": Kind("track_id", (0, 0), "a channel or the whole master is empty"),
}


@dataclass(frozen=True)
class Event:
    """One incident.

    Attributes:
        kind: one of ``KINDS``.
        entity_id: affected entity.
        start: beginning in microseconds since 1970.
        end: end in microseconds since 1970.
        strength: 0 (mild) to 1.
    """

    kind: str
    entity_id: str
    start: int
    end: int
    strength: float

    def share(self, times: np.ndarray) -> np.ndarray:
        """(n,) elapsed share of the incident at each time: 0 to 1 while it lasts, NaN outside."""
        inside = (times >= self.start) & (times < self.end)
        return np.where(inside, (times - self.start) / max(self.end - self.start, 1), np.nan)


def names(size: TelemetrySize) -> dict[str, list[str]]:
    """Join key → entities of the service."""
    paths = ("search", "play", "recommend", "playlist", "login", "lyrics", "social", "pay", "radio", "offline")
    return {
        "host_id": [f"host-{number:02}" for number in range(size.hosts)],
        "endpoint": [
            f"/v1/{paths[n % len(paths)]}{'' if n < len(paths) else n // len(paths)}" for n in range(size.endpoints)
        ],
        "user_id": [f"listener{number:04}" for number in range(size.accounts)],
    }


def draw_schedule(size: TelemetrySize, rng: np.random.Generator) -> list[Event]:
    """Draw ``size.incidents`` of each kind; those of one entity are at least three hours apart."""
    entities = names(size)
    low, high = size.begin + size.quiet_days * DAY, size.begin + size.days * DAY
    spans_of: dict[str, list[tuple[int, int]]] = {}
    incidents: list[Event] = []
    for kind, definition in KINDS.items():
        for number in range(size.incidents):
            for _ in range(200):
                length = int(rng.integers(definition.minutes[0], definition.minutes[1] + 1)) * MINUTE
                start = int(rng.integers(low + 60 * MINUTE, high - 60 * MINUTE - length)) // MINUTE * MINUTE
                entity = _draw_entity(kind, definition, entities, number, rng)
                spans = spans_of.setdefault(entity, [])
                if all(start > end + 180 * MINUTE or start + length < begin - 180 * MINUTE for begin, end in spans):
                    spans.append((start, start + length))
                    incidents.append(Event(kind, entity, start, start + length, float(rng.random())))
                    break
    return sorted(incidents, key=lambda incident: (incident.start, incident.entity_id))


def _draw_entity(
    kind: str, definition: Kind, entities: dict[str, list[str]], number: int, rng: np.random.Generator
) -> str:
    if definition.entity == "client_ip":
        return f"198.51.{100 + number % 100}.{int(rng.integers(1, 255))}"
    if definition.entity == "track_id":
        return f"master-{kind}-{number:03}"
    return str(rng.choice(entities[definition.entity]))


def labels(size: TelemetrySize, schedule: list[Event]) -> pl.DataFrame:
    """The schedule as rows of the raw table ``incidents``; each is labelled a day after its end.

    Scraping is also an incident of the endpoints that are scraped; credential stuffing is also one of every account.
    """
    rows = [
        (KINDS[event.kind].entity, event.entity_id, event.kind, event.start, event.end, KINDS[event.kind].cause)
        for event in schedule
    ]
    columns = ["entity", "entity_id", "kind", "event_timestamp", "ended", "cause"]
    rows += [
        ("endpoint", path, "swamped", event.start, event.end, "a scraper asks beside everybody else")
        for event in schedule
        if event.kind == "scraping"
        for path in names(size)["endpoint"][:SCRAPED]
    ]
    rows += [
        ("user_id", user, "attacked", event.start, event.end, "stolen passwords are tried on this account among others")
        for event in schedule
        if event.kind == "credential_stuffing"
        for user in names(size)["user_id"]
    ]
    frame = pl.DataFrame(rows, schema=columns, orient="row")
    times = [pl.col(name).cast(pl.Int64).cast(MICROSECONDS_UTC) for name in ("event_timestamp", "ended")]
    return frame.with_columns(times).with_columns(created_timestamp=pl.col("ended") + timedelta(days=1))
