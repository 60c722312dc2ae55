"""Rows that are older than their period are removed."""

from collections.abc import Iterator
from datetime import timedelta

from refrain.compliance.facts import Facts
from refrain.compliance.rule import Breach, Rule
from refrain.retention.journal import unfinished
from refrain.retention.plan import aged

_GRACE = timedelta(days=2)
"""Time that a nightly run has, so that a check during the day does not fail."""


def check(facts: Facts) -> Iterator[Breach]:
    """Yields tables and records with rows that should have gone, and a run that was killed."""
    for item in aged(facts.home, facts.now - _GRACE):
        if count := item.count + item.quarantined:
            problem = f"{count:,} rows are older than {item.period.text}"
            yield Breach(item.period.name, problem, "refrain retention run")
    if (run := unfinished(facts.home)) is not None:
        yield Breach("retention", f"a run of {run.started_at} is not finished", "refrain retention run")


RULE = Rule("retention_done", "Rows that are older than their period are removed.", check)
