"""Reads a contract's file: its head, its columns and its service levels."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from transforms.data_contracts import safe_yaml
from transforms.data_contracts.document import Column, DataContract, ServiceLevel, table_of
from transforms.data_contracts.names import (
    CONTRACT,
    LIMITS,
    LOGICAL_TYPES,
    OBJECT,
    OPTIONS,
    PROPERTY,
    SLA,
    STATUSES,
    VERSION,
)
from transforms.data_contracts.parse_quality import QualityReader
from transforms.data_contracts.place import Place

DURATIONS = {
    unit: length
    for units, length in (
        (("s", "second", "seconds"), timedelta(seconds=1)),
        (("m", "min", "minute", "minutes"), timedelta(minutes=1)),
        (("h", "hr", "hour", "hours"), timedelta(hours=1)),
        (("d", "day", "days"), timedelta(days=1)),
        (("w", "week", "weeks"), timedelta(weeks=1)),
        (("y", "yr", "year", "years"), timedelta(days=365)),
    )
    for unit in units
}
"""Unit of a service level → its length."""


def read_contract(path: Path) -> DataContract:
    """Reads the contract of a file, whose name is that of its table.

    Raises:
        InputError: the file is no contract of ODCS 3.1, or contradicts itself; the place in it is named.
    """
    table = table_of(path)
    remedy = f"correct {path}, or: refrain contract write {table} --again"
    return _Reader(Place(path, remedy)).contract(safe_yaml.read(path, next_command=remedy), table)


class _Reader:
    """Reads the parts of one document; every error names its place."""

    def __init__(self, at: Place) -> None:
        self._at, self._quality = at, QualityReader(at)

    def contract(self, document: Mapping[str, Any], table: str) -> DataContract:
        self._at.known("the contract", document, CONTRACT)
        if document.get("kind", "DataContract") != "DataContract":
            raise self._at.refuse("kind: DataContract", repr(document.get("kind")))
        if document.get("apiVersion") != VERSION:
            found = f"apiVersion: {document.get('apiVersion')!r}"
            raise self._at.refuse(f"apiVersion: {VERSION}, the version of the standard that is read", found)
        for name in ("id", "version", "status"):
            if not isinstance(document.get(name), str) or not document[name].strip():
                raise self._at.refuse(f"{name} as a text in quotation marks", f"{document.get(name)!r}")
        status = document["status"]
        if status not in STATUSES:
            raise self._at.refuse(f"status as one of {', '.join(STATUSES)}", repr(status))
        objects = self._at.items("schema", document.get("schema"))
        if len(objects) != 1 or not isinstance(objects[0], dict) or objects[0].get("name") != table:
            names = [one.get("name") if isinstance(one, dict) else one for one in objects]
            raise self._at.refuse(f"a schema of one object, whose name is {table!r} as that of the file", repr(names))
        (described,) = objects
        self._at.known(f"the schema of {table}", described, OBJECT)
        properties = self._at.items("properties", described.get("properties"))
        columns = tuple(self._column(one) for one in properties)
        counts = Counter(column.name for column in columns)
        if twice := [name for name, count in counts.items() if count > 1]:
            raise self._at.refuse("each column once", f"{twice[0]!r} twice")
        rules = [rule for one in properties for rule in self._quality.rules(one.get("quality"), one["name"])]
        rules += self._quality.rules(described.get("quality"), "")
        levels = [self._level(one, table) for one in self._at.items("slaProperties", document.get("slaProperties"))]
        checked = tuple(level for level in levels if level is not None)
        return DataContract(self._at.path, table, status, document["version"], columns, tuple(rules), checked)

    def _column(self, described: Any) -> Column:
        if not isinstance(described, dict) or not isinstance(described.get("name"), str):
            raise self._at.refuse("columns with a name", repr(described)[:100])
        name = described["name"]
        self._at.known(f"the column {name}", described, PROPERTY)
        logical_type = described.get("logicalType", "")
        if logical_type and logical_type not in LOGICAL_TYPES:
            raise self._at.refuse(f"logicalType of {name} as one of {', '.join(LOGICAL_TYPES)}", repr(logical_type))
        for flag in ("required", "unique", "primaryKey"):
            if not isinstance(described.get(flag, False), bool):
                raise self._at.refuse(f"{flag} of {name} as true or false", repr(described[flag]))
        options = described.get("logicalTypeOptions") or {}
        if not isinstance(options, dict):
            raise self._at.refuse(f"logicalTypeOptions of {name} as a mapping", repr(options)[:100])
        self._at.known(f"the options of {name}", options, OPTIONS.get(logical_type, frozenset()))
        items = described.get("items") or {}
        element_type = items.get("logicalType", "") if isinstance(items, dict) else ""
        return Column(
            name=name,
            logical_type=logical_type,
            element_type=element_type,
            required=described.get("required", False),
            unique=described.get("unique", False),
            is_key=described.get("primaryKey", False),
            options={option: self._option(name, logical_type, option, value) for option, value in options.items()},
        )

    def _option(self, name: str, logical_type: str, option: str, value: Any) -> Any:
        """A limit as a value that a column of the type is compared with."""
        if option in LIMITS:
            return (
                self._moment(name, option, value)
                if logical_type in ("date", "timestamp")
                else self._at.number(f"{option} of {name}", value)
            )
        if option == "multipleOf":
            return self._at.number(f"{option} of {name}", value, above=0)
        if option in ("minLength", "maxLength", "minItems", "maxItems"):
            return self._at.number(f"{option} of {name}", value, above=-1, whole=True)
        return self._at.pattern(name, value) if option == "pattern" else value

    def _moment(self, name: str, option: str, value: Any) -> datetime:
        try:
            moment = datetime.fromisoformat(value) if isinstance(value, str) else value
            if isinstance(moment, date) and not isinstance(moment, datetime):
                moment = datetime(moment.year, moment.month, moment.day)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (ValueError, AttributeError) as error:
            raise self._at.refuse(f"{option} of {name} as a time of ISO 8601", repr(value)) from error

    def _level(self, described: Any, table: str) -> ServiceLevel | None:
        if not isinstance(described, dict) or not isinstance(described.get("property"), str):
            raise self._at.refuse("slaProperties with a property", repr(described)[:100])
        self._at.known("slaProperties", described, SLA)
        name = {"latency": "freshness"}.get(described["property"], described["property"])
        if name not in ("freshness", "retention", "frequency"):
            return None
        value = self._at.number(f"value of {described['property']}", described.get("value"), above=0)
        unit = str(described.get("unit", "d"))
        if unit not in DURATIONS:
            raise self._at.refuse(f"unit of {described['property']} as one of {', '.join(DURATIONS)}", repr(unit))
        element = str(described.get("element", "event_timestamp"))
        try:
            return ServiceLevel(name, value * DURATIONS[unit], element.removeprefix(f"{table}."))
        except OverflowError as error:
            raise self._at.refuse(f"a {name} of less than a million years", f"{value} {unit}") from error
