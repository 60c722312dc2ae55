"""One lookup of a feature service: names of keys, one round trip, what is held, what is logged."""

import time
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from feature_repo.errors import OnlineUnavailable, StoreError
from feature_repo.home import Home
from feature_repo.manifest import Service, load_address, load_service
from feature_repo.packed.decode import decode
from feature_repo.packed.server import READ_TIMEOUT, Server, get, open_server
from inference.features.plan import Plan
from inference.features.rows import OnlineRows
from inference.monitoring.lookups import LookupLog
from inference.row_cache import HeldRows

MANIFEST_SECONDS = 1.0
"""How often the manifest is looked at, at the most."""


class OnlineFeatures:
    """Looks one feature service up. Safe to share between threads.

    >>> features = OnlineFeatures("track_display_v1")                             # doctest: +SKIP
    >>> rows = features.get({"track_id": ["t000001", "t000002"]})                 # doctest: +SKIP
    >>> rows.columns["track_catalogue__title"], rows.matrix()                     # doctest: +SKIP
    """

    def __init__(
        self,
        service: str,
        home: Home | None = None,
        *,
        timeout: float = READ_TIMEOUT,
        defaults: Mapping[str, float | str] | None = None,
        log: LookupLog | None = None,
        hold: Mapping[str, float] | None = None,
    ) -> None:
        """Read the manifest; connect on the first lookup.

        Args:
            service: name of a feature service.
            home: the data folder; from the environment if None.
            timeout: seconds that Redis may take. A lookup takes twice that at the most.
            defaults: ``view__feature`` → what stands in for it where ``get`` is asked to fill; these win over the
                tags ``default`` of the definitions.
            log: told of some of the lookups; that of ``REFRAIN_LOG_LOOKUPS`` if None.
            hold: view → seconds for which its rows may be answered from memory; views that are not named are always
                looked up, and so is everything that is logged.

        Raises:
            StoreError: there is no manifest, or no such service in it.
        """
        self._home = home or Home.from_env()
        self._name, self._given_defaults = service, dict(defaults or {})
        self._log = log or LookupLog.from_env(self._home)
        self._held = HeldRows(hold or {})
        self._server: Server = open_server(self._home, load_address(self._home), timeout)
        self._checked_at, self._stamp = time.monotonic(), _stamp(self._home)
        self._plan = Plan(load_service(self._home, service), self._given_defaults, self._server)

    @property
    def service(self) -> Service:
        """As the manifest has it now."""
        return self._plan.service

    def get(
        self,
        keys: Mapping[str, Sequence[Any]],
        request: Mapping[str, Any] | None = None,
        *,
        fill: bool = False,
        on_failure: Literal["raise", "defaults"] = "raise",
    ) -> "OnlineRows":
        """Look rows up.

        Args:
            keys: join key to n values, a list or any array; a single value counts for all rows. Values are converted
                to the type that the key's entity declares (``feature_repo.keys``). A missing key (None, NaN,
                ``pandas.NA``, NaT, an Arrow null) finds nothing.
            request: ``request_timestamp`` (seconds since 1970 UTC; now if left out), ``device``, ``context``; what
                retrieval says of each row, an array (n,): ``similar_score``, ``follows_score``.
            fill: put defaults where values are missing; ``missing`` says where.
            on_failure: when Redis does not answer, raise, or answer as if nothing were there, filled with defaults
                and marked in ``degraded``.

        Raises:
            InputError: a key of the service is not given or cannot be one of its type, or lengths differ.
            OnlineUnavailable: Redis does not answer.
            StoreError: Redis holds something damaged, or of a schema that nobody knows.
        """
        self._follow()
        plan = self._plan
        length, entities, places = plan.entities(keys)
        degraded, logged = None, self._log is not None and self._log.wants()
        try:
            if logged or not self._held:
                found, asked = get(self._server, plan.names_of(entities)), None
            else:
                found, asked = self._held.get(self._server, plan.lookups, entities)
        except OnlineUnavailable as error:
            if on_failure == "raise":
                raise
            found, asked = [None] * sum(len(entities[lookup.group]) for lookup in plan.lookups), None
            degraded, fill = str(error), True
        blocks, start = [], 0
        for number, lookup in enumerate(plan.lookups):
            stop = start + len(entities[lookup.group])
            fresh = None  # what is held was checked when it was looked up
            if asked is not None:
                fresh = [place - start for place in asked[bisect_left(asked, start) : bisect_left(asked, stop)]]
            blocks.append(decode(found[start:stop], lookup.schema, plan.older[number], unchecked=fresh))
            start = stop
        if asked is not None:
            self._held.keep(plan.lookups, entities, found, asked)
        if self._log is not None and logged and degraded is None:
            self._log.put(keys, request or {}, OnlineRows(plan, blocks, places, length, request or {}, False, None))
        return OnlineRows(plan, blocks, places, length, request or {}, fill, degraded)

    def _follow(self) -> None:
        """Take a changed manifest over; one that cannot be read leaves the old one in force."""
        now = time.monotonic()
        if now - self._checked_at < MANIFEST_SECONDS:
            return
        self._checked_at = now
        stamp = _stamp(self._home)
        if stamp != self._stamp:
            try:
                self._plan = Plan(load_service(self._home, self._name), self._given_defaults, self._server)
            except StoreError:
                return
            self._stamp = stamp
            self._held.clear()


def _stamp(home: Home) -> tuple[int, int, int] | None:
    try:
        found = home.manifest.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
