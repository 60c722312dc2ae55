"""Access control before every route: request id, key, role, rate limit, body size and body timeout; then metrics.

One plain ASGI layer: Starlette's middleware classes would cost each answer more time than the checks themselves.
"""

import logging
import re
import time
import uuid
from collections.abc import Callable, Iterable
from http import HTTPStatus

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from feature_repo.audit_lines import Detail
from feature_repo.errors import StoreError
from inference.api import errors
from inference.api.acts import request_fields
from inference.api.body import Bodies, Body, max_bytes
from inference.api.hosts import Hosts
from inference.api.places import MOST, Place, Places
from inference.monitoring.counters import labelled_counter
from inference.monitoring.logs import log_request
from inference.security.audit import AuditLog
from inference.security.caller import ADMINISTER, METRICS, PREDICT, READ_FEATURES, ROLES, SEND_EVENTS, Caller, Refused
from inference.security.keys import KeyRing
from inference.security.limits import Limiter
from inference.security.sessions import Sessions, session_token
from inference.security.tokens import TokenVerifier

OPEN, ANYBODY = "open", "anybody"
"""Roles of routes that need no key, and of routes that need a valid key of any role besides ``metrics``."""
RULES: tuple[tuple[str, str, str], ...] = (
    ("*", "/health", OPEN),
    ("*", "/live", OPEN),
    ("*", "/ready", OPEN),
    ("*", "/console/login", OPEN),
    ("*", "/console/style.css", OPEN),
    ("*", "/metrics", METRICS),
    ("GET", "/v1/experiments", ANYBODY),
    ("*", "/v1/experiments", ADMINISTER),
    ("*", "/v1/features", READ_FEATURES),
    ("*", "/v1/recommendations", PREDICT),
    ("*", "/v1/predictions", PREDICT),
    ("*", "/v1/encrypted", PREDICT),
    ("*", "/v1/forecasts", PREDICT),
    ("*", "/v1/anomalies", PREDICT),
    ("*", "/v1/text", PREDICT),
    ("*", "/v1/audio", PREDICT),
    ("*", "/v1/events", SEND_EVENTS),
    ("*", "/v1/feedback", SEND_EVENTS),
    ("*", "/console", PREDICT),
    ("*", "/", PREDICT),
)
"""Method, start of the path, role. The first rule that matches counts; routes without a rule need any valid key."""
ANONYMOUS = Caller("anonymous", "anonymous", "default", frozenset(ROLES) - {ADMINISTER}, limits=None)
"""The caller of requests while no key exists. Administration always needs a key."""

REQUEST_ID = b"x-request-id"
REFUSALS = ("key", "role", "rate", "quota", "full", "cross-site", "host")
"""Reasons for which a request is not let in."""
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_HEADERS = [(b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store")]
_log = logging.getLogger("refrain.http")


class Access:
    """Authenticates callers.

    Args:
        ring: the key ring.
        verifier: verifier of tokens; None without an identity provider.
        sessions: sessions of browsers.
        limiter: limiter of rates and quotas.
        audit: the audit log.
        mode: ``keys`` to require a key, ``open`` to require none, ``auto`` to require a key as soon as there is a key
            or an identity provider.
    """

    def __init__(
        self,
        ring: KeyRing,
        verifier: TokenVerifier | None,
        sessions: Sessions,
        limiter: Limiter,
        audit: AuditLog,
        mode: str = "auto",
    ) -> None:
        self.ring, self.verifier, self.limiter, self.audit = ring, verifier, limiter, audit
        self.sessions = sessions
        self._closed = mode == "keys" or (mode == "auto" and (verifier is not None or bool(ring)))
        self._closes_with_keys = mode == "auto"

    @property
    def closed(self) -> bool:
        """Whether a key is needed. Once closed, access stays closed, even if the file of keys disappears."""
        if not self._closed and self._closes_with_keys and self.ring:
            self._closed = True
        return self._closed

    async def caller(self, headers: dict[bytes, bytes]) -> Caller:
        """Authenticate the caller of a request.

        Raises:
            Refused: the key, token or session is missing or invalid.
        """
        text = presented_key(headers)
        if not text:
            session = session_token(headers)
            if session:
                try:
                    return self.sessions.caller(session)
                except Refused:
                    if self.closed:
                        raise
            if self.closed:
                raise Refused("no key")
            return ANONYMOUS
        if not text.startswith("rf_") and self.verifier is not None:
            return await run_in_threadpool(self.verifier.caller, text)  # it may have to fetch the key set
        return self.ring.caller(text)


def presented_key(headers: dict[bytes, bytes]) -> str:
    """Read the key of a request from ``Authorization: Bearer`` or ``X-API-Key``; else empty."""
    bearer = headers.get(b"authorization", b"").decode("latin-1")
    if bearer[:7].lower() == "bearer ":
        return bearer[7:].strip()
    if b"x-api-key" in headers:
        return headers[b"x-api-key"].decode("latin-1").strip()
    return ""


def role_of(method: str, path: str) -> str:
    """Find the role that a route needs."""
    for verb, start, role in RULES:
        if verb in ("*", method) and (path == start or (start != "/" and path.startswith(start + "/"))):
            return role
    return ANYBODY


def _may(caller: Caller, role: str) -> bool:
    """Whether a caller may use routes of a role."""
    return bool(caller.roles - {METRICS}) if role == ANYBODY else role in caller.roles


def is_operation(path: str) -> bool:
    """Whether a path is of a route for probes and scrapers, whose failures are not those of a user."""
    return path in ("/health", "/live", "/ready", "/metrics")


class Guard:
    """The ASGI layer around an application; see the module.

    Args:
        app: the guarded application.
        access: authentication of callers.
        registry: registry of the metrics.
        hosts: names under which the server may be asked.
        on_answer: called with the route and the response time in seconds of every successful request.
    """

    def __init__(
        self,
        app: ASGIApp,
        access: Access,
        registry: CollectorRegistry,
        hosts: Hosts,
        on_answer: Callable[[str, float], None] = lambda route, seconds: None,
    ) -> None:
        self._app, self._access, self._hosts, self._on_answer = app, access, hosts, on_answer
        self._places, self._bodies = Places(), Bodies()
        labels = ["route", "status"]
        self._requests = Counter("refrain_http_requests", "Requests by route and status", labels, registry=registry)
        about = "Time to answer, by route"
        self._seconds = Histogram("refrain_http_request_seconds", about, ["route"], buckets=BUCKETS, registry=registry)
        about = "Requests not let in, by reason"
        self._refused = labelled_counter(registry, "refrain_refusals", about, "reason", REFUSALS)
        about = "Requests that failed with a status of 5xx, by cause"
        self._failures = labelled_counter(registry, "refrain_http_failures", about, "cause", errors.CAUSES)
        about = "Requests being answered"
        self._gauge = Gauge("refrain_http_inside", about, registry=registry, multiprocess_mode="livesum")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        headers = dict(scope["headers"])
        request_id = _request_id(headers.get(REQUEST_ID, b""))
        status, response_started = 500, False

        async def send_with_headers(message: Message) -> None:
            nonlocal status, response_started
            if message["type"] == "http.response.start":
                status, response_started = message["status"], True
                names = {key for key, _ in message["headers"]}
                extra = [pair for pair in _HEADERS if pair[0] not in names]
                sent = _relative(message["headers"]) if 300 <= status < 400 else message["headers"]
                message["headers"] = [*sent, (REQUEST_ID, request_id.encode()), *extra]
            await send(message)

        self._gauge.inc()
        place = Place(self._places, scope["path"])
        body = Body(scope["path"], receive, self._bodies, place)
        try:
            rejection = (
                self._reject_malformed(scope, headers)
                or self._reject_if_full(place)
                or await self._authorize(scope, headers, request_id)
            )
            if rejection is not None:
                await rejection(scope, receive, send_with_headers)
            else:
                await self._app(scope, body.receive, send_with_headers)
        except HTTPException as error:  # from a body that only this layer read
            if not response_started:
                await errors.of_exception(error)(scope, receive, send_with_headers)
        except Exception:
            _log.exception("request %s failed", request_id)
            if not response_started:
                detail = f"internal error; the log of the service has the details under the request id {request_id}"
                await errors.problem(HTTPStatus.INTERNAL_SERVER_ERROR, detail)(scope, receive, send_with_headers)
        finally:
            place.leave()
            body.release()
            self._gauge.dec()
            route = getattr(scope.get("route"), "path", "unknown")
            seconds = time.perf_counter() - started
            self._requests.labels(route, status).inc()
            self._seconds.labels(route).observe(seconds)
            log_request(scope, request_id, route, status, seconds)
            if status >= 500 and not is_operation(scope["path"]):
                self._failures.labels(errors.cause_of(scope, status)).inc()
            if status < 400:
                self._on_answer(route, seconds)

    def _reject_malformed(self, scope: Scope, headers: dict[bytes, bytes]) -> Response | None:
        """Return the error response to a request that is rejected without authentication; None if it is acceptable."""
        most_bytes = max_bytes(scope["path"])
        if not self._hosts.accepts(headers.get(b"host")) or sum(name == b"host" for name, _ in scope["headers"]) > 1:
            self._refused.labels("host").inc()
            detail = "this server has another name than the header Host says"
            return errors.problem(HTTPStatus.MISDIRECTED_REQUEST, detail, "refrain serve --host-name NAME")
        if headers.get(b"sec-fetch-site") == b"cross-site" and scope["method"] not in ("GET", "HEAD"):
            self._refused.labels("cross-site").inc()  # request forgery by a page of another site
            return errors.problem(HTTPStatus.FORBIDDEN, "requests from pages of other sites are not allowed")
        if headers.get(b"content-encoding", b"identity").lower() not in (b"identity", b""):
            return errors.problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "compressed bodies are not supported")
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length[:20]) > most_bytes:
            return errors.problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is longer than {most_bytes:,} bytes")
        return None

    def _reject_if_full(self, place: Place) -> Response | None:
        """Return the error response if no place is free; None if the request has one."""
        if place.take():
            return None
        self._refused.labels("full").inc()
        detail = f"{MOST} requests, or too many of this kind, are being answered already"
        return _retry_later(HTTPStatus.SERVICE_UNAVAILABLE, detail, 1.0)

    async def _authorize(self, scope: Scope, headers: dict[bytes, bytes], request_id: str) -> Response | None:
        """Check key, role and limits; return the error response, or None if the request may proceed."""
        path = scope["path"]
        role = role_of(scope["method"], path)
        if role == OPEN:
            return None
        try:
            caller = await self._access.caller(headers)
        except Refused as error:
            self._audit("refused", scope, request_id, key=error.key_id, reason=error.reason)
            self._refused.labels("key").inc()
            return _unauthorized(path)
        scope.setdefault("state", {}).update(caller=caller, request_id=request_id)
        if not _may(caller, role):
            self._audit("refused", scope, request_id, key=caller.id, reason=f"without the role {role}")
            self._refused.labels("role").inc()
            return errors.problem(HTTPStatus.FORBIDDEN, f"this key does not have the role {role}", _CREATE_KEY)
        verdict = await self._access.limiter.take(caller)
        if not verdict.allowed:
            self._refused.labels(verdict.reason).inc()
            detail = f"the {'daily quota' if verdict.reason == 'quota' else 'rate limit'} of this key is exceeded"
            return _retry_later(HTTPStatus.TOO_MANY_REQUESTS, detail, verdict.wait)
        if role == ADMINISTER:  # reads of features are written down by their route, with whose rows they are
            try:
                self._audit("administer", scope, request_id, key=caller.id)
            except StoreError as error:
                return errors.failure(scope, error)
        return None

    def _audit(self, act: str, scope: Scope, request_id: str, **fields: Detail) -> None:
        self._access.audit.put(act, **request_fields(scope, request_id), **fields)


_CREATE_KEY = "refrain keys create NAME --role ROLE"


def _unauthorized(path: str) -> Response:
    """Respond to any invalid key in the same way; browsers are redirected to the login page."""
    if path == "/" or path.startswith("/console"):
        return RedirectResponse("/console/login", HTTPStatus.SEE_OTHER)
    response = errors.problem(HTTPStatus.UNAUTHORIZED, "a valid key is needed: Authorization: Bearer rf_…", _CREATE_KEY)
    response.headers["www-authenticate"] = "Bearer"
    return response


def _relative(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Name the target of a redirection by its path alone, so that no host of the request is repeated."""
    return [
        (name, re.sub(rb"^https?://[^/]*", b"", value) or b"/") if name == b"location" else (name, value)
        for name, value in headers
    ]


def _retry_later(status: HTTPStatus, detail: str, wait_s: float) -> Response:
    response = errors.problem(status, detail, f"try again in {wait_s:.1f} s")
    response.headers.update(errors.retry_after(wait_s))
    return response


def _request_id(header: bytes) -> str:
    """Return the caller's request id if it is well-formed, else a new one."""
    text = header.decode("latin-1")
    return text if re.fullmatch(r"[\w.-]{1,64}", text, re.ASCII) else uuid.uuid4().hex
