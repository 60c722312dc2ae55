"""Reported events, one JSON object each, and the Redis stream that carries them to the live tables.

Serving appends events (``append``); ``refrain stream`` reads them. All Redis names share the project's
hash tag, so that one transaction may span them in a Redis Cluster. Imports no Feast.
"""

import codecs
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Annotated, Any

import msgspec

from feature_repo import clock
from feature_repo.errors import OnlineUnavailable
from feature_repo.packed.server import Server, raise_errors, retry
from feature_repo.windows import EventSource

LONGEST_ID = 256
LARGEST = 64 * 1024
"""Maximum size of one event, in bytes."""

FULL = 1_000_000
"""Maximum number of waiting events, so that a stream without a reader does not fill the memory of Redis."""

AHEAD = timedelta(minutes=5)
"""Tolerance for the clock of a reporter that is ahead."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = clock.microseconds(clock.LAST)
_AHEAD = AHEAD // timedelta(microseconds=1)
_DTYPES: dict[str, Any] = {"String": str, "Int64": int, "Float64": float, "Bool": bool, "Date": date}


@dataclass(frozen=True)
class Names:
    """Redis names of one project's event stream and of its reader's state.

    Attributes:
        project: name of the Feast project.
    """

    project: str

    @property
    def stream(self) -> bytes:
        """Stream of waiting events. Each entry has one field: the event's kind, with its JSON as value."""
        return self._name("events")

    @property
    def dead(self) -> bytes:
        """Stream of refused events, with the fields ``reason``, ``kind`` and ``event``."""
        return self._name("dead")

    @property
    def counts(self) -> bytes:
        """Hash with counters of events by outcome."""
        return self._name("counts")

    @property
    def reader(self) -> bytes:
        """Hash with the reader's state: number of batches, and its position in files."""
        return self._name("reader")

    @property
    def lease(self) -> bytes:
        """Lease of the reader; only one reader runs at a time."""
        return self._name("lease")

    def log(self, kind: str) -> bytes:
        """Returns the list of accepted events in Arrow blocks, kept until the batch run has them in its raw tables."""
        return self._name(f"log:{kind}")

    def _name(self, what: str) -> bytes:
        return f"{{{self.project}}}#{what}".encode()


BYTE_ORDER_MARK = codecs.BOM_UTF8
"""UTF-8 byte order mark, which some programs write; it is not part of the event."""

_SUBMICROSECONDS = re.compile(rb'(_timestamp"\s*:\s*"[^"]{19}\.\d{6})\d+')
"""Digits of a time beyond microseconds. They are cut off, because the decoder would round them."""


class Refused(Exception):
    """An invalid event, with the reason."""


@cache
def decoder(source: EventSource) -> msgspec.json.Decoder:
    """Returns the (cached) JSON decoder of one kind of event; unknown fields are ignored."""
    fields: list[tuple] = [("event_timestamp", datetime)]
    optional: list[tuple] = [("created_timestamp", datetime | None, None)]
    for name, dtype in source.columns.items():
        if dtype == "String":
            # texts of the key must not be empty; other texts may be
            min_length = 1 if name in source.key else 0
            field_type: Any = Annotated[str, msgspec.Meta(min_length=min_length, max_length=LONGEST_ID)]
        elif (limits := source.limits(name)) is not None:
            low, high = limits
            field_type = Annotated[_DTYPES[dtype], msgspec.Meta(ge=low, le=high)]
        else:
            field_type = _DTYPES[dtype]
        if name in source.key:
            fields.append((name, field_type))
        else:
            optional.append((name, field_type | None, None))
    event_type = msgspec.defstruct(f"{source.name}_event", [*fields, *optional], gc=False)
    return msgspec.json.Decoder(event_type)


def parse(source: EventSource, payload: bytes, now: int) -> tuple[Any, int, int | None]:
    """Parses and validates one event.

    Args:
        source: kind of the event.
        payload: JSON of the event.
        now: current time in microseconds since 1970; events may be at most ``AHEAD`` later.

    Returns:
        An object with the columns of the source, the event time, and the created time, both in microseconds since
        1970. The created time is None if it is missing.

    Raises:
        Refused: the event is invalid; the message is the reason.
    """
    if len(payload) > LARGEST:
        raise Refused(f"larger than {LARGEST:,} bytes")
    payload = payload.removeprefix(BYTE_ORDER_MARK)
    if _SUBMICROSECONDS.search(payload):
        payload = _SUBMICROSECONDS.sub(rb"\1", payload)
    try:
        event = decoder(source).decode(payload)
    except msgspec.ValidationError as error:
        raise Refused(_reason(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused("malformed JSON") from error
    for name in source.dates:
        day = getattr(event, name)
        if day is not None:
            setattr(event, name, day.isoformat())
    time = micros(event.event_timestamp)
    if time < 0:
        raise Refused("event_timestamp before 1970")
    if time > now + _AHEAD:
        raise Refused("event_timestamp in the future")
    created = None if event.created_timestamp is None else micros(event.created_timestamp)
    if created is not None and created < time:
        raise Refused("created_timestamp before event_timestamp")
    if created is not None and created > _LAST:
        raise Refused("created_timestamp after the year 9999")
    return event, time, created


def micros(moment: datetime) -> int:
    """Converts a datetime to microseconds since 1970; a naive datetime is UTC."""
    elapsed = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
    return (elapsed.days * 86_400 + elapsed.seconds) * 1_000_000 + elapsed.microseconds


def append(server: Server, names: Names, events: Sequence[tuple[str, bytes]]) -> None:
    """Appends events (kind and JSON) to the stream.

    Raises:
        OnlineUnavailable: Redis does not accept the events, or too many are waiting. Some may be appended; a retry is
            safe, because each event counts once.
    """

    def ask() -> None:
        commands = [("XLEN", names.stream), *(("XADD", names.stream, "*", kind, event) for kind, event in events)]
        waiting = raise_errors(server.send(commands[:1], [names.stream]))[0]
        if waiting + len(events) > FULL:
            raise OnlineUnavailable(
                expected=f"no more than {FULL:,} events that wait to be read",
                found=f"{waiting:,}",
                next_command="refrain stream",
            )
        raise_errors(server.send(commands[1:], [names.stream] * len(events)))

    retry(server, ask, tries=2)


def _reason(error: Exception) -> str:
    """Rewrites ``Expected `str`, got `int` - at `$.user_id` `` to "user_id: expected str, got int"."""
    problem, _, field = str(error).replace("`", "").partition(" - at $.")
    message = problem[:1].lower() + problem[1:]
    return f"{field}: {message}" if field else message
