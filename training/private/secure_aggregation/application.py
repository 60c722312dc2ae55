"""The coordinator over HTTP: silos post their messages, and read the coordinator's by long polling.

``GET /rounds/NAME/PHASE`` and ``GET /published/NAME`` answer 200, or 204 if there is nothing within the seconds of
``wait``; ``POST /rounds/NAME`` answers 204. What is refused is 409, a round that is over 410, a stranger 401, a body
that is too long 413, a second body of one silo at the same time 429.
"""

import time
from collections.abc import Callable

import anyio
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from feature_repo.errors import RefrainError
from training.private.secure_aggregation.access import HEADER, SKEW_S, silo_of
from training.private.secure_aggregation.coordinator import Coordinator
from training.private.secure_aggregation.envelope import Phase
from training.private.secure_aggregation.errors import RoundAborted
from training.private.secure_aggregation.terms import MOST_WORDS

WAIT_S = 20.0
"""Seconds that a request waits for something to read, at most."""
BODY_S = 600.0
"""Seconds that a body may take."""
_PAUSES = (0.005, 0.01, 0.02, 0.05)


def create_application(coordinator: Coordinator) -> Starlette:
    """The application of a coordinator, for any ASGI server of one process."""
    routes = _Routes(coordinator)
    return Starlette(
        routes=[
            Route("/rounds/{name}/{phase}", routes.message),
            Route("/rounds/{name}", routes.receive, methods=["POST"]),
            Route("/published/{name}", routes.content),
        ]
    )


class _Routes:
    def __init__(self, coordinator: Coordinator) -> None:
        self._coordinator = coordinator
        self._sending: set[str] = set()

    async def message(self, request: Request) -> Response:
        silo, phase = self._silo(request), request.path_params["phase"]
        if silo is None:
            return _stranger()
        if phase not in {*Phase}:
            return Response(status_code=404)
        return await self._read(
            request, lambda: self._coordinator.message(request.path_params["name"], Phase(phase), silo)
        )

    async def content(self, request: Request) -> Response:
        silo = self._silo(request)
        if silo is None:
            return _stranger()
        return await self._read(request, lambda: self._coordinator.content(request.path_params["name"], silo))

    async def receive(self, request: Request) -> Response:
        silo, name = self._silo(request), request.path_params["name"]
        if silo is None:
            return _stranger()
        if silo in self._sending:
            return _refusal(429, "one message at a time", "another one that is on its way", "send it again")
        self._sending.add(silo)
        try:
            content = await self._body(request, self._coordinator.most_bytes(name))
            if content is None:
                return _refusal(413, "a message that is no longer than the round's words", "more", "see the terms")
            await run_in_threadpool(self._coordinator.receive, name, content)
        except RefrainError as error:
            return _refused(error)
        except (ClientDisconnect, TimeoutError):
            return Response(status_code=408)
        finally:
            self._sending.discard(silo)
        return Response(status_code=204)

    async def _body(self, request: Request, most_bytes: int) -> bytes | None:
        """The body, or None if it is too long; of a round that is unknown it is read and not kept."""
        content, length = bytearray(), 0
        with anyio.fail_after(BODY_S):
            async for piece in request.stream():
                length += len(piece)
                if length > (most_bytes or 8 * MOST_WORDS):
                    return None
                content += piece if most_bytes else b""
        return bytes(content)

    async def _read(self, request: Request, read: Callable[[], bytes | None]) -> Response:
        try:
            seconds = min(float(request.query_params.get("wait", "0")), WAIT_S)
        except ValueError:
            seconds = 0.0
        deadline, pauses = time.monotonic() + seconds, iter(_PAUSES)
        while True:
            changes = self._coordinator.changes
            try:
                content = await run_in_threadpool(read)
            except RefrainError as error:
                return _refused(error)
            if content is not None:
                return Response(content, media_type="application/octet-stream")
            while changes == self._coordinator.changes:
                if not time.monotonic() < deadline or await request.is_disconnected():
                    return Response(status_code=204)
                await anyio.sleep(next(pauses, _PAUSES[-1]))

    def _silo(self, request: Request) -> str | None:
        return silo_of(request.headers.get(HEADER, ""), self._coordinator.roster, request.method, request.url.path)


def _stranger() -> Response:
    found = f"a request that no silo signed, or that was signed more than {SKEW_S} s ago by this clock"
    return _refusal(401, "a request signed by a silo of the roster", found, "compare rosters, keys and clocks")


def _refused(error: RefrainError) -> Response:
    status = 410 if isinstance(error, RoundAborted) else 409
    return _refusal(status, error.expected, error.found, error.next_command)


def _refusal(status: int, expected: str, found: str, next_command: str) -> Response:
    return JSONResponse({"expected": expected, "found": found, "next_command": next_command}, status)
