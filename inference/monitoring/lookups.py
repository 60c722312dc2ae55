"""The log of online lookups: keys, request fields, time and values, for ``refrain model audit``.

``REFRAIN_LOG_LOOKUPS=0.01`` logs one lookup in a hundred, as JSON lines in ``data/lookups/<service>/date=…/``. A
background thread writes them (``background_log``); lookups never wait.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from feature_repo.home import Home
from feature_repo.keys import key_values
from inference.monitoring.background_log import BackgroundLog, share_of

if TYPE_CHECKING:
    from inference.features.rows import OnlineRows


class LookupLog(BackgroundLog):
    """Logs a share of the lookups of one process.

    Args:
        home: the data folder.
        share: share of the lookups to log, 0 to 1.
    """

    WHAT = "lookups"

    def __init__(self, home: Home, share: float) -> None:
        super().__init__(share, home)
        self._home = home

    @classmethod
    def from_env(cls, home: Home) -> "LookupLog | None":
        """Return the log set up by ``REFRAIN_LOG_LOOKUPS``, one for each data folder; None without the variable.

        Raises:
            InputError: the variable is not a share from 0 to 1.
        """
        share = share_of("REFRAIN_LOG_LOOKUPS")
        return _shared(home, share) if share else None

    def put(self, keys: Mapping[str, Sequence[Any]], request: Mapping[str, Any], rows: "OnlineRows") -> None:
        """Queue a lookup to be logged; never blocks."""
        self.add((dict(keys), dict(request), rows))

    def to_line(self, record: Any) -> tuple[Path, dict[str, Any]]:
        """Return the folder and the log line of one lookup."""
        keys, request, rows = record
        at = rows.looked_up_at
        day = datetime.fromtimestamp(at, UTC).date()
        return self._home.lookups(rows.service.name) / f"date={day}", {
            "at": round(at * 1e6),
            "fingerprint": rows.service.fingerprint,
            "keys": {
                name: _repeat(list(map(_key_to_json, key_values(keys[name], dtype, name))), len(rows))
                for name, dtype in rows.service.key_types.items()
            },
            "request": {name: _field_to_json(value) for name, value in request.items()},
            "values": {name: _values_to_json(values) for name, values in rows.values.items()},
            "events": {view: _times_to_us(times) for view, times in rows.event_times.items()},
        }


@cache
def _shared(home: Home, share: float) -> LookupLog:
    return LookupLog(home, share)


def _repeat(values: list[Any], length: int) -> list[Any]:
    return values * length if len(values) == 1 else values


def _key_to_json(key: Any) -> Any:
    """Turn a converted key into a JSON value that converts back to the same key."""
    if isinstance(key, datetime):
        return key.isoformat()
    return key.decode(errors="backslashreplace") if isinstance(key, bytes) else key


def _field_to_json(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value


def _values_to_json(values: list[Any]) -> list[Any]:
    return [value.tolist() if isinstance(value, np.ndarray | np.generic) else value for value in values]


def _times_to_us(times: np.ndarray) -> list[int | None]:
    return [None if math.isnan(at) else round(at * 1e6) for at in times.tolist()]
