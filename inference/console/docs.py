"""The page ``/docs``: every route with its fields, an example as a command, and its answers; without scripts."""

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, Response

from inference.api.access import ANYBODY, OPEN, role_of
from inference.console.pages import Console


@dataclass(frozen=True)
class Field:
    """A field of a request.

    Attributes:
        name: its name; of a field inside another one, both with a dot.
        kind: type and bounds, in words.
        required: whether it must be given.
        about: its description.
    """

    name: str
    kind: str
    required: bool
    about: str


@dataclass(frozen=True)
class Route:
    """A route.

    Attributes:
        method: HTTP method.
        path: path with the names of its parameters.
        anchor: its place on the page, the operation id.
        about: description.
        role: role that a key needs; empty for none.
        fields: fields of the request.
        commands: an example each, ready to paste.
        answers: status → description.
    """

    method: str
    path: str
    anchor: str
    about: str
    role: str
    fields: tuple[Field, ...]
    commands: tuple[str, ...]
    answers: Mapping[str, str]


def install(app: FastAPI, console: Console) -> None:
    """Add the page."""

    @app.get("/docs", include_in_schema=False, response_class=HTMLResponse)
    def docs(request: Request) -> Response:
        document = app.openapi()
        documented = list(routes(document, str(request.base_url).rstrip("/"), is_open=not console.access.closed))
        return console.page(request, "docs.html", "Routes", about=document["info"]["description"], routes=documented)


def routes(document: Mapping[str, Any], address: str, *, is_open: bool) -> Iterator[Route]:
    """Yield all routes of an OpenAPI document.

    Args:
        document: the document.
        address: address of the server, for examples.
        is_open: whether the server needs no key.
    """
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            role = role_of(method.upper(), path)
            parameters = operation.get("parameters", ())
            fields = [_field(one["name"], one["schema"], True, document) for one in parameters]
            content = operation.get("requestBody", {}).get("content", {})
            schema = _resolve(content.get("application/json", {}).get("schema", {}), document)
            examples = schema.get("examples", [])
            header = "" if role == OPEN or is_open else " -H 'authorization: Bearer rf_…'"
            example_path = path
            for one in parameters:
                value = one["schema"].get("examples", [one["name"]])[0]
                example_path = example_path.replace(f"{{{one['name']}}}", str(value))
            url = shlex.quote(address + example_path)
            if "application/octet-stream" in content:
                commands = [f"curl{header} -H 'content-type: application/octet-stream' --data-binary @song.mp3 {url}"]
            elif content:
                commands = [
                    f"curl{header} -H 'content-type: application/json' {url} -d {shlex.quote(json.dumps(example))}"
                    for example in examples
                ]
            else:
                commands = [f"curl{header} {url}"]
            yield Route(
                method.upper(),
                path,
                operation["operationId"],
                operation.get("description", ""),
                "" if role == OPEN else "any" if role == ANYBODY else role,
                (*fields, *_fields(schema, document)),
                tuple(commands),
                {status: answer.get("description", "") for status, answer in sorted(operation["responses"].items())},
            )


def _fields(schema: Mapping[str, Any], document: Mapping[str, Any], within: str = "") -> Iterator[Field]:
    """Yield the fields of an object, and of the objects inside it."""
    for name, shape in schema.get("properties", {}).items():
        is_required = name in schema.get("required", ())
        yield _field(within + name, shape, is_required, document)
        inner = _resolve(shape, document)
        inner = _resolve(inner.get("items", inner), document)
        for part in inner.get("anyOf", [inner])[:1]:
            if not within and "properties" in part:
                yield from _fields(part, document, f"{name}.")


def _field(name: str, shape: Mapping[str, Any], is_required: bool, document: Mapping[str, Any]) -> Field:
    return Field(name, _kind(shape, document), is_required, shape.get("description", ""))


def _kind(shape: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    """Describe the type of a field and its bounds."""
    shape = _resolve(shape, document)
    if "anyOf" in shape:
        kinds = (_kind(part, document) for part in shape["anyOf"] if part.get("type") != "null")
        return " or ".join(dict.fromkeys(kinds))
    if "enum" in shape:
        return ", ".join(map(str, shape["enum"]))
    if "const" in shape:
        return str(shape["const"])
    kind = str(shape.get("format") or shape.get("type", "any"))
    if kind == "array":
        kind = f"list of {_kind(shape.get('items', {}), document)}"
    limits = [
        (shape.get("minimum"), shape.get("maximum"), ""),
        (shape.get("minLength"), shape.get("maxLength"), " characters"),
        (shape.get("minItems"), shape.get("maxItems"), " items"),
    ]
    for least, most, unit in limits:
        if most is not None:
            kind += f", {'' if least is None else f'{least:,} '}to {most:,}{unit}"
    return kind


def _resolve(shape: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    name = shape.get("$ref", "").removeprefix("#/components/schemas/")
    return document["components"]["schemas"][name] if name else shape
