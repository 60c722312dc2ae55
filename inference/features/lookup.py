"""The lookup of a feature service: Redis keys, one round trip, the row cache and the lookup log."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from feature_repo import clock
from feature_repo.errors import OnlineUnavailable, RefrainError
from feature_repo.home import Home
from feature_repo.manifest import Service, load_address, load_service
from feature_repo.packed.decode import Block, Mixed, decode
from feature_repo.packed.schema import Schema
from feature_repo.packed.server import READ_TIMEOUT, Server, get, open_server
from inference.features.column_cache import ColumnCache, HeldView
from inference.features.columns import ColumnRows
from inference.features.entities import GroupKeys
from inference.features.plan import Plan
from inference.features.rows import OnlineRows
from inference.features.view_rows import ViewRows
from inference.monitoring.lookups import LookupLog

MANIFEST_SECONDS = 1.0
"""Minimum seconds between two checks for a changed manifest."""
FEW_ROWS = 16
"""Most rows of which missing ones are decoded, too: that costs less than leaving them out."""


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
    ) -> "OnlineRows":
        """Look up rows.

        Args:
            keys: join key → n values, a list or any array; a single value counts for all rows. Values are converted
                to the type that the key's entity declares (``feature_repo.keys``). A missing key (None, NaN,
                ``pandas.NA``, NaT, an Arrow null) finds no row.
            request: request fields: ``request_timestamp`` (seconds since 1970 UTC; now if left out), ``device``,
                ``context``, and the retrieval scores of the rows as arrays (n,): ``similar_score``, ``follows_score``.
            fill: whether missing values are replaced by defaults; ``missing`` still marks them.
            on_failure: ``raise``, or ``defaults`` to return defaults for all values when Redis does not answer; the
                result then has the reason in ``degraded``.

        Raises:
            InputError: a join key of the service is not given or does not fit its type, or lengths differ.
            OnlineUnavailable: Redis does not answer.
            StoreError: a packed value in Redis is damaged or has an unknown schema.
        """
        self._reload_manifest()
        plan, cache = self._state
        length, groups = plan.keys(keys)
        is_logged = self._log is not None and self._log.wants()
        held: list[HeldView | None] = [None] * len(plan.lookups)
        if cache is not None and not is_logged:
            held = cache.views(plan, groups)
        degraded = None
        try:
            packed_rows = get(self._server, _redis_keys(plan, groups, held))
        except OnlineUnavailable as error:
            if on_failure == "raise":
                raise
            held = [None] * len(plan.lookups)
            packed_rows = [None] * len(_redis_keys(plan, groups, held))
            degraded, fill = str(error), True
        blocks = _decode_views(plan, groups, held, packed_rows, cache)
        now = clock.seconds()
        views = [
            ViewRows(block, places, length, (now - lookup.view.ttl) * 1_000_000 if lookup.view.ttl else None)
            for lookup, (block, places) in zip(plan.lookups, blocks, strict=True)
        ]
        if self._log is not None and is_logged and degraded is None:
            self._log.put(keys, request or {}, OnlineRows(plan, views, length, request or {}, False, None, now))
        return OnlineRows(plan, views, length, request or {}, fill, degraded, now, keys)

    async def aget(
        self,
        keys: Mapping[str, Sequence[Any]],
        request: Mapping[str, Any] | None = None,
        *,
        fill: bool = False,
        on_failure: Literal["raise", "defaults"] = "raise",
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

        Raises:
            InputError: as in ``get``.
            OnlineUnavailable: Redis does not answer.
            StoreError: as in ``get``.

        >>> rows = await OnlineFeatures("listener_v1").aget({"user_id": ["u000042"]})  # doctest: +SKIP
        """
        return await asyncio.to_thread(self.get, keys, request, fill=fill, on_failure=on_failure)

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

    def _load_plan(self) -> tuple[Plan, ColumnCache | None]:
        """Return the plan by the manifest, and an empty cache for its views; None if nothing may be held."""
        plan = Plan(load_service(self._home, self._name), self._given_defaults, self._server)
        return plan, ColumnCache(self._hold) if self._hold else None


def _redis_keys(plan: Plan, groups: Sequence[GroupKeys], held: Sequence[HeldView | None]) -> list[bytes]:
    """List the Redis keys of the rows to fetch, one view after the other."""
    redis_keys: list[bytes] = []
    for lookup, view in zip(plan.lookups, held, strict=True):
        if view is None:
            prefix = lookup.prefix
            redis_keys += [prefix + entity for entity in groups[lookup.group].entities]
        else:
            redis_keys += view.redis_keys
    return redis_keys


def _decode_views(
    plan: Plan,
    groups: Sequence[GroupKeys],
    held: Sequence[HeldView | None],
    packed_rows: Sequence[bytes | None],
    cache: ColumnCache | None,
) -> list[tuple[Block | Mixed | ColumnRows, np.ndarray | None]]:
    """Decode the fetched rows of all views, and hold those that may be held.

    Returns:
        For each view its distinct rows, and the index of each row of the lookup among them, as in ``ViewRows``.

    Raises:
        StoreError: a value is damaged or has an unknown schema.
    """
    views: list[tuple[Block | Mixed | ColumnRows, np.ndarray | None]] = []
    start = 0
    for number, (lookup, view) in enumerate(zip(plan.lookups, held, strict=True)):
        keys = groups[lookup.group]
        stop = start + len(keys.entities if view is None else view.redis_keys)
        packed, start = packed_rows[start:stop], stop
        schema, older = lookup.schema, plan.older_schemas[number]
        if view is None or cache is None:
            if len(packed) > FEW_ROWS and None in packed:
                found, block = _decode_found(packed, schema, older)
                views.append((block, _places_among(found, len(packed), keys.places)))
            else:
                views.append((decode(packed, schema, older), keys.places))
            continue
        if packed:
            found, block = _decode_found(packed, schema, older)
            if len(found):
                cache.keep(view, found, block)
        views.append((view.rows(), view.places))
    return views


def _decode_found(
    packed: Sequence[bytes | None], schema: Schema, older: Callable[[int], Schema | None]
) -> tuple[np.ndarray, Block | Mixed]:
    """Decode the rows that were found; also return their indices."""
    found = [place for place, row in enumerate(packed) if row is not None]
    return np.array(found, np.int64), decode([packed[place] for place in found], schema, older)


def _places_among(found: np.ndarray, count: int, places: np.ndarray | None) -> np.ndarray:
    """Return the index of each row's entity among the found ones of ``count`` entities; -1 for the others."""
    index = np.full(count + 1, -1)  # the last one is of a missing key, whose place is -1
    index[found] = np.arange(len(found))
    return index[:-1] if places is None else index[places]


def _manifest_stamp(home: Home) -> tuple[int, int, int] | None:
    try:
        stat = home.manifest.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_ino, stat.st_size
