"""Rules of quality in a contract's file: metrics of the library, and Refrain's checks of volume and drift."""

from collections.abc import Mapping
from typing import Any

from transforms.data_contracts.document import Rule
from transforms.data_contracts.names import METRICS, OPERATORS, QUALITY, UNITS
from transforms.data_contracts.place import Place

CHECKS: dict[str, dict[str, Any]] = {
    "volume": {"days": 28, "lowest": 0.5, "highest": 2.0},
    "drift": {"days": 7, "columns": [], "tolerate": "moved"},
}
"""Refrain's own check → its settings with their defaults."""


class QualityReader:
    """Reads the rules of columns and of the table.

    Args:
        at: the file.
    """

    def __init__(self, at: Place) -> None:
        self._at = at

    def rules(self, quality: Any, column: str) -> list[Rule]:
        """Returns the rules of a column, or of the table if the column is empty."""
        where = f"quality of {column}" if column else "quality of the table"
        rules = []
        for described in self._at.items(where, quality):
            if not isinstance(described, dict):
                raise self._at.refuse(f"{where} as a list of mappings", repr(described)[:100])
            self._at.known(where, described, QUALITY)
            rules.append(self._rule(described, column, where))
        return rules

    def _rule(self, described: Mapping[str, Any], column: str, where: str) -> Rule:
        kind = described.get("type", "library")
        name = str(described.get("name") or described.get("description") or "")
        is_binding = described.get("severity", "error") not in ("info", "warning")
        if kind == "custom" and described.get("engine") == "refrain":
            settings = described.get("implementation")
            check = settings.get("check") if isinstance(settings, dict) else None
            if not isinstance(settings, dict) or check not in CHECKS or (check == "volume" and column):
                raise self._at.refuse(f"implementation.check of {where} as one of {', '.join(CHECKS)}", repr(check))
            return Rule(check, column, name, self._settings(check, settings, where), is_binding=is_binding)
        if kind in ("custom", "sql", "text"):
            return Rule(f"{kind} of {described['engine']}" if described.get("engine") else kind, column, name)
        metric = described.get("metric")
        if kind != "library" or metric not in METRICS or (metric == "rowCount" and column):
            raise self._at.refuse(f"metric of {where} as one of {', '.join(METRICS)}", repr(metric or kind))
        if not column and metric not in ("rowCount", "duplicateValues"):
            raise self._at.refuse(f"the metric {metric} at a column", "at the table")
        operators = [operator for operator in OPERATORS if operator in described]
        if len(operators) != 1:
            raise self._at.refuse(f"one of {', '.join(OPERATORS)} in {where}", ", ".join(operators) or "none")
        unit = described.get("unit", "rows")
        if unit not in UNITS:
            raise self._at.refuse(f"unit of {where} as one of {', '.join(UNITS)}", repr(unit))
        limit = self._limit(described[operators[0]], operators[0], where)
        arguments = self._arguments(metric, described.get("arguments") or {}, where)
        return Rule(metric, column, name, arguments, operators[0], limit, unit == "percent", is_binding)

    def _limit(self, value: Any, operator: str, where: str) -> Any:
        if not operator.endswith("Between"):
            return self._at.number(f"{operator} in {where}", value)
        if not isinstance(value, list) or len(value) != 2:
            raise self._at.refuse(f"{operator} in {where} as two numbers", repr(value)[:100])
        low, high = (self._at.number(f"{operator} in {where}", one) for one in value)
        if low > high:
            raise self._at.refuse(f"{operator} in {where} as two numbers, the smaller first", repr(value))
        return low, high

    def _arguments(self, metric: str, arguments: Any, where: str) -> dict[str, Any]:
        names = METRICS[metric]
        if not isinstance(arguments, dict):
            raise self._at.refuse(f"arguments of {metric} in {where} as a mapping", repr(arguments)[:100])
        self._at.known(f"the arguments of {metric} in {where}", arguments, names)
        for name, value in arguments.items():
            if name == "pattern":
                self._at.pattern(where, value)
            elif not isinstance(value, list) or not value:
                raise self._at.refuse(f"{name} in {where} as a list", repr(value)[:100])
        if metric == "invalidValues" and not arguments:
            raise self._at.refuse(f"validValues or pattern as arguments of invalidValues in {where}", "none")
        return dict(arguments)

    def _settings(self, check: str, settings: Mapping[str, Any], where: str) -> dict[str, Any]:
        defaults = CHECKS[check]
        self._at.known(f"the implementation of {check} in {where}", settings, {"check", *defaults})
        chosen = {name: settings.get(name, default) for name, default in defaults.items()}
        for name, value in chosen.items():
            if name == "columns":
                if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
                    raise self._at.refuse(f"columns of {check} in {where} as a list of names", repr(value)[:100])
            elif name == "tolerate":
                if value not in ("stable", "moved"):
                    raise self._at.refuse(f"tolerate of {check} in {where} as stable or moved", repr(value)[:100])
            else:
                self._at.number(f"{name} of {check} in {where}", value, above=0, whole=name == "days")
        return chosen
