"""Every raw table with data of people says how long its rows are kept."""

from collections.abc import Iterator

from feature_repo.purposes import CONSENTS
from refrain.compliance.facts import Facts
from refrain.compliance.rule import Breach, Rule


def check(facts: Facts) -> Iterator[Breach]:
    """Yields tables with personal data that are kept forever; consents are evidence, and stay."""
    for name in facts.marks.tables():
        if name != CONSENTS and facts.periods[name].length is None:
            yield Breach(
                name,
                "it has data of people, which are kept forever",
                f'{name} = "730d" in [retention] of refrain.toml, or retention= of its declaration',
            )


RULE = Rule("retention_set", "Tables with data of people have a period after which rows go.", check)
