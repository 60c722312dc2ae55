"""The page for an address that has none; programs get a problem."""

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from inference.api import errors
from inference.console.pages import Console


def install(app: FastAPI, console: Console) -> None:
    """Answer browsers with a page where there is none."""

    @app.exception_handler(HTTPException)
    def failed(request: Request, error: HTTPException) -> Response:
        if error.status_code == HTTPStatus.NOT_FOUND and _is_of_browser(request):
            return console.page(request, "not_found.html", "Not found", HTTPStatus.NOT_FOUND)
        return errors.of_exception(error)


def _is_of_browser(request: Request) -> bool:
    return not request.url.path.startswith("/v1/") and "text/html" in request.headers.get("accept", "")
