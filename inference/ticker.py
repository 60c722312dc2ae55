"""Repeats a function at an interval, in a thread of its own."""

import logging
import threading
from collections.abc import Callable

_log = logging.getLogger("refrain.ticker")


class Ticker:
    """Calls a function repeatedly until it is closed; exceptions are logged and the calls go on.

    Args:
        name: name of the thread.
        seconds: seconds between the end of one call and the start of the next.
        work: the function; seconds that it returns are waited in addition.
    """

    def __init__(self, name: str, seconds: float, work: Callable[[], float | None]) -> None:
        self._seconds, self._work = seconds, work
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Stop the thread after the call that is running."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(self._seconds):
            try:
                extra_s = self._work()
            except Exception:  # whatever was raised, the next call may succeed
                _log.exception("%s failed", self._thread.name)
            else:
                self._ended.wait(extra_s or 0.0)
