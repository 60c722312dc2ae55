"""An erasure that was begun is finished."""

import shlex
from collections.abc import Iterator

from refrain.compliance.facts import Facts
from refrain.compliance.rule import Breach, Rule
from refrain.person.erasure.journal import unfinished


def check(facts: Facts) -> Iterator[Breach]:
    """Yields an erasure that was begun and is not done; without the ids, since reports are copied."""
    journal = unfinished(facts.home)
    if journal is not None:
        key = shlex.quote(journal.key)
        yield Breach(
            "erasure",
            f"the erasure of {len(journal.ids):,} people, asked for at {journal.requested_at}, is not finished",
            f"refrain person forget ID --key {key} --yes",
        )


RULE = Rule("erasures_finished", "Erasures that were begun are finished.", check)
