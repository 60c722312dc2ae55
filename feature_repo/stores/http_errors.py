"""Feast's Python server (`feast serve`) on our online store: a client's mistake is a 4xx, a store that is away a 503.

Feast 0.67 answers 500 to whatever is not an error of its own: a missing join key, an unknown feature, a text where a
number belongs, a push without a column. Its own errors keep the code that they have.
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

_OF_CLIENTS = (FeatureNameCollisionError, RequestDataNotFoundInEntityRowsException, SpecifiedFeaturesNotPresentError)
"""Errors of Feast that say 500 and are about the request."""

_OF_VALUES = (AssertionError, KeyError, TypeError, ValueError, OverflowError)
"""What Feast, pandas and Arrow raise when a body does not fit; an error of Arrow is one of them, too."""

logger = logging.getLogger(__name__)


def install(settings: type) -> None:
    """Have every server that Feast makes of one of our stores answer so. Again does nothing.

    Args:
        settings: class of the settings by which our online store is known.
    """
    make = feature_server.get_app
    if not hasattr(make, "__wrapped__"):
        feature_server.get_app = _with_codes(make, settings)


def code_of(error: Exception, method: str = "POST") -> int:
    """HTTP status of an error.

    Args:
        error: that a request ended in.
        method: of the request; one without a body is not to blame for values.
    """
    if isinstance(error, (InputError, *_OF_CLIENTS)):
        return UNPROCESSABLE
    if isinstance(error, OnlineUnavailable):
        return UNAVAILABLE
    if isinstance(error, FeastError):
        return error.http_status_code()
    return UNPROCESSABLE if isinstance(error, _OF_VALUES) and method == "POST" else BROKEN


def _with_codes(make: Callable[..., FastAPI], settings: type) -> Callable[..., FastAPI]:
    @wraps(make)
    def get_app(store: Any, *arguments: Any, **named: Any) -> FastAPI:
        app = make(store, *arguments, **named)
        if isinstance(store.config.online_store, settings):
            for kind in (InputError, OnlineUnavailable, *_OF_CLIENTS, *_OF_VALUES):
                app.add_exception_handler(kind, _answer)
        return app

    return get_app


def _answer(request: Request, error: Exception) -> JSONResponse:
    code = code_of(error, request.method)
    if code == BROKEN:
        logger.exception("%s %s", request.method, request.url.path, exc_info=error)
    else:
        logger.warning("%s %s: %s %s", request.method, request.url.path, code, error)
    content = error.to_error_detail() if isinstance(error, FeastError) else str(error)
    return JSONResponse(status_code=code, content=content)
