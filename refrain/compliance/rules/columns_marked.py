"""Columns whose names say that they are about a person are marked."""

import re
from collections.abc import Iterator

from refrain.compliance.facts import Facts
from refrain.compliance.marks import ids_of
from refrain.compliance.rule import Breach, Rule

_TELLING = re.compile(
    r"(?:^|_)(?:e?mail|phone|mobile|first_?name|last_?name|full_?name|surname|birth|birthday|birth_?year|birth_?date|"
    r"dob|age|gender|sex|ethnicity|religion|nationality|address|street|postcode|zip|zip_?code|city|latitude|longitude|"
    r"lat|lon|lng|ip|client_ip|ip_address|ssn|passport|iban|salary|income|diagnosis|health)(?:_|$)"
)
"""Words in names of columns that are about people."""


def check(facts: Facts) -> Iterator[Breach]:
    """Yields columns that are about people by their names, and not marked, in tables that name people or are marked."""
    personal = facts.marks.columns["personal"]
    for name, table in facts.tables.items():
        is_about_people = bool(ids_of(table, facts.marks.keys)) or any(marked == name for marked, _ in personal)
        for column in table.columns if is_about_people else ():
            if _TELLING.search(column) and (name, column) not in personal:
                yield Breach(
                    f"{name}.{column}",
                    "its name says that it is about a person, and it is neither personal nor sensitive",
                    f"name {column!r} in personal= or sensitive= of {name}, or waive it in compliance.toml",
                )


RULE = Rule("columns_marked", "Columns about people are marked as personal or sensitive.", check)
