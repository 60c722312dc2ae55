"""A service that takes what is made of sensitive columns says what for."""

from collections.abc import Iterator

from refrain.compliance.facts import Facts
from refrain.compliance.rule import Breach, Rule


def check(facts: Facts) -> Iterator[Breach]:
    """Yields the services without a purpose that take a sensitive feature."""
    inherited = facts.marks.inherited(facts.lineage, "sensitive")
    for node in inherited:
        declared = facts.services.get(node.name)
        if node.kind == "service" and (declared is None or not declared.purpose):
            direct = facts.lineage.upstream(node, depth=1)
            taken = next(each for each in direct if each in inherited and each.kind == "feature")
            yield Breach(
                node.name,
                f"it takes {taken.name}, made of the sensitive column {inherited[taken].name}, and has no purpose",
                f'give the service {node.name} a purpose, such as purpose="personalisation", then: refrain apply',
            )


RULE = Rule("sensitive_purpose", "A service that takes sensitive features has a purpose.", check)
