"""Who calls, and what they may do."""

from dataclasses import dataclass

READ_FEATURES, PREDICT, SEND_EVENTS, ADMINISTER = "read_features", "predict", "send_events", "administer"
ROLES = (READ_FEATURES, PREDICT, SEND_EVENTS, ADMINISTER)
"""Of keys; whoever administers may do nothing else unless the key says so."""


@dataclass(frozen=True)
class Limits:
    """How much one caller may ask.

    Attributes:
        per_second: requests a second in the long run.
        burst: requests at once.
        per_day: requests a day (UTC); None for as many as the rate allows.
    """

    per_second: float = 100.0
    burst: int = 200
    per_day: int | None = None


@dataclass(frozen=True)
class Caller:
    """One who is known.

    Attributes:
        id: of the key, or the subject of a token; it is no secret.
        name: what people call them.
        tenant: whose features and models they may ask for.
        roles: of ``ROLES``.
        limits: how much they may ask; None for no limit.
    """

    id: str
    name: str
    tenant: str
    roles: frozenset[str]
    limits: Limits | None = Limits()


class Refused(Exception):
    """Somebody is not let in.

    Attributes:
        reason: for the record; what the caller is told is the same for every reason.
        key_id: of the key that was shown, if it has the form of one.
    """

    def __init__(self, reason: str, key_id: str = "") -> None:
        super().__init__(reason)
        self.reason, self.key_id = reason, key_id
