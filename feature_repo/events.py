"""Events as they are told, one JSON object each, and the stream in Redis that carries them to the live tables.

Serving appends (``append``); ``python -m transforms stream`` reads. All names share Redis Cluster's hash tag of the
project, so that one transaction may span them. Imports no Feast.
"""

import codecs
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Annotated, Any

import msgspec

from feature_repo import clock
from feature_repo.errors import OnlineUnavailable
from feature_repo.packed.server import Server, persistent, raised
from feature_repo.windows import EVENTS

LONGEST_ID = 256
LARGEST = 64 * 1024
"""Bytes of one event."""

FULL = 1_000_000
"""Events that may wait; a stream that nobody reads must not fill the memory of Redis."""

AHEAD = timedelta(minutes=5)
"""A clock that is a little fast is forgiven."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = clock.microseconds(clock.LAST)
_AHEAD = AHEAD // timedelta(microseconds=1)
_DTYPES: dict[str, Any] = {"String": str, "Int64": int, "Bool": bool}


@dataclass(frozen=True)
class Names:
    """Names in Redis of one project's stream and of what its reader keeps.

    Attributes:
        project: Feast's name of it.
    """

    project: str

    @property
    def stream(self) -> bytes:
        """Events that wait: entries of one field, the kind, with the event's JSON."""
        return self._name("events")

    @property
    def dead(self) -> bytes:
        """Stream of what was refused: ``reason``, ``kind``, ``event``."""
        return self._name("dead")

    @property
    def counts(self) -> bytes:
        """Hash of what became of the events, by name."""
        return self._name("counts")

    @property
    def reader(self) -> bytes:
        """Hash of what the reader remembers: its number of batches, and how far it is in files."""
        return self._name("reader")

    @property
    def lease(self) -> bytes:
        """Who is the reader; there is one at a time."""
        return self._name("lease")

    def log(self, kind: str) -> bytes:
        """List of accepted events in blocks (Arrow), until the batch run has them in its raw tables."""
        return self._name(f"log:{kind}")

    def _name(self, what: str) -> bytes:
        return f"{{{self.project}}}#{what}".encode()


BYTE_ORDER_MARK = codecs.BOM_UTF8
"""With which some programs begin a file of UTF-8: no part of what is told."""

_FINER = re.compile(rb'(_timestamp"\s*:\s*"[^"]{19}\.\d{6})\d+')
"""Digits of a time beyond microseconds, which are cut off; the decoder would round them."""


class Refused(Exception):
    """An event that is not what it should be."""


@cache
def decoder(kind: str) -> msgspec.json.Decoder:
    """For the JSON of one event of a known kind; what is told beyond its columns is ignored."""
    source = EVENTS[kind]
    fields: list[tuple] = [("event_timestamp", datetime)]
    optional: list[tuple] = [("created_timestamp", datetime | None, None)]
    for name, dtype in source.columns.items():
        if dtype == "String":
            # who or what may not be empty; other texts may
            least = 1 if name in source.key else 0
            wanted: Any = Annotated[str, msgspec.Meta(min_length=least, max_length=LONGEST_ID)]
        elif name in source.ranges:
            low, high = source.ranges[name]
            wanted = Annotated[int, msgspec.Meta(ge=low, le=high)]
        else:
            wanted = _DTYPES[dtype]
        if name in source.key:
            fields.append((name, wanted))
        else:
            optional.append((name, wanted | None, None))
    told = msgspec.defstruct(f"{source.name}_event", [*fields, *optional], gc=False)
    return msgspec.json.Decoder(told)


def parse(kind: str, payload: bytes, now: int) -> tuple[Any, int, int | None]:
    """One event, checked.

    Args:
        kind: name of its source.
        payload: its JSON.
        now: microseconds since 1970; nothing may happen later, but for ``AHEAD``.

    Returns:
        An object with the columns of the source; when it happened and when it was known, microseconds since 1970,
        None if the latter was not told.

    Raises:
        Refused: why not.
    """
    if kind not in EVENTS:
        raise Refused(f"unknown kind {kind[:40]!r}, not one of {sorted(EVENTS)}")
    if len(payload) > LARGEST:
        raise Refused(f"larger than {LARGEST:,} bytes")
    payload = payload.removeprefix(BYTE_ORDER_MARK)
    if _FINER.search(payload):
        payload = _FINER.sub(rb"\1", payload)
    try:
        told = decoder(kind).decode(payload)
    except msgspec.ValidationError as error:
        raise Refused(_in_words(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused("malformed JSON") from error
    time = micros(told.event_timestamp)
    if time < 0:
        raise Refused("event_timestamp before 1970")
    if time > now + _AHEAD:
        raise Refused("event_timestamp in the future")
    created = None if told.created_timestamp is None else micros(told.created_timestamp)
    if created is not None and created < time:
        raise Refused("created_timestamp before event_timestamp")
    if created is not None and created > _LAST:
        raise Refused("created_timestamp after the year 9999")
    return told, time, created


def micros(moment: datetime) -> int:
    """Microseconds since 1970; without a zone it is UTC."""
    since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def append(server: Server, names: Names, events: Sequence[tuple[str, bytes]]) -> None:
    """Put events (kind and JSON) at the end of the stream.

    Raises:
        OnlineUnavailable: Redis does not take them, or too many wait already. Some may be there; the same again is
            safe, an event counts once.
    """

    def ask() -> None:
        commands = [("XLEN", names.stream), *(("XADD", names.stream, "*", kind, event) for kind, event in events)]
        waiting = raised(server.send(commands[:1], [names.stream]))[0]
        if waiting + len(events) > FULL:
            raise OnlineUnavailable(
                expected=f"no more than {FULL:,} events that wait to be read",
                found=f"{waiting:,}",
                next_command="python -m transforms stream",
            )
        raised(server.send(commands[1:], [names.stream] * len(events)))

    persistent(server, ask, tries=2)


def _in_words(error: Exception) -> str:
    """``Expected `str`, got `int` - at `$.user_id` `` as "user_id: expected str, got int"."""
    what, _, where = str(error).replace("`", "").partition(" - at $.")
    told = what[:1].lower() + what[1:]
    return f"{where}: {told}" if where else told
