"""Whose rows a lookup for a purpose may show: those of people who have consented to it.

Consent is looked up with the rows, in the same round trip: one key more for each person. The rows of people without it
are dropped undecoded where the whole lookup is of them, else they are left out of the result. Without an answer of the
online store there are no rows either, so that nothing is shown of anybody.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from feature_repo.errors import ConsentError, StoreError
from feature_repo.home import Home
from feature_repo.manifest import Service, UnknownService, View, load_service
from feature_repo.packed.server import Server
from feature_repo.project import Project
from feature_repo.purposes import ConsentRule, consent_rule
from inference.features.entities import GroupKeys
from inference.features.fetch import WholeFetch
from inference.features.plan import Plan
from inference.features.view_rows import ViewRows

if TYPE_CHECKING:
    from inference.features.rows import OnlineRows

SERVICE = "consent_v1"
PURPOSE = "purpose"
"""Join key of the view of consent, beside that of the person."""
GRANTED = "granted"
MOST_NAMED = 20
"""Most rows that an error names."""


@dataclass(frozen=True)
class ConsentFetch:
    """The consent of the people of one lookup.

    Attributes:
        person: join key of the people.
        rule: what holds without an event.
        fetch: the rows of the view of consent.
        keys: the keys of its rows.
        length: number of rows of ``keys``: of the lookup, or 1 if all are of one person.
    """

    person: str
    rule: ConsentRule
    fetch: WholeFetch
    keys: GroupKeys
    length: int

    def concerns(self, view: View) -> bool:
        """Return whether the rows of a view are of people."""
        return self.person in view.join_keys

    def denied(self, packed: Sequence[bytes | None]) -> np.ndarray:
        """Return the (length,) mask of the rows whose person has not consented; a row of nobody is not among them.

        Args:
            packed: packed values of the keys of ``fetch``.

        Raises:
            StoreError: a value is damaged or has an unknown schema.
        """
        granted, missing = ViewRows(*self.fetch.rows(packed), self.length).column(GRANTED)
        denied = ~np.where(missing, self.rule.is_granted_without_event, granted)
        return denied if self.keys.places is None else denied & (self.keys.places >= 0)


class ConsentCheck:
    """The consent that a feature service asks for.

    Args:
        plan: plan of the service ``consent_v1``.
        rule: what holds without an event.

    Attributes:
        person: join key of the people.
    """

    def __init__(self, plan: Plan, rule: ConsentRule) -> None:
        self._plan, self._rule = plan, rule
        (self.person,) = (key for key in plan.service.join_keys if key != PURPOSE)

    @classmethod
    def of(cls, home: Home, service: Service, server: Server) -> "ConsentCheck | None":
        """Return the check of a feature service; None if it has no purpose that needs consent, or reads of nobody.

        Raises:
            StoreError: consent is needed, and the manifest does not say where it is.
        """
        rule = consent_rule(Project.load(home.project_folder).purposes, service.purpose)
        if rule is None:
            return None
        try:
            check = cls(Plan(load_service(home, SERVICE), {}, server), rule)
        except UnknownService as error:
            raise StoreError(
                expected=f"the feature service {SERVICE}, as {rule.purpose} needs consent",
                found=error.found,
                next_command="declare it as docs/consent.md shows, then: refrain apply",
            ) from error
        return check if check.person in service.join_keys else None

    def fetch(self, keys: Mapping[str, Sequence[Any]]) -> ConsentFetch:
        """Prepare the lookup of the consent of all people of a lookup."""
        length, (group,) = self._plan.keys({self.person: keys[self.person], PURPOSE: [self._rule.purpose]})
        (lookup,), (older,) = self._plan.lookups, self._plan.older_schemas
        return ConsentFetch(self.person, self._rule, WholeFetch(lookup, older, group), group, length)


def require_consent(rows: "OnlineRows") -> None:
    """Check that no row of a lookup was withheld.

    Raises:
        ConsentError: rows are of people who have not consented to the purpose of the service.
    """
    if rows.denied is None:
        return
    places = np.flatnonzero(rows.denied)
    listed = ", ".join(map(str, places[:MOST_NAMED].tolist())) + (", …" if len(places) > MOST_NAMED else "")
    raise ConsentError(
        expected=f"rows of people who have consented to {rows.service.purpose}",
        found=f"{len(places):,} of {rows.length:,} rows of others: {listed} (the first row is 0)",
        next_command="see /docs",
    )


def places_of_others(places: np.ndarray | None, denied: np.ndarray, length: int) -> np.ndarray:
    """Return the (n,) places of the rows of a view, as ``ViewRows`` takes them: -1 for people who have not consented.

    >>> places_of_others(None, np.array([False, True]), 2).tolist()
    [0, -1]
    >>> places_of_others(np.array([0, 0]), np.array([True]), 2).tolist()
    [-1, -1]
    """
    return np.where(denied, -1, np.arange(length) if places is None else places)
