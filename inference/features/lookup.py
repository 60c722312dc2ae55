"""The lookup of a feature service: Redis keys, one round trip, the row cache and the lookup log."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from feature_repo import clock
from feature_repo.access.sight import Sight
from feature_repo.access.viewer import Viewer
from feature_repo.errors import OnlineUnavailable, RefrainError
from feature_repo.home import Home
from feature_repo.manifest import Service, load_address, load_service
from feature_repo.packed.server import READ_TIMEOUT, Server, get, open_server
from inference.features.access import ServiceAccess
from inference.features.column_cache import ColumnCache
from inference.features.consent import ConsentCheck
from inference.features.entities import GroupKeys
from inference.features.fetch import Fetch, ReusedRows, WholeFetch
from inference.features.plan import Plan
from inference.features.prepared import PreparedLookup
from inference.features.rows import OnlineRows
from inference.features.seen_rows import SeenRows
from inference.features.view_rows import ViewRows
from inference.monitoring.lookups import LookupLog

MANIFEST_SECONDS = 1.0
"""Minimum seconds between two checks for a changed manifest."""


class OnlineFeatures:
    """Looks up one feature service. Safe to share between threads.

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
            timeout: seconds to wait for Redis. A lookup takes at most twice as long.
            defaults: ``view__feature`` → default for missing values when ``get`` is called with ``fill``. These take
                precedence over the ``default`` tags of the definitions.
            log: log for a share of the lookups; the log set up by ``REFRAIN_LOG_LOOKUPS`` if None.
            hold: view → seconds for which its rows may be held in memory. Views that are not named are always looked
                up in Redis, and so is every lookup that is logged.

        Raises:
            StoreError: there is no manifest, or the service is not in it.
        """
        self._home = home or Home.from_env()
        self._name, self._given_defaults = service, dict(defaults or {})
        self._log = log or LookupLog.from_env(self._home)
        self._hold = dict(hold or {})
        self._server: Server = open_server(self._home, load_address(self._home), timeout)
        self._checked_at, self._manifest_stamp = time.monotonic(), _manifest_stamp(self._home)
        self._state = self._load_plan()

    @property
    def service(self) -> Service:
        """The service as defined in the current manifest."""
        return self._state[0].service

    def get(
        self,
        keys: Mapping[str, Sequence[Any]],
        request: Mapping[str, Any] | None = None,
        *,
        fill: bool = False,
        on_failure: Literal["raise", "defaults"] = "raise",
        reuse: "OnlineRows | None" = None,
        prepared: PreparedLookup | None = None,
        viewer: Viewer | None = None,
    ) -> "OnlineRows":
        """Look up rows.

        If the purpose of the service needs consent, values of people who have not given it are missing, as if nothing
        were known of them, and ``OnlineRows.denied`` marks their rows.

        Args:
            keys: join key → n values, a list or any array; a single value counts for all rows. Values are converted
                to the type that the key's entity declares (``feature_repo.keys``). A missing key (None, NaN,
                ``pandas.NA``, NaT, an Arrow null) finds no row.
            request: request fields: ``request_timestamp`` (seconds since 1970 UTC; now if left out), ``device``,
                ``context``, and the retrieval scores of the rows as arrays (n,): ``similar_score``, ``follows_score``.
            fill: whether missing values are replaced by defaults; ``missing`` still marks them.
            on_failure: ``raise``, or ``defaults`` to return defaults for all values when Redis does not answer; the
                result then has the reason in ``degraded``.
            reuse: an earlier lookup of the same answer, of this or another service. Views that it looked up for the
                same single entity are not looked up again.
            prepared: what ``prepare`` returned for these keys; if its rows were fetched, Redis is not asked.
            viewer: who gets the rows: where the project has ``[access]``, columns are refused and masked and rows
                withheld as their role says. None for the service itself, such as a model, which sees everything.

        Raises:
            AccessError: no role of the viewer has the service.
            InputError: a join key of the service is not given or does not fit its type, or lengths differ.
            OnlineUnavailable: Redis does not answer.
            StoreError: a packed value in Redis is damaged or has an unknown schema.
        """
        lookup = prepared or self.prepare(keys, request, reuse=reuse, viewer=viewer)
        plan, groups, length, fields = lookup.plan, lookup.groups, lookup.length, lookup.request
        degraded, denied, withheld = None, None, list[tuple[frozenset[str], np.ndarray]]()
        try:
            if lookup.error is not None:
                raise lookup.error
            packed = get(self._server, lookup.redis_keys) if lookup.packed is None else lookup.packed
        except OnlineUnavailable as error:
            if on_failure == "raise":
                raise
            degraded, fill = str(error), True
            blocks = [fetch.rows([None] * len(fetch.redis_keys)) for fetch in _fetches(plan, groups, None, None)]
        else:
            denied, withheld = lookup.denied(packed), lookup.withheld(packed)
            blocks = lookup.blocks(packed, denied, withheld)
        now = clock.seconds()
        views = [
            ViewRows(block, places, length, (now - one.view.ttl) * 1_000_000 if one.view.ttl else None)
            for one, (block, places) in zip(plan.lookups, blocks, strict=True)
        ]
        if self._log is not None and lookup.is_logged and degraded is None and denied is None:
            self._log.put(keys, fields, OnlineRows(plan, views, groups, length, fields, False, None, now))
        unseen = np.logical_or.reduce([mask for _, mask in withheld]) if withheld else None
        rows = OnlineRows(plan, views, groups, length, fields, fill, degraded, now, keys, denied)
        return rows if lookup.sight is None else SeenRows(rows, lookup.sight, unseen)

    def sight(self, viewer: Viewer) -> Sight | None:
        """Return what a caller sees of the service; None if the project has no ``[access]``.

        Raises:
            AccessError: no role of the caller has the service.

        >>> features.sight(Viewer("web", frozenset({"analyst"}))).hidden                # doctest: +SKIP
        {'user_profile__gender': 'null'}
        """
        self._reload_manifest()
        access = self._state[3]
        return None if access is None else access.sight(viewer)

    @property
    def is_marked(self) -> bool:
        """Whether the project has ``[access]``, and a feature of the service has a mark."""
        access = self._state[3]
        return access is not None and access.is_marked

    def withheld(self, keys: Mapping[str, Sequence[Any]], viewer: Viewer) -> np.ndarray:
        """Return the (n,) mask of the rows that a caller does not see.

        Raises:
            AccessError: no role of the caller has the service.
            InputError: as in ``get``.
            OnlineUnavailable: Redis does not answer.

        >>> features.withheld({"user_id": ["u000042"]}, Viewer("web", frozenset({"analyst"})))   # doctest: +SKIP
        array([False])
        """
        sight, access = self.sight(viewer), self._state[3]
        length, _ = self._state[0].keys(keys)
        unseen = np.zeros(length, bool)
        for condition in access.conditions(sight, keys) if access is not None and sight is not None else ():
            packed = get(self._server, condition.redis_keys) if condition.redis_keys else []
            unseen |= condition.withheld(packed, length)
        return unseen

    def prepare(
        self,
        keys: Mapping[str, Sequence[Any]],
        request: Mapping[str, Any] | None = None,
        *,
        reuse: "OnlineRows | None" = None,
        viewer: Viewer | None = None,
    ) -> PreparedLookup:
        """Prepare a lookup that ``RoundTrip`` fetches together with others, and ``get`` finishes.

        Args:
            keys: as in ``get``.
            request: as in ``get``.
            reuse: as in ``get``.
            viewer: as in ``get``.

        Raises:
            AccessError: as in ``get``.
            InputError: as in ``get``.

        >>> lookup = features.prepare({"user_id": ["u000042"]})                    # doctest: +SKIP
        >>> RoundTrip([lookup]).fetch()                                            # doctest: +SKIP
        >>> rows = features.get(lookup.keys, prepared=lookup)                      # doctest: +SKIP
        """
        self._reload_manifest()
        plan, cache, check, access = self._state
        sight = None if viewer is None or access is None else access.sight(viewer)
        sight = None if sight is None or sight.is_whole else sight
        length, groups = plan.keys(keys)
        consent = None if check is None else check.fetch(keys)
        conditions = [] if sight is None or access is None else access.conditions(sight, keys)
        is_logged = sight is None and self._log is not None and self._log.wants()
        fetches = _fetches(plan, groups, None, None) if is_logged else _fetches(plan, groups, cache, reuse)
        return PreparedLookup(
            plan,
            groups,
            length,
            fetches,
            self._server,
            keys,
            request or {},
            is_logged=is_logged,
            consent=consent,
            sight=sight,
            conditions=conditions,
        )

    async def aget(
        self,
        keys: Mapping[str, Sequence[Any]],
        request: Mapping[str, Any] | None = None,
        *,
        fill: bool = False,
        on_failure: Literal["raise", "defaults"] = "raise",
        viewer: Viewer | None = None,
    ) -> "OnlineRows":
        """Look up rows as ``get`` does, without blocking the event loop.

        ``get`` runs in a thread of asyncio's default executor (``asyncio.to_thread``): the row cache, the retries and
        every kind of Redis are then those of ``get``, and a Redis that hangs holds up a thread, not the loop. The
        executor has ``min(32, cores + 4)`` threads; ``loop.set_default_executor`` gives more.

        Args:
            keys: as in ``get``.
            request: as in ``get``.
            fill: as in ``get``.
            on_failure: as in ``get``.
            viewer: as in ``get``.

        Raises:
            AccessError: as in ``get``.
            InputError: as in ``get``.
            OnlineUnavailable: Redis does not answer.
            StoreError: as in ``get``.

        >>> rows = await OnlineFeatures("listener_v1").aget({"user_id": ["u000042"]})  # doctest: +SKIP
        """
        return await asyncio.to_thread(self.get, keys, request, fill=fill, on_failure=on_failure, viewer=viewer)

    def _reload_manifest(self) -> None:
        """Load a changed manifest; keep the old one if the new one cannot be read."""
        now = time.monotonic()
        if now - self._checked_at < MANIFEST_SECONDS:
            return
        self._checked_at = now
        stamp = _manifest_stamp(self._home)
        if stamp != self._manifest_stamp:
            try:
                self._state = self._load_plan()
            except RefrainError:
                return
            self._manifest_stamp = stamp

    def _load_plan(self) -> tuple[Plan, ColumnCache | None, ConsentCheck | None, ServiceAccess | None]:
        """Return the plan by the manifest, an empty cache for its views, the check of consent, and who sees what.

        None instead of the cache if nothing may be held, of the check if no consent is needed, and of the last if
        everybody sees everything.
        """
        service = load_service(self._home, self._name)
        plan = Plan(service, self._given_defaults, self._server)
        check = ConsentCheck.of(self._home, service, self._server)
        access = ServiceAccess.of(self._home, service, self._server)
        return plan, ColumnCache(self._hold) if self._hold else None, check, access


def _fetches(
    plan: Plan, groups: Sequence[GroupKeys], cache: ColumnCache | None, reuse: OnlineRows | None
) -> list[Fetch]:
    """Decide for each view what is fetched."""
    held = {} if cache is None else cache.views(plan, groups)
    fetches: list[Fetch] = []
    for number, lookup in enumerate(plan.lookups):
        keys = groups[lookup.group]
        block = None if reuse is None else reuse.block_of(lookup, keys)
        if block is not None:
            fetches.append(ReusedRows(block, keys))
        elif number in held:
            fetches.append(held[number])
        else:
            fetches.append(WholeFetch(lookup, plan.older_schemas[number], keys))
    return fetches


def _manifest_stamp(home: Home) -> tuple[int, int, int] | None:
    try:
        stat = home.manifest.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_ino, stat.st_size
