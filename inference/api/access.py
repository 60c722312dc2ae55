"""What every request passes before a route sees it: a name, a key, a role, a rate, a size, a time; then it is measured.

Plain ASGI, in one layer: what Starlette's middleware classes would add to each answer is more than the checks take.
"""

import asyncio
import logging
import re
import time
import uuid
from collections.abc import Callable
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inference.api import audio, errors, texts
from inference.security.audit import AuditLog
from inference.security.caller import ADMINISTER, PREDICT, READ_FEATURES, ROLES, SEND_EVENTS, Caller, Refused
from inference.security.keys import KeyRing
from inference.security.limits import Limiter
from inference.security.tokens import TokenVerifier

OPEN, ANYBODY = "open", "anybody"
"""Routes for all the world, and for every caller who is known."""
RULES: tuple[tuple[str, str, str], ...] = (
    ("*", "/health", OPEN),
    ("*", "/console/login", OPEN),
    ("*", "/console/style.css", OPEN),
    ("GET", "/v1/experiments", ANYBODY),
    ("*", "/v1/experiments", ADMINISTER),
    ("*", "/v1/features", READ_FEATURES),
    ("*", "/v1/recommendations", PREDICT),
    ("*", "/v1/predictions", PREDICT),
    ("*", "/v1/forecasts", PREDICT),
    ("*", "/v1/anomalies", PREDICT),
    ("*", "/v1/text", PREDICT),
    ("*", "/v1/audio", PREDICT),
    ("*", "/v1/events", SEND_EVENTS),
    ("*", "/v1/feedback", SEND_EVENTS),
    ("*", "/console", PREDICT),
)
"""Method, start of the path, role; the first that fits counts, and what none fits is for callers who are known."""
ANONYMOUS = Caller("anonymous", "anonymous", "default", frozenset(ROLES) - {ADMINISTER}, limits=None)
"""Whoever asks where no key was ever made; nobody administers without one."""

LONGEST_BODY, LONGEST_OF = (
    1 << 20,
    {
        "/v1/audio": audio.LARGEST_BODY,
        "/v1/text": texts.LARGEST_BODY,
        "/console": audio.LARGEST_BODY + 500_000,  # what a form adds to its file
    },
)
"""Bytes of a body; by start of the path where that differs."""
SLOWEST_BODY = 10.0
"""Seconds that a body may take to arrive; a megabyte more gives it one more second."""
MOST_INSIDE = 256
"""Requests at once in one process; who comes then is told to come later."""
COOKIE = "refrain_key"
REQUEST_ID = b"x-request-id"
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_HEADERS = [(b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store")]
_log = logging.getLogger("refrain.http")


class Access:
    """Who may come in, and what is written down of it.

    Args:
        ring: the keys.
        verifier: of tokens; None where there is no identity provider.
        limiter: of rates and quotas.
        audit: the record.
        mode: ``keys`` for callers who are known alone, ``open`` for everybody, ``auto`` for everybody until there is
            a key or an identity provider.
    """

    def __init__(
        self, ring: KeyRing, verifier: TokenVerifier | None, limiter: Limiter, audit: AuditLog, mode: str = "auto"
    ) -> None:
        self.ring, self.verifier, self.limiter, self.audit = ring, verifier, limiter, audit
        self._closed = mode == "keys" or (mode == "auto" and (verifier is not None or bool(ring)))
        self._may_close = mode == "auto"

    @property
    def closed(self) -> bool:
        """Whether a key is needed. What was closed once stays closed, whatever becomes of the file of keys."""
        if not self._closed and self._may_close and self.ring:
            self._closed = True
        return self._closed

    async def caller(self, headers: dict[bytes, bytes]) -> Caller:
        """Who asks.

        Raises:
            Refused: nobody who may come in.
        """
        text = shown(headers)
        if not text:
            if self.closed:
                raise Refused("no key")
            return ANONYMOUS
        if not text.startswith("rf_") and self.verifier is not None:
            return await run_in_threadpool(self.verifier.caller, text)  # it may have to fetch the key set
        return self.ring.caller(text)


def charge(request: Request, more: int) -> None:
    """Count a batch as the requests that it holds.

    Args:
        request: that was let in.
        more: requests beside the one that it was counted as.

    Raises:
        HTTPException: 429, that is more than the key may ask.
    """
    caller, access = request.scope["state"]["caller"], request.app.state.access
    verdict = access.limiter.take(caller, more)
    if not verdict.allowed:
        wait = {"retry-after": _seconds(verdict.wait)}
        raise HTTPException(429, f"a batch counts as its {more + 1} requests: more than this key may ask", wait)


def shown(headers: dict[bytes, bytes]) -> str:
    """The key that a request shows: ``Authorization: Bearer``, ``X-API-Key``, or the console's cookie."""
    bearer = headers.get(b"authorization", b"").decode("latin-1")
    if bearer[:7].lower() == "bearer ":
        return bearer[7:].strip()
    if b"x-api-key" in headers:
        return headers[b"x-api-key"].decode("latin-1").strip()
    if b"cookie" in headers:
        try:
            found = SimpleCookie(headers[b"cookie"].decode("latin-1")).get(COOKIE)
        except CookieError:
            return ""
        return found.value if found else ""
    return ""


def role_of(method: str, path: str) -> str:
    """What a route asks for."""
    for verb, start, role in RULES:
        if verb in ("*", method) and (path == start or path.startswith(start + "/")):
            return role
    return ANYBODY


class Guard:
    """The layer around an application; see the module.

    Args:
        app: what is guarded.
        access: who may come in.
        registry: of the metrics.
        observed: told the route and the seconds of every request that was answered.
    """

    def __init__(
        self,
        app: ASGIApp,
        access: Access,
        registry: CollectorRegistry,
        observed: Callable[[str, float], None] = lambda route, seconds: None,
    ) -> None:
        self._app, self._access, self._observed = app, access, observed
        self._inside = 0
        labels = ["route", "status"]
        self._requests = Counter("refrain_http_requests", "Requests by route and status", labels, registry=registry)
        about = "Time to answer, by route"
        self._seconds = Histogram("refrain_http_request_seconds", about, ["route"], buckets=BUCKETS, registry=registry)
        self._refused = Counter("refrain_refusals", "Requests not let in, by reason", ["reason"], registry=registry)
        about = "Requests being answered"
        self._gauge = Gauge("refrain_http_inside", about, registry=registry, multiprocess_mode="livesum")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        headers = dict(scope["headers"])
        name = _request_id(headers.get(REQUEST_ID, b""))
        status, begun = 500, False

        async def sending(message: Message) -> None:
            nonlocal status, begun
            if message["type"] == "http.response.start":
                status, begun = message["status"], True
                told = {key for key, _ in message["headers"]}
                extra = [pair for pair in _HEADERS if pair[0] not in told]
                message["headers"] = [*message["headers"], (REQUEST_ID, name.encode()), *extra]
            await send(message)

        self._inside += 1
        self._gauge.inc()
        try:
            answer = self._unfit(scope, headers) or await self._not_let_in(scope, headers, name)
            if answer is not None:
                await answer(scope, receive, sending)
            else:
                await self._app(scope, _bounded(scope, receive), sending)
        except HTTPException as error:  # of a body that nobody but this layer read
            if not begun:
                await errors.problem(HTTPStatus(error.status_code), str(error.detail))(scope, receive, sending)
        except Exception:
            _log.exception("request %s failed", name)
            if not begun:
                detail = f"something went wrong here; the request is {name} in our log"
                await errors.problem(HTTPStatus.INTERNAL_SERVER_ERROR, detail)(scope, receive, sending)
        finally:
            self._inside -= 1
            self._gauge.dec()
            route = getattr(scope.get("route"), "path", "unknown")
            seconds = time.perf_counter() - started
            self._requests.labels(route, status).inc()
            self._seconds.labels(route).observe(seconds)
            if status < 400:
                self._observed(route, seconds)

    def _unfit(self, scope: Scope, headers: dict[bytes, bytes]) -> Response | None:
        """Why a request is not looked at; None if it is."""
        most = longest_body(scope["path"])
        if self._inside > MOST_INSIDE:
            self._refused.labels("full").inc()
            detail = f"{MOST_INSIDE} requests are being answered already"
            return _later(HTTPStatus.SERVICE_UNAVAILABLE, detail, 1.0)
        if headers.get(b"sec-fetch-site") == b"cross-site" and scope["method"] not in ("GET", "HEAD"):
            self._refused.labels("cross-site").inc()  # a page from elsewhere makes somebody's browser ask
            return errors.problem(HTTPStatus.FORBIDDEN, "not from a page of another site")
        if headers.get(b"content-encoding", b"identity").lower() not in (b"identity", b""):
            return errors.problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "bodies are taken as they are, not packed")
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length[:20]) > most:
            return errors.problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is longer than {most:,} bytes")
        return None

    async def _not_let_in(self, scope: Scope, headers: dict[bytes, bytes], name: str) -> Response | None:
        """Why a request goes no further; None if it may."""
        path = scope["path"]
        role = role_of(scope["method"], path)
        if role == OPEN:
            return None
        try:
            caller = await self._access.caller(headers)
        except Refused as error:
            self._written("refused", scope, name, key=error.key_id, reason=error.reason)
            self._refused.labels("key").inc()
            return _unknown(path)
        if role not in (ANYBODY, *caller.roles):
            self._written("refused", scope, name, key=caller.id, reason=f"without the role {role}")
            self._refused.labels("role").inc()
            return errors.problem(HTTPStatus.FORBIDDEN, f"this key does not have the role {role}", _KEYS)
        verdict = self._access.limiter.take(caller)
        if not verdict.allowed:
            self._refused.labels(verdict.reason).inc()
            detail = "as much as this key may ask a day" if verdict.reason == "quota" else "more than this key may ask"
            return _later(HTTPStatus.TOO_MANY_REQUESTS, detail, verdict.wait)
        if role in (ADMINISTER, READ_FEATURES):
            self._written("features" if role == READ_FEATURES else "administer", scope, name, key=caller.id)
        scope.setdefault("state", {})["caller"] = caller
        return None

    def _written(self, act: str, scope: Scope, name: str, **told: str) -> None:
        client = scope.get("client")
        address = client[0] if client else ""
        self._access.audit.put(
            act, request_id=name, method=scope["method"], path=scope["path"], address=address, **told
        )


def longest_body(path: str) -> int:
    """Bytes that a body may have."""
    return next((most for start, most in LONGEST_OF.items() if path.startswith(start)), LONGEST_BODY)


_KEYS = "python -m inference keys create NAME --role ROLE"


def _unknown(path: str) -> Response:
    """The same whatever is wrong with the key; people at a browser are asked for one."""
    if path == "/" or path.startswith("/console"):
        return RedirectResponse("/console/login", HTTPStatus.SEE_OTHER)
    answer = errors.problem(HTTPStatus.UNAUTHORIZED, "a valid key is needed: Authorization: Bearer rf_…", _KEYS)
    answer.headers["www-authenticate"] = "Bearer"
    return answer


def _later(status: HTTPStatus, detail: str, wait: float) -> Response:
    answer = errors.problem(status, detail, f"the same again in {wait:.1f} s")
    answer.headers["retry-after"] = _seconds(wait)
    return answer


def _seconds(wait: float) -> str:
    return str(max(1, int(wait + 0.999)))


def _request_id(told: bytes) -> str:
    """As the caller named the request, if that is a name; else a new one."""
    text = told.decode("latin-1")
    return text if re.fullmatch(r"[\w.-]{1,64}", text, re.ASCII) else uuid.uuid4().hex


def _bounded(scope: Scope, receive: Receive) -> Receive:
    """The body, no longer and no slower than it may be.

    Raises:
        HTTPException: 413 or 408, to whoever reads on.
    """
    most, length, ended = longest_body(scope["path"]), 0, False
    until = asyncio.get_running_loop().time() + SLOWEST_BODY

    async def receiving() -> Message:
        nonlocal length, ended
        if ended:  # what comes now is that the caller left
            return await receive()
        try:
            async with asyncio.timeout_at(until + length / 2**20):
                message = await receive()
        except TimeoutError as error:
            raise HTTPException(408, "the body did not arrive in time") from error
        length += len(message.get("body", b""))
        ended = not message.get("more_body", False)
        if length > most:
            raise HTTPException(413, f"the body is longer than {most:,} bytes")
        return message

    return receiving
