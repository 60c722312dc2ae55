"""Ids of people say nothing about them: no e-mail addresses, no phone numbers."""

from collections.abc import Iterator

import polars as pl

from refrain.compliance.facts import Facts
from refrain.compliance.marks import ids_of
from refrain.compliance.rule import Breach, Rule
from transforms.pure.text.pii import mask
from transforms.raw.read import scan

_MOST = 2_000
"""Ids of a column that are examined, of those with a sign that may be of an address or a number."""


def check(facts: Facts) -> Iterator[Breach]:
    """Yields columns of ids that have e-mail addresses or phone numbers among their values."""
    for name, table in facts.tables.items():
        for column in ids_of(table, facts.marks.keys):
            if table.columns[column] != pl.String:
                continue
            values = scan(facts.home, name).select(pl.col(column).unique()).filter(pl.col(column).str.contains("[@+]"))
            kinds: dict[str, int] = {}
            for value in values.head(_MOST).collect().to_series():
                for kind in mask(value).counts.keys() & {"email", "phone"}:
                    kinds[kind] = kinds.get(kind, 0) + 1
            for kind, count in sorted(kinds.items()):
                what = "e-mail addresses" if kind == "email" else "phone numbers"
                yield Breach(
                    f"{name}.{column}",
                    f"{count:,} ids look like {what}",
                    f"replace them by ids that say nothing before the import of {name}, such as keyed digests",
                )


RULE = Rule("keys_pseudonymous", "Ids of people are no e-mail addresses and no phone numbers.", check)
