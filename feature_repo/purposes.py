"""What personal data may be used for: words that tables, services and consents share. Imports no Feast.

A raw table says what it may be used for (``RawTable(purposes=…)``, or ``EventSource(purposes=…)`` for a table that
follows from its events), a service says what it is for (``service(…, purpose=…)``). A project says in ``refrain.toml``
which purposes need the consent of the person, and may add words of its own::

    [purposes]
    personalisation = "opt-in"    # needs consent: without an event, the answer is no
    analytics = "opt-out"         # may be done until the person objects
    research = "no consent"       # a word of one's own
"""

from collections.abc import Mapping
from dataclasses import dataclass

TRAINING = "training"
"""Purpose of every training set, beside that of its service."""
PERSONALISATION = "personalisation"
"""Purpose of recommendations."""
PURPOSES = ("service", PERSONALISATION, "analytics", TRAINING, "advertising", "security")
"""Words that every project has."""
OPT_IN, OPT_OUT, NO_CONSENT = "opt-in", "opt-out", "no consent"
RULES = (OPT_IN, OPT_OUT, NO_CONSENT)
"""What holds for a person without an event of consent: no; yes; or no consent is needed, whatever the events say."""
CONSENTS = "consents"
"""Kind of the events in which people grant and withdraw consent. The first column of its key is the person's."""


@dataclass(frozen=True)
class ConsentRule:
    """How consent to one purpose is asked for.

    Attributes:
        purpose: the purpose.
        is_granted_without_event: whether a person of whom there is no event counts as consenting.
    """

    purpose: str
    is_granted_without_event: bool


def consent_rule(purposes: Mapping[str, str], purpose: str) -> ConsentRule | None:
    """Returns the rule of a purpose; None if it needs no consent.

    Args:
        purposes: the section ``[purposes]`` of a project.
        purpose: the purpose; empty for none.

    >>> consent_rule({"analytics": "opt-out"}, "analytics")
    ConsentRule(purpose='analytics', is_granted_without_event=True)
    >>> consent_rule({"analytics": "opt-out"}, "security") is None
    True
    """
    rule = purposes.get(purpose, NO_CONSENT)
    return None if rule == NO_CONSENT else ConsentRule(purpose, rule == OPT_OUT)
