"""A log of online lookups: what was asked, when, and what was answered, for ``python -m training audit``.

``REFRAIN_LOG_LOOKUPS=0.01`` logs one lookup in a hundred, as JSON lines in ``data/lookups/<service>/date=…/``. Writing
is done by a thread of its own (``background_log``); lookups are never held up.
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
    """Logs some of the lookups of one process.

    Args:
        home: the data folder.
        share: of the lookups that are logged, 0 to 1.
    """

    WHAT = "lookups"

    def __init__(self, home: Home, share: float) -> None:
        super().__init__(share)
        self._home = home

    @classmethod
    def from_env(cls, home: Home) -> "LookupLog | None":
        """After ``REFRAIN_LOG_LOOKUPS``; one log for each data folder of the process, None without the variable.

        Raises:
            InputError: it is no share.
        """
        share = share_of("REFRAIN_LOG_LOOKUPS")
        return _shared(home, share) if share else None

    def put(self, keys: Mapping[str, Sequence[Any]], request: Mapping[str, Any], rows: "OnlineRows") -> None:
        """Log a lookup, soon; never waits."""
        self.tell((dict(keys), dict(request), rows))

    def line(self, told: Any) -> tuple[Path, dict[str, Any]]:
        """One lookup."""
        keys, request, rows = told
        at = rows.looked_up_at
        day = datetime.fromtimestamp(at, UTC).date()
        return self._home.lookups(rows.service.name) / f"date={day}", {
            "at": round(at * 1e6),
            "fingerprint": rows.service.fingerprint,
            "keys": {
                name: _repeated(list(map(_in_json, key_values(keys[name], dtype, name))), len(rows))
                for name, dtype in rows.service.key_types.items()
            },
            "request": {name: _of_rows(value) for name, value in request.items()},
            "values": {name: _plain(values) for name, values in rows.values.items()},
            "events": {view: _micros(times) for view, times in rows.event_times.items()},
        }


@cache
def _shared(home: Home, share: float) -> LookupLog:
    return LookupLog(home, share)


def _repeated(listed: list[Any], length: int) -> list[Any]:
    return listed * length if len(listed) == 1 else listed


def _in_json(key: Any) -> Any:
    """A converted key in a form that converts back to it."""
    if isinstance(key, datetime):
        return key.isoformat()
    return key.decode(errors="backslashreplace") if isinstance(key, bytes) else key


def _of_rows(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value


def _plain(values: list[Any]) -> list[Any]:
    return [value.tolist() if isinstance(value, np.ndarray | np.generic) else value for value in values]


def _micros(times: np.ndarray) -> list[int | None]:
    return [None if math.isnan(at) else round(at * 1e6) for at in times.tolist()]
