"""Something done every so often, in a thread of its own."""

import logging
import threading
from collections.abc import Callable

_log = logging.getLogger("refrain.ticker")


class Ticker:
    """Does some work again and again until it is closed; what the work raises is told, and it is done again.

    Args:
        name: of the thread.
        seconds: between two ends and beginnings.
        work: to be done; seconds that it returns are waited in addition.
    """

    def __init__(self, name: str, seconds: float, work: Callable[[], float | None]) -> None:
        self._seconds, self._work = seconds, work
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End, when the work that is being done is done."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(self._seconds):
            try:
                more = self._work()
            except Exception:  # whatever it is, the next time may be better
                _log.exception("%s failed", self._thread.name)
            else:
                self._ended.wait(more or 0.0)
