"""Errors as RFC 9457 problem details."""

import logging
import re
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from feature_repo.errors import InputError, RefrainError
from inference.api.schemas.common import Problem
from inference.forecast.forecaster import UnknownKey

SEE_DOCS = "see /docs for what a request looks like"
MOST_TOLD = 10
"""Things that are wrong with one request."""
_PATH = re.compile(r"(?<![\w/…])/(?:[\w.@+=-]+/)+[\w.@+=-]*")
_ADDRESS = re.compile(r"\b(?:\d{1,3}(?:\.\d{1,3}){3}|[\w-]+(?:\.[\w-]+)+):\d{2,5}\b")
_log = logging.getLogger("refrain.http")
_TOLD = {"application/problem+json": {"schema": Problem.model_json_schema()}}
RESPONSES: dict[int | str, dict[str, Any]] = {
    401: {"content": _TOLD, "description": "a valid key is needed"},
    403: {"content": _TOLD, "description": "the key does not have the role"},
    408: {"content": _TOLD, "description": "the body did not arrive in time"},
    404: {"content": _TOLD, "description": "nothing is known of the key"},
    413: {"content": _TOLD, "description": "the body is too long"},
    415: {"content": _TOLD, "description": "the body is packed, or of another type"},
    422: {"content": _TOLD, "description": "the request is not what it should be"},
    429: {"content": _TOLD, "description": "more than the key may ask; Retry-After says when to come again"},
    503: {"content": _TOLD, "description": "the online store does not answer, or a model cannot be served"},
}


def install(app: FastAPI) -> None:
    """Answer every error of an application as a problem."""

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "; ".join(map(_invalid, error.errors()[:MOST_TOLD])), SEE_DOCS)

    @app.exception_handler(HTTPException)
    def refused(request: Request, error: HTTPException) -> JSONResponse:
        answer = problem(HTTPStatus(error.status_code), str(error.detail), SEE_DOCS)
        answer.headers.update(error.headers or {})
        return answer

    @app.exception_handler(RefrainError)
    def failed(request: Request, error: RefrainError) -> JSONResponse:
        return response(told(error))


def told(error: RefrainError) -> Problem:
    """The problem that stands for an error; where things lie in here is not told."""
    if isinstance(error, UnknownKey):
        status, follows = HTTPStatus.NOT_FOUND, error.next_command
    elif isinstance(error, InputError):
        status, follows = HTTPStatus.UNPROCESSABLE_ENTITY, SEE_DOCS
    else:
        status, follows = HTTPStatus.SERVICE_UNAVAILABLE, error.next_command
        _log.warning("%s", error)
    detail = f"expected {error.expected}; found {error.found}"
    return Problem(title=status.phrase, status=status, detail=_public(detail), next=_public(follows))


def _public(text: str) -> str:
    """Without paths and addresses of ours."""
    return _ADDRESS.sub("…", _PATH.sub("…", text))


def problem(status: HTTPStatus, detail: str, next_step: str = SEE_DOCS) -> JSONResponse:
    """One problem as a response."""
    return response(Problem(title=status.phrase, status=status, detail=detail, next=next_step))


def response(body: Problem) -> JSONResponse:
    """A problem as a response."""
    return JSONResponse(body.model_dump(), body.status, media_type="application/problem+json")


def _invalid(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"] if part != "body")[:200]
    return f"{where or 'body'}: {error['msg']}"
