"""Lookups of one answer that share a round trip: prepared each by its service, fetched together, then finished."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from feature_repo.access.sight import Sight
from feature_repo.errors import OnlineUnavailable
from feature_repo.packed.server import Server, get
from inference.features.access import ConditionFetch
from inference.features.consent import ConsentFetch, places_of_others
from inference.features.entities import GroupKeys
from inference.features.fetch import Fetch, Rows
from inference.features.plan import Plan


class PreparedLookup:
    """A lookup of one feature service before its round trip; ``OnlineFeatures.prepare`` makes it.

    Attributes:
        keys: the join keys, as they were given.
        request: the request fields.
        plan: plan of the service.
        groups: the keys of each group of views.
        length: number of rows.
        server: the server that has the rows.
        is_logged: whether the lookup goes to the log.
        redis_keys: Redis keys of the rows to fetch.
        packed: packed values of ``redis_keys``; None while they have not been fetched.
        error: why they could not be fetched; None if they could, or have not been.
        sight: what the caller sees; None if everything.
    """

    def __init__(
        self,
        plan: Plan,
        groups: Sequence[GroupKeys],
        length: int,
        fetches: Sequence[Fetch],
        server: Server,
        keys: Mapping[str, Sequence[Any]],
        request: Mapping[str, Any],
        *,
        is_logged: bool,
        consent: ConsentFetch | None = None,
        sight: Sight | None = None,
        conditions: Sequence[ConditionFetch] = (),
    ) -> None:
        self.plan, self.groups, self.length, self.server = plan, groups, length, server
        self.keys, self.request, self.is_logged = keys, request, is_logged
        self._fetches, self._consent, self.sight, self._conditions = fetches, consent, sight, conditions
        self.redis_keys = [key for fetch in fetches for key in fetch.redis_keys]
        if consent is not None:
            self.redis_keys += consent.fetch.redis_keys
        self._conditions_start = len(self.redis_keys)
        for condition in conditions:
            self.redis_keys += condition.redis_keys
        self.packed: Sequence[bytes | None] | None = None
        self.error: OnlineUnavailable | None = None

    def denied(self, packed: Sequence[bytes | None]) -> np.ndarray | None:
        """Return the (n,) mask of the rows whose person has not consented; None if there are none.

        Args:
            packed: packed values of ``redis_keys``.

        Raises:
            StoreError: a value is damaged or has an unknown schema.
        """
        if self._consent is None:
            return None
        start = self._conditions_start - len(self._consent.fetch.redis_keys)
        denied = self._consent.denied(packed[start : self._conditions_start])
        return np.broadcast_to(denied, self.length) if denied.any() else None

    def withheld(self, packed: Sequence[bytes | None]) -> list[tuple[frozenset[str], np.ndarray]]:
        """Return, of each condition that some row does not pass, its join keys and the (n,) mask of these rows.

        Args:
            packed: packed values of ``redis_keys``.

        Raises:
            StoreError: a value is damaged or has an unknown schema.
        """
        masks, start = [], self._conditions_start
        for condition in self._conditions:
            stop = start + len(condition.redis_keys)
            withheld = condition.withheld(packed[start:stop], self.length)
            if withheld.any():
                masks.append((condition.keys, withheld))
            start = stop
        return masks

    def blocks(
        self,
        packed: Sequence[bytes | None],
        denied: np.ndarray | None = None,
        withheld: Sequence[tuple[frozenset[str], np.ndarray]] = (),
    ) -> list[Rows]:
        """Decode the rows of each view.

        Args:
            packed: packed values of ``redis_keys``.
            denied: what ``denied`` returned: people of whom nothing is returned.
            withheld: what ``withheld`` returned: rows that the caller does not see.

        Raises:
            StoreError: a value is damaged or has an unknown schema.
        """
        blocks, start = list[Rows](), 0
        for fetch, lookup in zip(self._fetches, self.plan.lookups, strict=True):
            stop = start + len(fetch.redis_keys)
            masks = [mask for keys, mask in withheld if keys <= set(lookup.view.join_keys)]
            if denied is not None and self._consent is not None and self._consent.concerns(lookup.view):
                masks.append(denied)
            if not masks:
                blocks.append(fetch.rows(packed[start:stop]))
            else:
                others = np.logical_or.reduce(masks)
                of_others = [None] * (stop - start) if others.all() else packed[start:stop]
                block, places = fetch.rows(of_others)
                blocks.append((block, places_of_others(places, others, self.length)))
            start = stop
        return blocks


class RoundTrip:
    """Lookups of services of one data folder that are fetched together.

    >>> trip = RoundTrip([rights_lookup, features_lookup])                         # doctest: +SKIP
    >>> trip.fetch()                                                               # doctest: +SKIP
    >>> rights.get(rights_lookup.keys, prepared=rights_lookup)                     # doctest: +SKIP
    """

    def __init__(self, lookups: Sequence[PreparedLookup]) -> None:
        self._lookups = lookups

    def fetch(self) -> None:
        """Fetch the rows of all lookups; if Redis does not answer, each lookup has the error."""
        if not self._lookups:
            return
        redis_keys = [key for lookup in self._lookups for key in lookup.redis_keys]
        try:
            packed = get(self._lookups[0].server, redis_keys)
        except OnlineUnavailable as error:
            for lookup in self._lookups:
                lookup.error = error
            return
        start = 0
        for lookup in self._lookups:
            stop = start + len(lookup.redis_keys)
            lookup.packed = packed[start:stop]
            start = stop
