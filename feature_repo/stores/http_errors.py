"""HTTP status codes of Feast's Python server (`feast serve`): 4xx for client errors, 503 for an unavailable store.

Feast 0.67 answers 500 for every error that is not its own: a missing join key, an unknown feature, a text in place of a
number, a push without a column. Feast's own errors keep their codes.
"""

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from feast import feature_server
from feast.errors import (
    FeastError,
    FeatureNameCollisionError,
    RequestDataNotFoundInEntityRowsException,
    SpecifiedFeaturesNotPresentError,
)

from feature_repo.errors import InputError, OnlineUnavailable

UNPROCESSABLE, BROKEN, UNAVAILABLE = 422, 500, 503

_REQUEST_ERRORS = (
    FeatureNameCollisionError,
    RequestDataNotFoundInEntityRowsException,
    SpecifiedFeaturesNotPresentError,
)
"""Errors of Feast with code 500 that are caused by the request."""

_VALUE_ERRORS = (AssertionError, KeyError, TypeError, ValueError, OverflowError)
"""Errors that Feast, pandas and Arrow raise for an invalid body. Arrow's errors are subclasses of these."""

logger = logging.getLogger(__name__)


def install(settings: type) -> None:
    """Patches Feast so that servers on the packed online store use these status codes. Idempotent.

    Args:
        settings: configuration class that identifies the packed online store.
    """
    make_app = feature_server.get_app
    if not hasattr(make_app, "__wrapped__"):
        feature_server.get_app = _wrap_get_app(make_app, settings)


def code_of(error: Exception, method: str = "POST") -> int:
    """Returns the HTTP status of an error.

    Args:
        error: the error that a request raised.
        method: HTTP method. Value errors count as client errors only for POST, which has a body.
    """
    if isinstance(error, (InputError, *_REQUEST_ERRORS)):
        return UNPROCESSABLE
    if isinstance(error, OnlineUnavailable):
        return UNAVAILABLE
    if isinstance(error, FeastError):
        return error.http_status_code()
    return UNPROCESSABLE if isinstance(error, _VALUE_ERRORS) and method == "POST" else BROKEN


def _wrap_get_app(make_app: Callable[..., FastAPI], settings: type) -> Callable[..., FastAPI]:
    @wraps(make_app)
    def get_app(store: Any, *args: Any, **kwargs: Any) -> FastAPI:
        app = make_app(store, *args, **kwargs)
        if isinstance(store.config.online_store, settings):
            for kind in (InputError, OnlineUnavailable, *_REQUEST_ERRORS, *_VALUE_ERRORS):
                app.add_exception_handler(kind, _respond)
        return app

    return get_app


def _respond(request: Request, error: Exception) -> JSONResponse:
    code = code_of(error, request.method)
    if code == BROKEN:
        logger.exception("%s %s", request.method, request.url.path, exc_info=error)
    else:
        logger.warning("%s %s: %s %s", request.method, request.url.path, code, error)
    content = error.to_error_detail() if isinstance(error, FeastError) else str(error)
    return JSONResponse(status_code=code, content=content)
