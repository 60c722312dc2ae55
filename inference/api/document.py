"""What all routes share in the OpenAPI document: keys, and answers that are given before a route is reached."""

from typing import Any

from fastapi import FastAPI

from inference.api import errors


def install(app: FastAPI) -> None:
    """Describe how a key is sent, that it is optional while no key exists, and the answers of every route."""
    generate = app.openapi

    def document() -> dict[str, Any]:
        schema = generate()
        schema["components"]["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        }
        schema["security"] = [{"bearer": []}, {"header": []}, {}]
        for path, operations in schema["paths"].items():
            for operation in operations.values():
                before = errors.OF_EVERY_ROUTE if path in errors.OPEN_PATHS else errors.RESPONSES
                for status, response in before.items():
                    if status not in (404, 422):
                        operation["responses"].setdefault(str(status), response)
        return schema

    app.openapi = document  # type: ignore[method-assign]
