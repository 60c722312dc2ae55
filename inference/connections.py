"""Bounds on connections: how many there are, how long and how slow the head of a request may be, unread answers.

uvicorn reads heads of any length at any speed and keeps as many connections as there are. This protocol closes what
exceeds a bound. When there are too many connections, a new one takes the place of the one that has waited longest
without a request that was let in, so that trickling strangers cannot keep callers with a key out.
"""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, ClassVar, Self
from weakref import WeakKeyDictionary

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState


@dataclass(frozen=True)
class Bounds:
    """Bounds on the connections of one process.

    Attributes:
        connections: connections in all.
        waiting_by_peer: connections of one address that wait without a request of theirs having been let in.
        head_bytes: bytes of a request line and its header fields.
        head_fields: header fields of a request.
        head_s: seconds within which a head must arrive, from the connection or the first byte on.
        rest_s: seconds that the rest of a body may take whose request was answered before it was read.
        write_s: seconds within which a client must read something of its answer.
    """

    connections: int = 1_000
    waiting_by_peer: int = 256
    head_bytes: int = 32_768
    head_fields: int = 100
    head_s: float = 10.0
    rest_s: float = 2.0
    write_s: float = 10.0


BOUNDS = Bounds()


class Connections:
    """The connections of one server, ordered by how readily each gives way to a new one.

    Args:
        bounds: the bounds.

    Attributes:
        closed: number of connections closed to make room.
    """

    _by_state: ClassVar[WeakKeyDictionary[ServerState, "Connections"]] = WeakKeyDictionary()

    def __init__(self, bounds: Bounds) -> None:
        self.bounds, self.closed = bounds, 0
        self._all: set[BoundedProtocol] = set()
        self._strangers: dict[BoundedProtocol, None] = {}  # waiting, the longest first
        self._strangers_by_peer: dict[str, dict[BoundedProtocol, None]] = {}
        self._known: dict[BoundedProtocol, None] = {}  # waiting after a request that was let in

    @classmethod
    def of(cls, state: ServerState) -> Self:
        """Return the connections of a server."""
        if state not in cls._by_state:
            cls._by_state[state] = cls(BOUNDS)
        return cls._by_state[state]  # type: ignore[return-value]

    def __len__(self) -> int:
        return len(self._all)

    def admit(self, connection: "BoundedProtocol") -> bool:
        """Take a new connection in, in place of another one if need be; False if all are being answered."""
        of_peer = self._strangers_by_peer.get(connection.peer, {})
        if len(of_peer) >= self.bounds.waiting_by_peer:
            self._close_first(of_peer)
        if len(self._all) >= self.bounds.connections and not (
            self._close_first(self._strangers) or self._close_first(self._known)
        ):
            return False
        self._all.add(connection)
        self.wait(connection)
        return True

    def wait(self, connection: "BoundedProtocol") -> None:
        """Note that a connection waits for its client."""
        self.work(connection)
        if connection not in self._all:  # lost before its last answer was complete
            return
        if connection.is_known:
            self._known[connection] = None
        else:
            self._strangers[connection] = None
            self._strangers_by_peer.setdefault(connection.peer, {})[connection] = None

    def work(self, connection: "BoundedProtocol") -> None:
        """Note that a connection has a whole request, which is being answered."""
        self._known.pop(connection, None)
        if connection in self._strangers:
            del self._strangers[connection]
            of_peer = self._strangers_by_peer[connection.peer]
            del of_peer[connection]
            if not of_peer:
                del self._strangers_by_peer[connection.peer]

    def remove(self, connection: "BoundedProtocol") -> None:
        """Forget a connection that was closed."""
        self.work(connection)
        self._all.discard(connection)

    def _close_first(self, candidates: Iterable["BoundedProtocol"]) -> bool:
        """Close the first connection of those that wait; False if there is none."""
        for connection in list(candidates):
            if connection.is_known and connection in self._strangers:  # its request was let in, its body is still due
                self.wait(connection)
                continue
            self.remove(connection)
            self.closed += 1
            connection.transport.abort()
            return True
        return False


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol for one connection, within ``Bounds``."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.table = Connections.of(self.server_state)
        self.peer, self._was_let_in, self._is_in_head = "", False, True
        self._head_received = self._head_size = self._head_fields = 0
        self._refusal: tuple[HTTPStatus, str] | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_known(self) -> bool:
        """Whether a request of this connection was let in (``inference.api.access`` notes the caller)."""
        if not self._was_let_in and self.scope is not None:
            self._was_let_in = "caller" in self.scope["state"]
        return self._was_let_in

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection in, or close it."""
        super().connection_made(transport)
        self.peer = self.client[0] if self.client else ""
        if self.table.admit(self):
            self._close_after(self.table.bounds.head_s)
        else:
            self._refusal = HTTPStatus.SERVICE_UNAVAILABLE, "all connections are in use"
            self.send_400_response("")

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._cancel_timer()
        self.table.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what was received, and close the connection if its head is too long."""
        bounds = self.table.bounds
        if self._is_in_head:
            self._head_received += len(data)
        super().data_received(data)
        if self._is_in_head and self._head_received > bounds.head_bytes and not self.transport.is_closing():
            self._refuse_head()
            self.send_400_response("")

    def on_message_begin(self) -> None:
        """Expect the head of a request, in time."""
        super().on_message_begin()
        if not self._is_in_head:
            self._is_in_head, self._head_received = True, 0
            if self.cycle is None or self.cycle.response_complete:
                self._close_after(self.table.bounds.head_s)
        self._head_size = self._head_fields = 0

    def on_url(self, url: bytes) -> None:
        """Count a part of the request line."""
        super().on_url(url)
        self._count_head(len(url), 0)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header field."""
        super().on_header(name, value)
        self._count_head(len(name) + len(value) + 4, 1)

    def on_headers_complete(self) -> None:
        """Start to answer."""
        self._is_in_head = False
        self._cancel_timer()
        self._watch_unread(self.transport.get_write_buffer_size())
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Note that the whole request is there."""
        self.table.work(self)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request; not for long if the client sends or reads slowly."""
        is_last, bounds = self.cycle.response_complete, self.table.bounds
        super().on_response_complete()
        unread = self.transport.get_write_buffer_size()
        if not is_last:  # another request was there already
            self._watch_unread(unread)
            return
        self.table.wait(self)
        if self._is_in_head:
            self._close_after(bounds.head_s)
        elif self.cycle.more_body:  # what still comes is dropped
            self._close_after(bounds.rest_s)
        elif unread:
            self._watch_unread(unread)
        else:
            self._close_after(self.timeout_keep_alive)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request, or exceeds a bound, with a problem, and close the connection."""
        status, detail = self._refusal or (HTTPStatus.BAD_REQUEST, "this is not an HTTP request")
        problem = {
            "type": "about:blank",
            "title": status.phrase,
            "status": status.value,
            "detail": detail,
            "next": "send a request as /docs shows it",
        }
        body = json.dumps(problem).encode()
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/problem+json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
        self._close_after(self.table.bounds.rest_s)

    def _count_head(self, size: int, fields: int) -> None:
        """Add to the head.

        Raises:
            ValueError: it is too long; the parser stops, and the connection is closed.
        """
        self._head_size += size
        self._head_fields += fields
        bounds = self.table.bounds
        if self._head_size > bounds.head_bytes or self._head_fields > bounds.head_fields:
            self._refuse_head()
            raise ValueError("too long a head")

    def _refuse_head(self) -> None:
        bounds = self.table.bounds
        detail = (
            f"a request line with its header has {bounds.head_bytes:,} bytes and {bounds.head_fields} fields at most"
        )
        self._refusal = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, detail

    def _watch_unread(self, unread: int) -> None:
        """Close the connection if the client reads nothing of its answer for a while."""
        if unread:
            self._cancel_timer()
            self._timer = self.loop.call_later(self.table.bounds.write_s, self._check_unread, unread)

    def _check_unread(self, before: int) -> None:
        unread = self.transport.get_write_buffer_size()
        if unread >= before:
            self.transport.abort()
        elif unread:
            self._watch_unread(unread)
        elif self.cycle.response_complete:
            self._close_after(self.timeout_keep_alive)

    def _close_after(self, seconds: float) -> None:
        self._cancel_timer()
        self._timer = self.loop.call_later(seconds, self.transport.abort)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
