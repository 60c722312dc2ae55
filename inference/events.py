"""Events from the outside into the stream, see ``feature_repo.events``; read by ``python -m transforms stream``."""

import time
from dataclasses import dataclass

import msgspec

from feature_repo.errors import InputError
from feature_repo.events import Names, Refused, append, parse
from feature_repo.home import Home
from feature_repo.manifest import load_address
from feature_repo.packed.server import READ_TIMEOUT, Server, open_server
from feature_repo.windows import EVENTS

MOST_EVENTS = 1_000
LARGEST_BODY = 1 << 20
"""Bytes of one request."""


class _Request(msgspec.Struct, forbid_unknown_fields=True):
    kind: str
    events: list[msgspec.Raw]


@dataclass(frozen=True)
class Taken:
    """What became of a request.

    Attributes:
        accepted: events that are in the stream now.
        refused: place of each event that is not, and why.
    """

    accepted: int
    refused: list[tuple[int, str]]


class EventWriter:
    """Appends events to the stream. Safe to share between threads.

    >>> EventWriter().write(b'{"kind": "plays", "events": [{"user_id": "u1", …}]}')         # doctest: +SKIP
    """

    def __init__(self, home: Home | None = None) -> None:
        home = home or Home.from_env()
        self._names = Names(home.project)
        self._server: Server = open_server(home, load_address(home), READ_TIMEOUT)

    def write(self, body: bytes) -> Taken:
        """Append the good ones among some events.

        Args:
            body: JSON: a ``kind`` and a list of ``events``.

        Raises:
            InputError: it is not that.
            OnlineUnavailable: Redis does not take them, or too many wait. Sending again is safe: an event counts once.
        """
        if len(body) > LARGEST_BODY:
            raise _no_request(f"{len(body):,} bytes", f"{LARGEST_BODY:,} bytes at most")
        try:
            request = msgspec.json.decode(body, type=_Request)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _no_request(str(error).split("\n")[0]) from error
        if len(request.events) > MOST_EVENTS:
            raise _no_request(f"{len(request.events):,} events", f"{MOST_EVENTS:,} events at most")
        if request.kind not in EVENTS:
            raise _no_request(f"the kind {request.kind[:40]!r}", f"a kind of events, one of {sorted(EVENTS)}")
        now = time.time_ns() // 1000
        good: list[tuple[str, bytes]] = []
        refused: list[tuple[int, str]] = []
        for place, raw in enumerate(request.events):
            event = bytes(raw)
            try:
                parse(request.kind, event, now)
            except Refused as error:
                refused.append((place, str(error)))
            else:
                good.append((request.kind, event))
        if good:
            append(self._server, self._names, good)
        return Taken(len(good), refused)


def _no_request(found: str, expected: str = "") -> InputError:
    return InputError(
        expected=expected or 'a JSON object such as {"kind": "plays", "events": [{"user_id": "u1", …}]}',
        found=found,
        next_command="see /docs",
    )
