"""Each break-glass is reviewed while people remember it."""

from collections.abc import Iterator

from feature_repo.access.break_glass import BreakGlass, at
from refrain.compliance.facts import Facts
from refrain.compliance.rule import Breach, Rule

DAYS = 7
"""Days within which a break-glass is reviewed."""


def check(facts: Facts) -> Iterator[Breach]:
    """Yields break-glasses that nobody reviewed in time."""
    for grant in BreakGlass(facts.home).all():
        age = facts.now.timestamp() - grant.started
        if not grant.reviewer and age > DAYS * 86_400:
            begun = f"of {at(grant.started)} by {grant.caller}, not reviewed within {DAYS} days"
            yield Breach(grant.id, begun, f'refrain access review {grant.id} --verdict justified --note "…"')


RULE = Rule("break_glass_reviewed", "Each break-glass is reviewed within a week.", check)
