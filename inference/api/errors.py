"""Errors as RFC 9457 problem details."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from feature_repo.errors import InputError, RefrainError
from inference.api.schemas import Problem
from inference.forecast.forecaster import UnknownKey

SEE_DOCS = "see /docs for what a request looks like"
_TOLD = {"application/problem+json": {"schema": Problem.model_json_schema()}}
RESPONSES: dict[int | str, dict[str, Any]] = {
    404: {"content": _TOLD, "description": "nothing is known of the key"},
    413: {"content": _TOLD, "description": "the body is too long"},
    422: {"content": _TOLD, "description": "the request is not what it should be"},
    503: {"content": _TOLD, "description": "the online store does not answer, or a model cannot be served"},
}


def install(app: FastAPI) -> None:
    """Answer every error of an application as a problem."""

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "; ".join(map(_told, error.errors())), SEE_DOCS)

    @app.exception_handler(HTTPException)
    def refused(request: Request, error: HTTPException) -> JSONResponse:
        return problem(HTTPStatus(error.status_code), str(error.detail), SEE_DOCS)

    @app.exception_handler(RefrainError)
    def failed(request: Request, error: RefrainError) -> JSONResponse:
        if isinstance(error, UnknownKey):
            return problem(HTTPStatus.NOT_FOUND, f"expected {error.expected}; found {error.found}", error.next_command)
        if isinstance(error, InputError):
            return problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"expected {error.expected}; found {error.found}", SEE_DOCS)
        return problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            f"expected {error.expected}; found {error.found}",
            error.next_command,
        )


def problem(status: HTTPStatus, detail: str, next_step: str) -> JSONResponse:
    """One problem as a response."""
    body = Problem(title=status.phrase, status=status, detail=detail, next=next_step)
    return JSONResponse(body.model_dump(), status, media_type="application/problem+json")


def _told(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"] if part != "body")
    return f"{where or 'body'}: {error['msg']}"
