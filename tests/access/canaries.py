"""Values that nothing else has, planted online as the features of one person."""

import json
from typing import Any

import pyarrow as pa

from feature_repo.home import Home
from feature_repo.manifest import load_address, load_service
from feature_repo.packed import entity_key
from feature_repo.packed.encode import arrow_type, encode
from feature_repo.packed.entity_key import entity
from feature_repo.packed.schema import Schema
from feature_repo.packed.server import READ_TIMEOUT, open_server


def plant(home: Home, person: str) -> dict[str, list[bytes]]:
    """Writes a value of its own into every feature of all views of a person; returns feature → texts of its value."""
    server = open_server(home, load_address(home), READ_TIMEOUT)
    services = [load_service(home, name) for name in json.loads(home.manifest.read_text())["services"]]
    views = {view.name: (service.project, view) for service in services for view in service.views}
    texts: dict[str, list[bytes]] = {}
    number = 0
    for name, (project, view) in sorted(views.items()):
        if view.join_keys != ("user_id",) or name == "user_own_listening":  # whose lists have to fit each other
            continue
        schema, columns = Schema.of(name, view.columns), dict[str, Any]()
        for column, dtype, length in view.columns:
            number += 1
            value, forms = _canary(number, dtype, length)
            if value is None:
                continue
            place = schema.columns[schema.index[column]]
            columns[column] = pa.array([value], arrow_type(place))
            texts[f"{name}__{column}"] = [form.encode() for form in forms]
        event = pa.array([1_769_000_000_000_000], pa.timestamp("us", "UTC"))
        (packed,) = encode(schema, columns, event, event)
        key = entity_key.prefix(project, name) + entity([person.encode()]) + b"}"
        server.send([("SET", key, packed)], [key])
    return texts


def _canary(number: int, dtype: str, length: int) -> tuple[Any, list[str]]:
    """A value of a type, and how it may stand in an answer; None for types with too few values."""
    inner = dtype.removeprefix("Array(").removesuffix(")")
    if inner == "String":
        value: Any = f"canary-{number:04}-x"
        forms = [value]
    elif inner in ("Int32", "Int64"):
        value = 1_234_500_000 + 7 * number
        forms = [str(value)]
    elif inner in ("Float32", "Float64"):
        value = float(8_900_000 + 7 * number)
        forms = [f"{value:.1f}", f"{value:,.0f}"]
    else:
        return None, []
    return ([value] * max(length, 1), forms) if dtype.startswith("Array") else (value, forms)
