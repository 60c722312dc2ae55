"""The result of a lookup for a caller who does not see everything: features are refused or masked.

Functions compute with real values; only what leaves these rows is masked, as values, columns, matrices and frames.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from feature_repo.access.sight import REASON, Sight
from feature_repo.errors import AccessError
from inference.features.access import masked_column
from inference.features.rows import LazyMapping, OnlineRows


class SeenRows(OnlineRows):
    """What a caller sees of rows.

    Attributes:
        sight: what the caller sees of the service.

    >>> rows = OnlineFeatures("listener_v1").get(keys, viewer=viewer)              # doctest: +SKIP
    >>> rows.hidden, rows.withheld                                                 # doctest: +SKIP
    ({'user_profile__gender': 'null'}, None)
    """

    def __init__(self, rows: OnlineRows, sight: Sight, withheld: np.ndarray | None) -> None:
        """Take rows with real values.

        Args:
            rows: the rows.
            sight: see ``SeenRows``.
            withheld: (n,) rows that the caller does not see; None if there are none.
        """
        vars(self).update(vars(rows))
        self._rows, self.sight, self.withheld = rows, sight, withheld
        rows._defaults = {}
        self.hidden = sight.hidden
        if rows.denied is not None and withheld is not None:  # nor is it said of whom there is no consent
            denied = rows.denied & ~withheld
            self.denied = denied if denied.any() else None
        self._names = {name: dtype for name, dtype in rows._names.items() if name not in sight.refused}
        self._masked: dict[str, list[Any]] = {}
        self._stored = {}

    @property
    def event_times(self) -> Mapping[str, np.ndarray]:
        """View → (n,) seconds since 1970 UTC, of views of which a feature is seen: a time says that a row is there."""
        seen = {name.rpartition("__")[0] for name in self._names if name not in self.sight.masks}
        times = self._rows.event_times
        return LazyMapping({view: None for view in times if view in seen}, times.__getitem__)

    def matrix(self, names: Sequence[str] | None = None) -> np.ndarray:
        """See ``OnlineRows.matrix``; without refused features if no names are given.

        Raises:
            AccessError: the caller is refused a feature.
            InputError: a name is not a numeric feature of the service.
        """
        feature_names = self._numeric if names is None else tuple(names)
        refused = [name for name in feature_names if name in self.sight.refused]
        if refused:
            raise AccessError(
                expected="features that the role of the caller sees", found=refused[0], next_command=REASON
            )
        matrix = super().matrix(feature_names)
        for column, name in enumerate(feature_names):
            if name in self.sight.masks:
                values, missing = self._column(name)
                seconds = values.astype(np.int64) / 1e6 if values.dtype.kind == "M" else values
                is_missing = missing & (name not in self._defaults)
                matrix[:, column] = np.where(is_missing, np.nan, seconds)
        return matrix

    @property
    def _numeric(self) -> tuple[str, ...]:
        return tuple(name for name in super()._numeric if name in self._names)

    def _column(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        if name not in self.sight.masks:
            return super()._column(name)
        if name not in self._stored:
            values, missing = masked_column(self._masked_values(name), self._rows.columns[name])
            if name in self._defaults:
                values[missing] = self._defaults[name]
            self._stored[name] = (values, missing)
        return self._stored[name]

    def _python_values(self, name: str) -> list[Any]:
        if name not in self.sight.masks:
            return super()._python_values(name)
        default = self._defaults.get(name)
        return [default if value is None else value for value in self._masked_values(name)]

    def _masked_values(self, name: str) -> list[Any]:
        """Return what takes the place of the values of a masked feature, without defaults."""
        if name not in self._masked:
            mask = self.sight.masks[name]
            is_empty = mask.kind.name == "null"
            values = [None] * self.length if is_empty else self._rows.values[name]
            self._masked[name] = mask.apply(values, self.sight.key, name)
        return self._masked[name]
