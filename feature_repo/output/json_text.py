"""JSON as others read it: ``NaN`` and ``Infinity``, which Python writes and JSON does not have, become null."""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from feature_repo.output.plain import visible


def to_json(value: Any, *, indent: int | None = None, default: Callable[[Any], Any] | None = None) -> str:
    r"""Returns a value as JSON, with letters of every language as they are, and acting characters escaped.

    Args:
        value: what ``json.dumps`` takes.
        indent: spaces of indentation; one line if None.
        default: function for what JSON has no form for.

    >>> to_json({"share": float("nan"), "plays": [1, float("-inf")], "title": "Größe"})
    '{"share": null, "plays": [1, null], "title": "Größe"}'
    """
    try:
        return visible(json.dumps(value, indent=indent, default=default, ensure_ascii=False, allow_nan=False))
    except ValueError as error:
        if "circular" in str(error).lower():
            raise
    convert = default or _no_form
    return visible(json.dumps(_finite(value, convert), indent=indent, ensure_ascii=False, allow_nan=False))


def _finite(value: Any, convert: Callable[[Any], Any]) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {
            key if not isinstance(key, float) or math.isfinite(key) else str(key): _finite(item, convert)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_finite(item, convert) for item in value]
    if value is None or isinstance(value, str | int):
        return value
    return _finite(convert(value), convert)


def _no_form(value: Any) -> Any:
    raise TypeError(f"{type(value).__name__} has no form in JSON")
