"""A log of online lookups: what was asked, when, and what was answered, for ``python -m training audit``.

``REFRAIN_LOG_LOOKUPS=0.01`` logs one lookup in a hundred, as JSON lines in ``data/lookups/<service>/date=…/``. Writing
is done by a thread of its own; where it falls behind, lookups are left out and counted, never held up. A log that
cannot be written says so once.
"""

import atexit
import logging
import math
import os
import queue
import random
import threading
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from feature_repo.errors import InputError
from feature_repo.home import Home

if TYPE_CHECKING:
    from inference.features import OnlineRows

WAITING = 1_000
"""Lookups that may wait to be written."""


class LookupLog:
    """Logs some of the lookups of one process. Safe to share between threads.

    Args:
        home: the data folder.
        share: of the lookups that are logged, 0 to 1.

    Attributes:
        left_out: lookups that were chosen and not written, for the log was behind or could not be written.
    """

    def __init__(self, home: Home, share: float) -> None:
        self._home, self._share = home, share
        self._waiting: queue.Queue[Any] = queue.Queue(WAITING)
        self._name = f"{os.getpid()}-{uuid.uuid4().hex[:8]}.jsonl"
        self.left_out = 0
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._failed = False

    @classmethod
    def from_env(cls, home: Home) -> "LookupLog | None":
        """After ``REFRAIN_LOG_LOOKUPS``; one log for each data folder of the process, None without the variable.

        Raises:
            InputError: it is no share.
        """
        text = os.environ.get("REFRAIN_LOG_LOOKUPS", "")
        if not text:
            return None
        try:
            share = float(text)
        except ValueError:
            share = math.nan
        if not 0 <= share <= 1:
            raise InputError(
                expected="REFRAIN_LOG_LOOKUPS as a share from 0 to 1, such as 0.01",
                found=repr(text),
                next_command="export REFRAIN_LOG_LOOKUPS=0.01",
            )
        return _shared(home, share) if share else None

    def wants(self) -> bool:
        """Whether to log this one."""
        return self._share >= 1 or random.random() < self._share

    def put(self, keys: Mapping[str, Sequence[Any]], request: Mapping[str, Any], rows: "OnlineRows") -> None:
        """Log a lookup, soon; never waits."""
        self._start()
        try:
            self._waiting.put_nowait((dict(keys), dict(request), rows))
        except queue.Full:
            self.left_out += 1

    def flush(self) -> None:
        """Wait until everything is written."""
        if self._thread is not None:
            self._waiting.join()

    def _start(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            with self._lock:
                if self._thread is None or not self._thread.is_alive():
                    self._thread = threading.Thread(target=self._write_all, name="lookup log", daemon=True)
                    self._thread.start()
                    atexit.register(self.flush)

    def _write_all(self) -> None:
        while True:
            keys, request, rows = self._waiting.get()
            try:
                self._write(keys, request, rows)
            except Exception as error:  # a log must not bring serving down
                self.left_out += 1
                if not self._failed:
                    logging.getLogger("refrain").warning("lookups are not logged: %s", error)
                self._failed = True
            finally:
                self._waiting.task_done()

    def _write(self, keys: dict[str, Any], request: dict[str, Any], rows: "OnlineRows") -> None:
        import msgspec

        at = rows.looked_up_at
        day = datetime.fromtimestamp(at, UTC).date()
        line = {
            "at": round(at * 1e6),
            "fingerprint": rows.service.fingerprint,
            "keys": {name: _repeated(values, len(rows)) for name, values in keys.items()},
            "request": request,
            "values": {name: _plain(values) for name, values in rows.values.items()},
            "events": {view: _micros(times) for view, times in rows.event_times.items()},
        }
        path = self._home.lookups(rows.service.name) / f"date={day}" / self._name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(msgspec.json.encode(line, enc_hook=str) + b"\n")


@cache
def _shared(home: Home, share: float) -> LookupLog:
    return LookupLog(home, share)


def _repeated(values: Any, length: int) -> list[Any]:
    listed = [values] if isinstance(values, str) or not isinstance(values, Sequence) else list(values)
    return listed * length if len(listed) == 1 else listed


def _plain(values: list[Any]) -> list[Any]:
    return [value.tolist() if isinstance(value, np.ndarray | np.generic) else value for value in values]


def _micros(times: np.ndarray) -> list[int | None]:
    return [None if math.isnan(at) else round(at * 1e6) for at in times.tolist()]
