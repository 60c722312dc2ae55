"""Errors as RFC 9457 problem details."""

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import Scope

from feature_repo.errors import (
    AccessError,
    BundleError,
    ConsentError,
    InputError,
    NotPromoted,
    ProjectError,
    RefrainError,
    StoreError,
)
from feature_repo.extras import MissingExtra, missing_extra
from inference.api.schemas.common import Problem
from inference.api.schemas.events import RefusedEvent, RefusedEventsProblem
from inference.forecast.forecaster import UnknownKey
from inference.public_text import describe, next_step

SEE_DOCS = "see /docs for what a request looks like"
MAX_ERRORS = 10
"""Maximum number of validation errors listed for one request."""
CAUSES = ("internal", "store", "model", "not promoted", "not installed", "busy")
"""Causes of answers with a status of 5xx. Two are a state of the service and no failure: a model that was never
promoted, and an extra that is not installed."""
_log = logging.getLogger("refrain.http")
_PROBLEM_CONTENT = {"application/problem+json": {"schema": Problem.model_json_schema()}}
OF_EVERY_ROUTE: dict[int | str, dict[str, Any]] = {
    400: {"content": _PROBLEM_CONTENT, "description": "the request, or its body, cannot be parsed"},
    421: {"content": _PROBLEM_CONTENT, "description": "this server has another name than the header Host says"},
    431: {"content": _PROBLEM_CONTENT, "description": "the header is too long"},
}
"""Answers that every route may give, by status."""
OPEN_PATHS = ("/health", "/live", "/ready")
"""Routes that are asked without a key."""
RESPONSES: dict[int | str, dict[str, Any]] = {
    **OF_EVERY_ROUTE,
    401: {"content": _PROBLEM_CONTENT, "description": "a valid key is needed"},
    403: {
        "content": _PROBLEM_CONTENT,
        "description": "the key does not have the role, or is held back for asking systematically, the role does not "
        "see it, or people have not consented",
    },
    408: {"content": _PROBLEM_CONTENT, "description": "the body did not arrive in time"},
    404: {"content": _PROBLEM_CONTENT, "description": "nothing is known of the key"},
    413: {"content": _PROBLEM_CONTENT, "description": "the body is too long"},
    415: {"content": _PROBLEM_CONTENT, "description": "the body is compressed or has another type"},
    422: {"content": _PROBLEM_CONTENT, "description": "the request is invalid"},
    429: {
        "content": _PROBLEM_CONTENT,
        "description": "a limit of the key, or a budget of distinct questions, is exceeded; Retry-After says when to "
        "try again",
    },
    503: {
        "content": _PROBLEM_CONTENT,
        "description": "the online store does not answer, a model cannot be served, or an extra is not installed",
    },
}


def install(app: FastAPI) -> None:
    """Make an application answer every error with a problem."""

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, "; ".join(map(_describe, error.errors()[:MAX_ERRORS])), SEE_DOCS
        )

    @app.exception_handler(HTTPException)
    def refused(request: Request, error: HTTPException) -> JSONResponse:
        return of_exception(error)

    @app.exception_handler(RefrainError)
    def failed(request: Request, error: RefrainError) -> JSONResponse:
        return failure(request.scope, error)

    @app.exception_handler(ModuleNotFoundError)
    def not_installed(request: Request, error: ModuleNotFoundError) -> JSONResponse:
        missing = missing_extra(error)
        if missing is None:
            raise error
        return failure(request.scope, missing)


def failure(scope: Scope, error: RefrainError) -> JSONResponse:
    """Build the response for an error, and record the cause of a failure for the metrics."""
    body = to_problem(error)
    if body.status >= 500:
        scope.setdefault("state", {})["cause"] = _cause(error)
    return response(body)


def cause_of(scope: Scope, status: int) -> str:
    """Return which of ``CAUSES`` made a request fail.

    >>> cause_of({"state": {"cause": "store"}}, 503), cause_of({}, 503), cause_of({}, 500)
    ('store', 'busy', 'internal')
    """
    cause = scope.get("state", {}).get("cause")
    return cause or ("busy" if status == 503 else "internal")


def _cause(error: RefrainError) -> str:
    kinds = {NotPromoted: "not promoted", MissingExtra: "not installed", BundleError: "model", StoreError: "store"}
    return next((cause for kind, cause in kinds.items() if isinstance(error, kind)), "internal")


def to_problem(error: RefrainError) -> Problem:
    """Turn an error into a problem without internal paths and addresses."""
    if isinstance(error, UnknownKey):
        status, step = HTTPStatus.NOT_FOUND, next_step(error)
    elif isinstance(error, ConsentError | AccessError):
        status, step = HTTPStatus.FORBIDDEN, next_step(error)
    elif isinstance(error, InputError) and not isinstance(error, ProjectError):
        status, step = HTTPStatus.UNPROCESSABLE_ENTITY, SEE_DOCS
    else:
        status, step = HTTPStatus.SERVICE_UNAVAILABLE, next_step(error)
        _log.warning("%s", error)
    return Problem(title=status.phrase, status=status, detail=describe(error), next=step)


REFUSED_EVENTS: dict[int | str, dict[str, Any]] = {
    422: {
        "content": {
            "application/problem+json": {
                "schema": {"anyOf": [RefusedEventsProblem.model_json_schema(), Problem.model_json_schema()]}
            }
        },
        "description": "the request is invalid, or all of its events are: each with its place and the reason",
    }
}
"""The answer of routes that take events, if none of them is accepted."""


def problem(status: HTTPStatus, detail: str, step: str = SEE_DOCS) -> JSONResponse:
    """Build the response for a problem from its parts: a detail, and the next step."""
    return response(Problem(title=status.phrase, status=status, detail=detail, next=step))


def of_exception(error: HTTPException) -> JSONResponse:
    """Build the response for an exception that carries its status."""
    answer = response(exception_to_problem(error))
    answer.headers.update(error.headers or {})
    return answer


def exception_to_problem(error: HTTPException) -> Problem:
    """Turn an exception that carries its status into a problem."""
    status = HTTPStatus(error.status_code)
    return Problem(title=status.phrase, status=status, detail=str(error.detail), next=SEE_DOCS)


def all_refused(detail: str, refused: list[RefusedEvent]) -> JSONResponse:
    """Build the response to a request whose events were all refused."""
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    return response(
        RefusedEventsProblem(
            title=status.phrase, status=status, detail=detail, next=SEE_DOCS, accepted=0, refused=refused
        )
    )


def retry_after(wait_s: float) -> dict[str, str]:
    """Return the header that says when to try again: whole seconds, at least one.

    >>> retry_after(0.0), retry_after(1.2)
    ({'retry-after': '1'}, {'retry-after': '2'})
    """
    return {"retry-after": str(max(1, int(wait_s + 0.999)))}


def response(body: Problem) -> JSONResponse:
    """Build the response for a problem."""
    return JSONResponse(body.model_dump(), body.status, media_type="application/problem+json")


def _describe(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"] if part != "body")[:200]
    return f"{where or 'body'}: {error['msg']}"
