"""Attempts of the clients against a small real server whose answers are written in advance."""

import asyncio
import json
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from refrain.client import AsyncClient, Client
from refrain.client.errors import (
    ApiError,
    Forbidden,
    InvalidRequest,
    NotFound,
    ServerFault,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    UnexpectedAnswer,
    Unreachable,
)
from refrain.client.retries import FIRST_PAUSE_S, STATUSES, Retries
from tests.servers import free_port

Answer = tuple[int, dict[str, str], bytes]
HEALTHY: Answer = (200, {}, b'{"status": "ok", "model": null}')
SENT: Answer = (202, {}, b'{"accepted": 1, "refused": []}')
DROP: Answer = (0, {}, b"")
"""The connection is closed without an answer."""


@dataclass
class WrittenServer:
    """Gives its answers in their order, and the last one for ever; keeps the requests."""

    answers: list[Answer]
    delay: float = 0.0
    requests: list[tuple[float, dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        length = int(request.headers.get("content-length", 0))
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append((time.monotonic(), headers, request.rfile.read(length)))
        time.sleep(self.delay)
        status, answer_headers, body = self.answers[min(len(self.requests), len(self.answers)) - 1]
        if not status:
            request.close_connection = True
            return
        request.send_response(status)
        for name, value in {"content-length": str(len(body)), **answer_headers}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)

    @property
    def pauses(self) -> list[float]:
        times = [at for at, _, _ in self.requests]
        return [later - at for at, later in pairwise(times)]


@contextmanager
def answering(*answers: Answer, delay: float = 0.0) -> Iterator[WrittenServer]:
    written = WrittenServer(list(answers), delay)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            written.answer(self)

        do_POST = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    written.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield written
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


Use = Callable[..., Any]


def _with_client(url: str, method: str, *arguments: Any, **options: Any) -> Any:
    with Client(url, **options) as client:
        return getattr(client, method)(*arguments)


def _with_async_client(url: str, method: str, *arguments: Any, **options: Any) -> Any:
    async def run() -> Any:
        async with AsyncClient(url, **options) as client:
            return await getattr(client, method)(*arguments)

    return asyncio.run(run())


@pytest.fixture(params=[_with_client, _with_async_client], ids=["sync", "async"])
def use(request: pytest.FixtureRequest) -> Use:
    """Makes a client, calls one method, and closes the client."""
    return request.param  # type: ignore[no-any-return]


def problem(status: int, **headers: str) -> Answer:
    body = {
        "type": "about:blank",
        "title": "A title",
        "status": status,
        "detail": "expected x; found y",
        "next": "do z",
    }
    return status, {name.replace("_", "-"): value for name, value in headers.items()}, json.dumps(body).encode()


@pytest.mark.parametrize(("status", "seconds"), [(503, 1), *((status, 0) for status in STATUSES)])
def test_a_busy_service_is_asked_again_when_it_says(use: Use, status: int, seconds: int) -> None:
    with answering(problem(status, retry_after=str(seconds)), HEALTHY) as server:
        assert use(server.url, "check_health").status == "ok"
    assert len(server.requests) == 2
    assert seconds <= server.pauses[0] < seconds + 3.0


def test_without_a_header_the_pauses_grow(use: Use) -> None:
    with answering(problem(503), problem(503), HEALTHY) as server:
        assert use(server.url, "check_health").status == "ok"
    first, second = server.pauses
    assert FIRST_PAUSE_S / 2 <= first < FIRST_PAUSE_S + 2.0
    assert FIRST_PAUSE_S <= second < 2 * FIRST_PAUSE_S + 2.0


def test_a_lost_connection_is_made_again_with_the_same_act(use: Use) -> None:
    with answering(DROP, SENT) as server:
        assert use(server.url, "send_feedback", [{"user_id": "u", "action": "like"}]).accepted == 1
    (_, _, first), (_, _, second) = server.requests
    assert first == second
    assert json.loads(first)["acts"][0]["at"].endswith("Z")


def test_the_last_failure_is_raised(use: Use) -> None:
    with answering(problem(503, x_request_id="r1")) as server, pytest.raises(Unavailable) as caught:
        use(server.url, "check_health", retries=1)
    assert len(server.requests) == 2
    error = caught.value
    assert (error.title, error.detail, error.next_command) == ("A title", "expected x; found y", "do z")
    assert (error.status, error.request_id, error.retry_after) == (503, "r1", None)
    assert str(error) == "503 A title: expected x; found y; next: do z"
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), vars(copy)) == (Unavailable, str(error), vars(error))


def test_a_long_wait_is_left_to_the_caller(use: Use) -> None:
    with answering(problem(429, retry_after="3600"), HEALTHY) as server, pytest.raises(TooManyRequests) as caught:
        use(server.url, "check_health")
    assert (len(server.requests), caught.value.retry_after) == (1, 3600.0)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, Unauthorized),
        (403, Forbidden),
        (404, NotFound),
        (422, InvalidRequest),
        (413, InvalidRequest),
        (500, ServerFault),
        (307, UnexpectedAnswer),
    ],
)
def test_what_would_fail_again_is_not_repeated(use: Use, status: int, kind: type[ApiError]) -> None:
    with answering(problem(status), HEALTHY) as server, pytest.raises(ApiError) as caught:
        use(server.url, "check_health")
    assert (len(server.requests), type(caught.value), caught.value.next_command) == (1, kind, "do z")


def test_a_page_of_a_proxy_is_an_error_of_its_own(use: Use) -> None:
    with answering((403, {}, b"<h1>Not here</h1>")) as server, pytest.raises(Forbidden, match="Not here"):
        use(server.url, "check_health")
    for body in (b"<h1>Welcome</h1>", b'{"status": 1}', b"\xff"):
        with answering((200, {}, body)) as server, pytest.raises(UnexpectedAnswer, match="/health"):
            use(server.url, "check_health")


def test_nobody_there_and_nobody_in_time(use: Use) -> None:
    with pytest.raises(Unreachable, match="refrain serve") as caught:
        use(f"http://127.0.0.1:{free_port()}", "check_health", retries=1)
    assert caught.value.status is None
    with answering(HEALTHY, delay=0.6) as server, pytest.raises(Unreachable, match="no answer in time"):
        use(server.url, "check_health", timeout=0.2)
    assert len(server.requests) == 1  # a slow service is not asked again


def test_many_requests_wait_at_the_same_time() -> None:
    async def run(url: str) -> int:
        async with AsyncClient(url) as client:
            ticking, ticks = asyncio.gather(*(client.check_health() for _ in range(40))), 0
            while not ticking.done():
                await asyncio.sleep(0.01)
                ticks += 1
            assert [health.status for health in ticking.result()] == ["ok"] * 40
            return ticks

    with answering(HEALTHY, delay=0.5) as server:
        started = time.perf_counter()
        ticks = asyncio.run(run(server.url))
        assert time.perf_counter() - started < 40 * 0.5 / 2  # one after the other takes 20 seconds
    assert ticks >= 10


def test_keys_and_tokens_are_sent_and_never_shown(use: Use) -> None:
    tokens = iter(["first", "second"])
    with answering(problem(503, retry_after="0"), HEALTHY) as server:
        use(server.url, "check_health", token=lambda: next(tokens))
        use(server.url, "check_health", api_key="rf_secret\n")
    sent = [(headers.get("authorization"), headers.get("x-api-key")) for _, headers, _ in server.requests]
    assert sent == [("Bearer first", None), ("Bearer second", None), (None, "rf_secret")]
    with Client(api_key="rf_secret") as client:
        assert repr(client) == "Client('http://127.0.0.1:8000', with an API key)"


@pytest.mark.parametrize(
    "arguments",
    [{"url": "localhost:8000"}, {"api_key": "a", "token": "b"}, {"retries": -1}, {"longest_wait": -1.0}],
)
def test_wrong_arguments_are_refused(arguments: dict[str, Any]) -> None:
    for kind in (Client, AsyncClient):
        with pytest.raises(ValueError, match="not"):
            kind(**arguments)


def failure(status: int | None, retry_after: float | None) -> ApiError:
    return ApiError(title="", detail="", status=status, retry_after=retry_after)


@given(
    most=st.integers(0, 8),
    longest=st.floats(0, 100),
    attempt=st.integers(0, 10),
    status=st.sampled_from([None, 400, 404, *STATUSES, 500]),
    retry_after=st.none() | st.floats(0, 1_000),
    is_lost=st.booleans(),
)
def test_pauses_are_bounded(
    most: int, longest: float, attempt: int, status: int | None, retry_after: float | None, is_lost: bool
) -> None:
    pause = Retries(most, longest).pause(attempt, failure(status, retry_after), is_lost=is_lost)
    may_repeat = attempt < most and (is_lost or status in STATUSES)
    if not may_repeat or (retry_after or 0) > longest:
        assert pause is None
    elif retry_after is not None:
        assert pause == retry_after
    else:
        assert pause is not None
        assert 0 <= pause <= min(longest, FIRST_PAUSE_S * 2**attempt)
