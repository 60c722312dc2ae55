"""The OpenAPI document of a project without music: its own examples, and no routes of music."""

from typing import Any

from fastapi import FastAPI

from feature_repo.contract import contract_of
from feature_repo.errors import StoreError
from feature_repo.home import Home
from feature_repo.manifest import load_keys

MUSIC_TAGS = {"recommendation", "forecasting", "anomaly", "experiments", "text", "audio"}
MUSIC_PATHS = {"/v1/feedback"}
"""Routes that need the definitions or models of music. They answer with an error that says so."""


def install(app: FastAPI, home: Home) -> None:
    """Changes what ``/docs`` and ``/openapi.json`` show.

    Args:
        app: the application, with all routes.
        home: the data folder.
    """
    generate = app.openapi

    def document() -> dict[str, Any]:
        schema = generate()
        schema["info"]["description"] = f"Features, predictions and events of {contract_of(home).project.name}."
        schema["paths"] = {
            path: methods
            for path, methods in schema["paths"].items()
            if path not in MUSIC_PATHS and not any(MUSIC_TAGS & set(each.get("tags", ())) for each in methods.values())
        }
        for methods in schema["paths"].values():
            for operation in methods.values():
                _drop_examples(operation.get("parameters", []))
        for name, shape in schema["components"]["schemas"].items():
            _drop_examples(shape)
            if name == "FeaturesRequest" and (keys := _keys(home)):
                shape["examples"] = [{"keys": {key: ["an id"] for key in keys}}]
        return schema

    app.openapi = document  # type: ignore[method-assign]


def _keys(home: Home) -> list[str]:
    """Returns the keys of the first service; none while nothing is applied."""
    try:
        return next(iter(load_keys(home).values()), [])
    except StoreError:
        return []


def _drop_examples(shape: Any) -> None:
    if isinstance(shape, dict):
        shape.pop("examples", None)
        for part in shape.values():
            _drop_examples(part)
    elif isinstance(shape, list):
        for part in shape:
            _drop_examples(part)
