"""A request to every route of an OpenAPI document, made of its examples."""

import io
import wave
from collections.abc import Iterator
from typing import Any

PARTS = {"service": "listener_v1", "model": "churn_model", "name": "nothing"}
"""Part of a path → a value."""


def requests(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yields method, path and options of one request to each route of an OpenAPI document, from its examples."""
    for path, routes in document["paths"].items():
        for method, route in routes.items():
            options: dict[str, Any] = {}
            content = route.get("requestBody", {}).get("content", {})
            if "application/json" in content:
                options["json"] = _example(content["application/json"]["schema"], document)
            elif content:
                options["headers"] = {"content-type": next(iter(content))}
                options["content"] = a_sound()
            yield method, path.format(**PARTS), options


def _example(schema: dict[str, Any], document: dict[str, Any]) -> Any:
    schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    return schema["examples"][0] if "examples" in schema else {}


def a_sound() -> bytes:
    """Two seconds of a quiet square wave."""
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setparams((1, 2, 8_000, 0, "NONE", ""))
        file.writeframes((b"\x00\x10" * 20 + b"\x00\xf0" * 20) * 400)
    return content.getvalue()
