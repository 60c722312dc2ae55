"""Authenticated callers, their roles and limits."""

from dataclasses import dataclass

from feature_repo.home import Home
from feature_repo.project import Project

READ_FEATURES, PREDICT, SEND_EVENTS, ADMINISTER = "read_features", "predict", "send_events", "administer"
METRICS = "metrics"
ROLES = (READ_FEATURES, PREDICT, SEND_EVENTS, ADMINISTER, METRICS)
"""Roles of keys; no role includes another. ``metrics`` is for a scraper, which reads ``/metrics`` and nothing else."""


def known_roles(home: Home) -> tuple[str, ...]:
    """Returns the roles that a key or token may have: those of routes, then those of ``[access]``."""
    access = Project.load(home.project_folder).access
    return ROLES if access is None else tuple(dict.fromkeys((*ROLES, *access.roles)))


@dataclass(frozen=True)
class Limits:
    """Rate limit and quota of one caller.

    Attributes:
        per_second: requests per second in the long run.
        burst: requests at once.
        per_day: requests per day (UTC); None for no quota.
        questions_per_day: distinct questions to one model per day (UTC); None for no budget.
        digits: digits after the point of predictions that this caller gets; None for all.
        events_per_day: events that this caller sends per day (UTC); None for no budget.
    """

    per_second: float = 100.0
    burst: int = 200
    per_day: int | None = None
    questions_per_day: int | None = None
    digits: int | None = None
    events_per_day: int | None = None


@dataclass(frozen=True)
class Caller:
    """An authenticated caller.

    Attributes:
        id: id of the key, or subject of the token; it is not secret.
        name: display name.
        tenant: tenant whose features and models the caller may use.
        roles: of ``ROLES``, and of the section ``[access]`` of the project.
        limits: rate limit and quota; None for no limit.
        expires: when the key or token expires, in seconds since 1970; None for never.
        own_id: the id of their own rows, where a role sees only these: the name of a key, the subject of a token.
    """

    id: str
    name: str
    tenant: str
    roles: frozenset[str]
    limits: Limits | None = Limits()
    expires: float | None = None
    own_id: str = ""


class Refused(Exception):
    """A caller is refused.

    Attributes:
        reason: reason for the audit log; the caller gets the same message for every reason.
        key_id: id of the presented key, if it has the form of a key.
    """

    def __init__(self, reason: str, key_id: str = "") -> None:
        super().__init__(reason)
        self.reason, self.key_id = reason, key_id
