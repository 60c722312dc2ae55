"""What a caller sees of a lookup, by the section ``[access]``: rows that pass conditions, and masked values.

Values by which rows are chosen are looked up with the rows, in the same round trip. A row that does not pass is as one
of which nothing is known, whether it is there or not. Functions compute with real values; what they return has marks
of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from feature_repo import clock
from feature_repo.access.compiled import CompiledAccess, load_access
from feature_repo.access.sight import RowCondition, Sight, sight_of
from feature_repo.access.viewer import Viewer
from feature_repo.home import Home
from feature_repo.keys import key_values
from feature_repo.manifest import Service
from feature_repo.packed.server import Server
from inference.features.fetch import WholeFetch
from inference.features.plan import Plan
from inference.features.view_rows import ViewRows

MOST_SIGHTS = 1_000
"""Most callers whose sight is kept."""


class ConditionFetch:
    """One condition of one lookup.

    Args:
        condition: the condition.
        passes: (n,) or (1,) rows that pass; None if ``fetch`` says it.
        fetch: the rows of the view of the feature, and the number of its rows; None for a condition on a key.
        ttl: maximum age of these rows in seconds; 0 for no limit.
    """

    def __init__(
        self,
        condition: RowCondition,
        passes: np.ndarray | None,
        fetch: tuple[WholeFetch, int] | None = None,
        ttl: float = 0.0,
    ) -> None:
        self.keys = condition.keys
        self._condition, self._passes, self._fetch, self._ttl = condition, passes, fetch, ttl
        self.redis_keys = [] if fetch is None else fetch[0].redis_keys

    def withheld(self, packed: Sequence[bytes | None], length: int) -> np.ndarray:
        """Return the (length,) mask of the rows that do not pass; those without a value are among them.

        Args:
            packed: packed values of ``redis_keys``.
            length: number of rows of the lookup.
        """
        passes = self._passes
        if self._fetch is not None:
            fetch, rows = self._fetch
            oldest = (clock.seconds() - self._ttl) * 1e6 if self._ttl else None
            values, missing = ViewRows(*fetch.rows(packed), rows, oldest).column(
                self._condition.name.rpartition("__")[2]
            )
            texts = [_text_of(value) for value in values.tolist()]
            passes = np.array([text in self._condition.values for text in texts], bool) & ~missing
        assert passes is not None
        return np.broadcast_to(~passes, length)


class ServiceAccess:
    """What callers see of one feature service.

    Args:
        compiled: the section ``[access]`` of the manifest.
        service: the service.
        server: the server with the rows.
    """

    def __init__(self, compiled: CompiledAccess, service: Service, server: Server) -> None:
        self._compiled, self._service = compiled, service
        self._plans: dict[str, Plan] = {}
        for name, view in compiled.views.items():
            alone = replace(service, views=(view,), features=(), on_demand=(), functions={})
            self._plans[name] = Plan(alone, {}, server)
        self._sights: dict[Viewer, Sight] = {}

    @classmethod
    def of(cls, home: Home, service: Service, server: Server) -> "ServiceAccess | None":
        """Return the access to a service; None if the project has no ``[access]``.

        Raises:
            StoreError: the manifest was compiled from another section.
        """
        compiled = load_access(home)
        return None if compiled is None else cls(compiled, service, server)

    def sight(self, viewer: Viewer) -> Sight:
        """Return what a caller sees.

        Raises:
            AccessError: no role of the caller has the service.
        """
        sight = self._sights.get(viewer)
        if sight is None:
            if len(self._sights) >= MOST_SIGHTS:
                self._sights.clear()
            sight = self._sights[viewer] = sight_of(self._compiled, self._service, viewer)
        return sight

    @property
    def is_marked(self) -> bool:
        """Whether any feature of the service, or what its functions read, has a mark."""
        return self._compiled.is_marked(self._service.features)

    def conditions(self, sight: Sight, keys: Mapping[str, Sequence[Any]]) -> list[ConditionFetch]:
        """Prepare the conditions on the rows of a lookup.

        Args:
            sight: what the caller sees.
            keys: join key → values.
        """
        return [self._condition(condition, keys) for condition in sight.conditions]

    def _condition(self, condition: RowCondition, keys: Mapping[str, Sequence[Any]]) -> ConditionFetch:
        if condition.is_of_key:
            values = keys[condition.name]
            dtype = self._service.key_types[condition.name]
            converted = key_values([values] if isinstance(values, str | bytes) else values, dtype, condition.name)
            passes = [value is not None and _text_of(value) in condition.values for value in converted]
            return ConditionFetch(condition, np.array(passes, bool))
        plan = self._plans[condition.name.rpartition("__")[0]]
        length, (group,) = plan.keys({name: keys[name] for name in condition.keys})
        (lookup,), (older,) = plan.lookups, plan.older_schemas
        return ConditionFetch(condition, None, (WholeFetch(lookup, older, group), length), lookup.view.ttl)


def masked_column(values: Sequence[Any], like: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return masked Python values as a column of the type that the real values have, and where they are missing.

    >>> masked_column([30, None], np.array([37, 41]))
    (array([30,  0]), array([False,  True]))
    """
    missing = np.array([value is None for value in values], bool)
    if like.dtype.kind == "O":
        column = np.empty(len(values), object)
        column[:] = list(values)
        return column, missing
    column = np.full(like.shape, np.nan, like.dtype) if like.dtype.kind == "f" else np.zeros(like.shape, like.dtype)
    if like.dtype.kind == "M":
        column[:] = np.datetime64("NaT")
        values = [None if value is None else np.datetime64(value.replace(tzinfo=None), "us") for value in values]
    for place in np.flatnonzero(~missing).tolist():
        column[place] = values[place]
    return column, missing


def _text_of(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return str(value).lower() if isinstance(value, bool) else str(value)
