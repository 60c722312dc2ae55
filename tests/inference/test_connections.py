"""Bounds on connections, by a server with small bounds and clients that break them."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any

import pytest
import uvicorn

from inference import connections
from inference.connections import BoundedProtocol, Bounds

BOUNDS = Bounds(
    connections=12, waiting_by_peer=8, head_bytes=4_096, head_fields=20, head_s=0.4, rest_s=0.3, write_s=0.4
)
GOOD = b"GET /known HTTP/1.1\r\nhost: x\r\n\r\n"
LONG = b"GET /long HTTP/1.1\r\nhost: x\r\n\r\n"


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Lets /known in, reads the body of /body, answers /long at length."""
    assert scope["type"] == "http"
    if scope["path"] == "/known":
        scope["state"]["caller"] = "somebody"
    if scope["path"] == "/body":
        while (await receive()).get("more_body"):
            pass
    if scope["path"] == "/slow":
        await asyncio.sleep(0.5)
    body = b"x" * 30_000_000 if scope["path"] == "/long" else b"well"
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    config = uvicorn.Config(application, http=BoundedProtocol, ws="none", lifespan="off", log_level="critical")
    server = uvicorn.Server(config)
    with pytest.MonkeyPatch.context() as patch, socket.create_server(("127.0.0.1", 0)) as listener:
        patch.setattr(connections, "BOUNDS", BOUNDS)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join()


class Client:
    """One connection."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=5)

    def send(self, content: bytes) -> "Client":
        with suppress(ConnectionError):
            self.socket.sendall(content)
        return self

    def answer(self) -> bytes:
        """What the server answers at once; empty if it closed the connection."""
        try:
            return self.socket.recv(65_536)
        except ConnectionError:
            return b""

    def status(self) -> int:
        answer = self.answer()
        return int(answer.split()[1]) if answer else 0

    def is_closed_within(self, seconds: float) -> bool:
        self.socket.settimeout(seconds)
        try:
            while self.socket.recv(1 << 20):
                pass
        except TimeoutError:
            return False
        except ConnectionError:
            return True
        return True

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * 5_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"a" * 5_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"a" * 5_000,
        b"GET / HTTP/1.1\r\n" + b"".join(b"x%d: 1\r\n" % number for number in range(30)) + b"\r\n",
    ],
    ids=["path", "field", "endless field", "fields"],
)
def test_a_head_that_is_too_long_is_refused(port: int, head: bytes) -> None:
    with Client(port) as client:
        answer = client.send(head).answer()
        assert answer.startswith(b"HTTP/1.1 431 ")
        assert b"application/problem+json" in answer
        assert client.is_closed_within(1)


def test_a_long_head_in_pieces_is_refused_on_the_second_request_too(port: int) -> None:
    with Client(port) as client:
        assert client.send(GOOD).status() == 200
        client.send(b"GET / HTTP/1.1\r\nx: ")
        for _ in range(50):
            client.send(b"a" * 1_000)
        assert client.is_closed_within(1)


def test_what_is_no_request_is_a_problem(port: int) -> None:
    with Client(port) as client:
        assert b'"status": 400' in client.send(b"\x16\x03\x01\x02\x00\r\n\r\n").answer()


@pytest.mark.parametrize("start", [b"", b"GET / HTTP/1.1\r\nhost: x\r\n", GOOD, GOOD + b"GET / HT", GOOD + b"\r\n"])
def test_a_head_that_trickles_is_not_waited_for(port: int, start: bytes) -> None:
    with Client(port) as client:
        client.send(start)
        started, is_closed = time.monotonic(), False
        while not is_closed and time.monotonic() - started < 3:
            client.send(b"x")
            is_closed = client.is_closed_within(0.1)
        assert is_closed


def test_the_rest_of_a_body_is_not_waited_for(port: int) -> None:
    """The answer came before the body was read: refusals, for example."""
    with Client(port) as client:
        client.send(b"POST /known HTTP/1.1\r\nhost: x\r\ncontent-length: 900\r\n\r\nx")
        assert client.status() == 200
        started, is_closed = time.monotonic(), False
        while not is_closed and time.monotonic() - started < 3:
            client.send(b"x")
            is_closed = client.is_closed_within(0.1)
        assert is_closed


@pytest.mark.parametrize("then", [b"", GOOD])
def test_who_reads_no_answer_is_not_waited_for(port: int, then: bytes) -> None:
    with Client(port) as client:
        client.send(LONG + then)
        time.sleep(1.0)
        length = 0
        with suppress(ConnectionError):
            while piece := client.socket.recv(1 << 20):
                length += len(piece)
        assert length < 30_000_000


def test_who_reads_slowly_gets_the_whole_answer(port: int) -> None:
    with Client(port) as client:
        client.send(LONG)
        length = 0
        while length < 30_000_000:
            piece = client.socket.recv(1 << 20)
            assert piece
            length += len(piece)
            time.sleep(0.02)


def test_strangers_make_room_for_each_other_and_for_callers_who_were_let_in(port: int) -> None:
    """Twenty connections trickle a body or a head; a caller with a key keeps its connection, and new ones are taken."""
    with ExitStack() as stack:
        known = stack.enter_context(Client(port))
        assert known.send(GOOD).status() == 200
        strangers = [stack.enter_context(Client(port)) for _ in range(20)]
        for number, stranger in enumerate(strangers):
            head = b"POST /body HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n" if number % 2 else b"GET / HT"
            stranger.send(head)
            assert known.send(GOOD).status() == 200
        with Client(port) as another:
            assert another.send(GOOD).status() == 200
        assert strangers[0].is_closed_within(0.05)
        assert not strangers[-1].is_closed_within(0.05)


def test_requests_being_answered_are_never_dropped(port: int) -> None:
    """All connections are in use: one more is told so, and the others get their answers."""
    with ExitStack() as stack:
        busy = []
        for _ in range(BOUNDS.connections):
            busy.append(stack.enter_context(Client(port)).send(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n"))
            time.sleep(0.01)
        assert stack.enter_context(Client(port)).status() == 503
        assert [client.status() for client in busy] == [200] * BOUNDS.connections
