"""Examples of a windowed table: events, and the features that a person expects of them. Imports no Feast.

``refrain test`` runs them through the batch run. They stand in any definition module of a project, or in a module or
folder ``examples``, which no other command imports.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from feature_repo import iso8601
from feature_repo.errors import InputError
from feature_repo.keys import key_value
from feature_repo.windows import EventSource, WindowedTable, moment

TIMES = ("event_timestamp", "created_timestamp")
_TYPES: dict[str, tuple[type, ...]] = {
    "String": (str,),
    "Int64": (int,),
    "Float64": (int, float),
    "Bool": (bool,),
    "Date": (str, date),
}


@dataclass(frozen=True, eq=False)
class Example:
    """Events, and the features that are expected of them at a moment.

    Attributes:
        name: name of the example.
        table: the windowed table.
        events: the events with ``event_timestamp`` and, if given, ``created_timestamp`` in UTC.
        at: the moment at which the features are read, in UTC.
        key: join key → value.
        expect: feature column → expected value; None for a missing one.
        dimensions: name of each dimension of the table → its rows, with their times in UTC.
    """

    name: str
    table: WindowedTable
    events: tuple[Mapping[str, Any], ...]
    at: datetime
    key: Mapping[str, Any]
    expect: Mapping[str, Any]
    dimensions: Mapping[str, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)


def example(
    table: WindowedTable,
    *,
    events: Sequence[Mapping[str, Any]],
    at: str | datetime,
    expect: Mapping[str, Any],
    key: Mapping[str, Any] | None = None,
    dimensions: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    name: str = "",
) -> Example:
    """Declares an example of a windowed table.

    Args:
        table: the windowed table.
        events: events of its source, in the order of arrival. Each has ``event_timestamp`` (ISO 8601 or a datetime;
            UTC without a zone); a column that is left out is missing. Events with the same key and time are versions
            of one event, of which the one with the newest ``created_timestamp`` counts.
        at: the moment at which the features are read; only earlier events count.
        expect: feature column → value, such as ``{"orders_7d": 2}``; None for a missing value. Features of the moment
            (``TimeSinceLast``, ``DecayedSum``) may be among them, under their own names.
        key: join key → value; may be left out if all events have the same.
        dimensions: name of a dimension of the table (``Enrich``) → its rows, which have times as events do.
        name: name of the example; made of the table, the key and the moment if empty.

    Raises:
        InputError: a column, key, type or time does not fit the table.

    >>> from feature_repo.windows import Count, EventSource, WindowedTable
    >>> orders = EventSource("orders", columns={"customer_id": "String"}, key=("customer_id",))
    >>> table = WindowedTable("customer_orders", "Orders", orders, ("customer_id",), ("7d",), {"orders": Count()})
    >>> day = "2026-01-01T12:00:00Z"
    >>> two_days = example(
    ...     table,
    ...     events=[{"customer_id": "ann", "event_timestamp": day}],
    ...     at="2026-01-02T00:00:00Z",
    ...     expect={"orders_7d": 1},
    ... )
    >>> two_days.key
    {'customer_id': 'ann'}
    """
    label = f"the example {name or f'of {table.name} at {at}'}"
    rows = tuple(_event(label, f"event {number}", event, table.source) for number, event in enumerate(events, 1))
    dimension_rows = _dimension_rows(label, table, dimensions or {})
    columns = [column for column, _ in table.fields] + list(moment.outputs(table))
    unknown = sorted(set(expect) - set(columns))
    if unknown or not expect:
        found = repr(unknown[0]) if unknown else "none"
        raise _invalid(label, f"columns of {table.name} in expect, such as {columns}", found)
    own_key = _key(label, table, rows, key)
    when = _time(label, "at", at)
    content = (rows, when, own_key, sorted(expect.items()), *dimension_rows.items())
    digest = hashlib.sha256(repr(content).encode()).hexdigest()[:4]
    own_name = name or f"{table.name}, {' '.join(map(str, own_key.values()))} at {when:%Y-%m-%dT%H:%M:%S} ({digest})"
    return Example(own_name, table, rows, when, own_key, dict(expect), dimension_rows)


def _dimension_rows(
    label: str, table: WindowedTable, dimensions: Mapping[str, Sequence[Mapping[str, Any]]]
) -> dict[str, tuple[Mapping[str, Any], ...]]:
    sources = {enrich.dimension.name: enrich.dimension for enrich in table.enrich}
    for name in dimensions:
        if name not in sources:
            expected = f"dimensions of {table.name} in dimensions, {sorted(sources) or 'of which it has none'}"
            raise _invalid(label, expected, repr(name))
    return {
        name: tuple(_event(label, f"row {number} of {name}", row, sources[name]) for number, row in enumerate(rows, 1))
        for name, rows in dimensions.items()
    }


def _event(label: str, place: str, event: Mapping[str, Any], source: EventSource) -> dict[str, Any]:
    unknown = sorted(set(event) - {*source.columns, *TIMES})
    if unknown:
        columns = sorted({*source.columns, *TIMES})
        raise _invalid(label, f"columns of {source.name} in {place}, such as {columns}", repr(unknown[0]))
    if event.get("event_timestamp") is None:
        raise _invalid(label, f"an event_timestamp in {place}", repr(dict(event)))
    row = dict(event)
    for column, value in event.items():
        if column in TIMES:
            row[column] = None if value is None else _time(label, f"{column} of {place}", value)
        elif value is not None and type(value) not in _TYPES[source.columns[column]]:
            raise _invalid(label, f"{source.columns[column]} as {column} of {place}", repr(value))
        elif type(value) is date:
            row[column] = value.isoformat()
    return row


def _key(
    label: str, table: WindowedTable, events: Sequence[Mapping[str, Any]], key: Mapping[str, Any] | None
) -> dict[str, Any]:
    types = {name: str(table.enriched.feast_type(name)) for name in table.keys}
    if key is not None:
        if set(key) != set(types):
            raise _invalid(label, f"the join keys {list(types)} in key", repr(dict(key)))
        return {name: key_value(key[name], dtype, name) for name, dtype in types.items()}
    keys = {tuple(event[name] for name in types if event.get(name) is not None) for event in events}
    if len(keys) != 1 or len(min(keys)) != len(types):
        raise _invalid(label, f"key={{{table.keys[0]!r}: …}}, or events of one key", f"{len(keys)} keys in the events")
    return dict(zip(types, min(keys), strict=True))


def _time(label: str, what: str, value: Any) -> datetime:
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    try:
        return iso8601.parse(value)
    except (ValueError, TypeError) as error:
        raise _invalid(label, f"{iso8601.EXAMPLES}, as {what}", repr(value)) from error


def _invalid(label: str, expected: str, found: str) -> InputError:
    return InputError(expected=f"{expected}, in {label}", found=found, next_command="correct the example")
