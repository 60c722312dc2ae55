"""Errors of the client, each with the title, the detail and the next command of the service's problem (RFC 9457)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import msgspec

LONGEST_TEXT = 300
"""Maximum characters of an answer that is no problem, in the detail of an error."""


class Problem(msgspec.Struct, frozen=True):
    """An error as the service describes it.

    Attributes:
        title: name of the status.
        status: HTTP status.
        detail: what was expected and what was found.
        next: what to do next.
    """

    title: str
    status: int
    detail: str
    next: str
    type: str = "about:blank"


class ApiError(Exception):
    """A request that has no answer.

    Attributes:
        title: name of the status, such as ``Forbidden``.
        detail: what was expected and what was found.
        next_command: what to do next; empty if nobody knows.
        status: HTTP status; None if nothing answered.
        request_id: identifier of the request in the logs of the service; empty if there is none.
        retry_after: seconds after which the service wants to be asked again; None if it does not say.

    >>> from refrain.client import Client
    >>> from refrain.client.errors import ApiError
    >>> try:                                                                           # doctest: +SKIP
    ...     Client("http://127.0.0.1:8000").predict("churn_model", {"user_id": ["u000042"]})
    ... except ApiError as error:
    ...     print(error.detail, error.next_command)
    """

    def __init__(
        self,
        *,
        title: str,
        detail: str,
        next_command: str = "",
        status: int | None = None,
        request_id: str = "",
        retry_after: float | None = None,
    ) -> None:
        self.title, self.detail, self.next_command, self.status = title, detail, next_command, status
        self.request_id, self.retry_after = request_id, retry_after
        heading = title if status is None else f"{status} {title}"
        super().__init__(f"{heading}: {detail}" + (f"; next: {next_command}" if next_command else ""))

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), dict(vars(self)))


def _rebuild(kind: type[ApiError], fields: dict[str, Any]) -> ApiError:
    return kind(**fields)


class Unauthorized(ApiError):
    """401: the service needs a key, and this one is missing or not valid."""


class Forbidden(ApiError):
    """403: the key does not have the role of the route."""


class NotFound(ApiError):
    """404: there is no such model, feature service, experiment or key."""


class InvalidRequest(ApiError):
    """400, 405, 408, 413, 415 or 422: the request is not valid; another attempt would fail as well."""


class TooManyRequests(ApiError):
    """429: the rate limit or the quota of the key is exceeded, also after the retries."""


class Unavailable(ApiError):
    """502, 503 or 504: the online store does not answer, or no model is promoted; also after the retries."""


class Unreachable(Unavailable):
    """Nothing answered: no connection, or no answer in time."""


class ServerFault(ApiError):
    """Another status from 500 on: a fault of the service, which its log explains under the request id."""


class UnexpectedAnswer(ApiError):
    """The answer is not one of this API: another service or a proxy answered, or one of another version."""


_CLASSES: dict[int, type[ApiError]] = {
    HTTPStatus.UNAUTHORIZED: Unauthorized,
    HTTPStatus.FORBIDDEN: Forbidden,
    HTTPStatus.NOT_FOUND: NotFound,
    HTTPStatus.TOO_MANY_REQUESTS: TooManyRequests,
    HTTPStatus.BAD_GATEWAY: Unavailable,
    HTTPStatus.SERVICE_UNAVAILABLE: Unavailable,
    HTTPStatus.GATEWAY_TIMEOUT: Unavailable,
}


def class_of(status: int) -> type[ApiError]:
    """Returns the class of the error for a status.

    >>> class_of(422).__name__, class_of(418).__name__, class_of(500).__name__, class_of(302).__name__
    ('InvalidRequest', 'InvalidRequest', 'ServerFault', 'UnexpectedAnswer')
    """
    if status in _CLASSES:
        return _CLASSES[status]
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return ServerFault
    return InvalidRequest if status >= HTTPStatus.BAD_REQUEST else UnexpectedAnswer


def error_of(status: int, body: bytes, headers: Mapping[str, str]) -> ApiError:
    """Makes the error for an answer with a status that is not a success."""
    try:
        problem = msgspec.json.decode(body, type=Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        text = body.decode(errors="replace").strip()[:LONGEST_TEXT]
        problem = Problem(_phrase(status), status, text or "an answer without a text", "")
    return class_of(status)(
        title=problem.title,
        detail=problem.detail,
        next_command=problem.next,
        status=status,
        request_id=headers.get("x-request-id", ""),
        retry_after=seconds_of(headers.get("retry-after", ""), datetime.now(UTC)),
    )


def error_of_problem(problem: Problem) -> ApiError:
    """Makes the error for the problem of one request in a batch."""
    return class_of(problem.status)(
        title=problem.title, detail=problem.detail, next_command=problem.next, status=problem.status
    )


def seconds_of(retry_after: str, now: datetime) -> float | None:
    """Reads the header ``Retry-After``: seconds, or a date; None if it is neither.

    >>> seconds_of("3", datetime(2026, 1, 1, tzinfo=UTC))
    3.0
    >>> seconds_of("Thu, 01 Jan 2026 00:00:05 GMT", datetime(2026, 1, 1, tzinfo=UTC))
    5.0
    """
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        at = parsedate_to_datetime(retry_after)
    except (TypeError, ValueError):
        return None
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds())


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "unknown status"
