"""The definition of columns of a windowed table: all in its declaration that changes their values.

Every field of a declaration takes part, a new one too, unless ``_LEFT_OUT`` names it. Fields that are not given (None
or empty) are left out: an optional field that is added to a declaration changes the definitions of its users alone.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from feature_repo.windows.aggregates import Aggregate, Conditional, Ratio
from feature_repo.windows.condition import Condition
from feature_repo.windows.event_source import EventSource
from feature_repo.windows.table import Window, WindowedTable

_LEFT_OUT: dict[type, AbstractSet[str]] = {
    WindowedTable: {"name", "about", "source", "keys", "windows", "features"},
    Window: {"name"},
    Aggregate: {"over"},
    Ratio: {"numerator", "denominator"},
    EventSource: {"personal", "sensitive", "retention", "purposes"},
}
"""Type of a declaration → its fields that change no value, or that ``_definition`` has in another form."""


def fingerprint_of(table: WindowedTable, columns: Iterable[str]) -> str:
    """Returns a digest of all in a declaration that changes the values of columns.

    It is the same in every process, whatever the order of features, windows, keys and columns, and whatever else the
    table computes.

    Args:
        table: the declaration.
        columns: names of columns of ``table.fields``.

    >>> from feature_repo.windows import Count, EventSource, Rate
    >>> plays = EventSource("plays", columns={"user_id": "String", "skipped": "Bool"}, key=("user_id",))
    >>> def table(about, **features):
    ...     return WindowedTable("example", about, plays, ("user_id",), ("1d",), features)
    >>> one, other = table("Plays", n=Count()), table("Plays of a day", s=Rate("skipped"), n=Count())
    >>> fingerprint_of(one, ["n_1d"]) == fingerprint_of(other, ["n_1d"])
    True
    >>> fingerprint_of(table("Plays", n=Rate("skipped")), ["n_1d"]) == fingerprint_of(one, ["n_1d"])
    False
    """
    content = json.dumps(_definition(table, set(columns)), sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def _definition(table: WindowedTable, columns: AbstractSet[str]) -> dict[str, Any]:
    origins = {column: origin for column, origin in table.features_by_column.items() if column in columns}
    source = table.source
    read = {*table.keys, *source.key, *_event_columns(table, {name for name, _ in origins.values()})}
    return {
        **_plain(table),
        "keys": sorted(table.keys),
        "source": {**_plain(source), "columns": {name: source.columns[name] for name in read & source.columns.keys()}},
        "columns": {column: [_feature(table, name), _plain(window)] for column, (name, window) in origins.items()},
    }


def _feature(table: WindowedTable, name: str) -> list[Any]:
    """Returns the definition of a feature in any window; that of a ratio has those of its parts."""
    return [_plain(table.features[name]), *(_feature(table, part) for part in _parts(table, name))]


def _parts(table: WindowedTable, name: str) -> tuple[str, ...]:
    feature = table.features[name]
    return (feature.numerator, feature.denominator) if isinstance(feature, Ratio) else ()


def _event_columns(table: WindowedTable, names: AbstractSet[str]) -> set[str]:
    """Returns the event columns that features read, also in conditions."""
    features = [table.features[part] for name in names for part in (name, *_parts(table, name))]
    conditions = [table.where, *(feature.where for feature in features if isinstance(feature, Conditional))]
    read = {feature.of for feature in features if feature.of is not None}
    return read.union(*(condition.columns for condition in conditions if condition is not None))


def _plain(value: Any) -> Any:
    """Returns a value as JSON has it.

    Raises:
        TypeError: it is of a type whose values have no text of their own, a function say.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Condition) and value.operator == "in":
        name, values = value.parts
        value = Condition("in", (name, frozenset(values)))
    if is_dataclass(value) and not isinstance(value, type):
        left_out = {name for kind, names in _LEFT_OUT.items() if isinstance(value, kind) for name in names}
        given = {field.name: getattr(value, field.name) for field in fields(value) if field.name not in left_out}
        return {"type": type(value).__name__} | {name: _plain(one) for name, one in given.items() if _is_given(one)}
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, AbstractSet | list | tuple):
        items = [_plain(one) for one in value]
        return sorted(items, key=json.dumps) if isinstance(value, AbstractSet) else items
    if isinstance(value, date | timedelta | Decimal):
        return repr(value)
    raise TypeError(f"no definition of {value!r} of type {type(value).__name__}")


def _is_given(value: Any) -> bool:
    return value is not None and not (isinstance(value, str | tuple | list | Mapping | AbstractSet) and not value)
