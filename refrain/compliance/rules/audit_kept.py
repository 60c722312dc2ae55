"""Where people log in or ask with keys, what they did is in the audit log, and not lost silently."""

import os
from collections.abc import Iterator

from feature_repo.days import days_in
from refrain.compliance.facts import Facts
from refrain.compliance.rule import Breach, Rule


def check(facts: Facts) -> Iterator[Breach]:
    """Yields a folder that answers callers with keys and has no audit log, or one whose log may lose acts."""
    if not facts.home.keys.is_file():
        return
    if not days_in(facts.home.audit_log):
        yield Breach("audit_log", "there are API keys, and no act was ever logged", "refrain doctor")
    if os.environ.get("REFRAIN_AUDIT") != "required":
        yield Breach(
            "audit_log",
            "an act that cannot be written to the audit log is answered all the same",
            "export REFRAIN_AUDIT=required, where the server runs and here",
        )


RULE = Rule("audit_kept", "Acts of callers are in the audit log, or refused.", check, level="warn")
