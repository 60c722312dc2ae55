"""Calls that a thread makes by and by, so that no answer waits for them."""

import atexit
import contextlib
import logging
import queue
import threading
from collections.abc import Callable

MAX_QUEUED = 1_000
"""Maximum number of calls that wait to be made."""
GATHER_S = 0.05
"""Seconds for which calls gather: a thread that woke for each would slow answers down."""


class BackgroundCalls:
    """Makes calls one after the other, in the order in which they were added. Safe to share between threads.

    Args:
        name: name of the thread.

    >>> calls, seen = BackgroundCalls("example"), []
    >>> calls.add(lambda: seen.append(1)), calls.flush(), seen
    (True, None, [1])
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._queue: queue.Queue[Callable[[], object]] = queue.Queue(MAX_QUEUED)
        self._lock, self._hurry = threading.Lock(), threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, call: Callable[[], object]) -> bool:
        """Queue a call; returns whether there was room for it. Never blocks."""
        self._start()
        try:
            self._queue.put_nowait(call)
        except queue.Full:
            return False
        if self._queue.qsize() > MAX_QUEUED // 4:
            self._hurry.set()
        return True

    def flush(self) -> None:
        """Wait until all queued calls are made."""
        if self._thread is not None:
            self._hurry.set()
            self._queue.join()

    def _start(self) -> None:
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                    self._thread.start()
                    atexit.register(self.flush)

    def _run(self) -> None:
        while True:
            calls = [self._queue.get()]
            self._hurry.wait(GATHER_S)
            self._hurry.clear()
            with contextlib.suppress(queue.Empty):
                while True:
                    calls.append(self._queue.get_nowait())
            for call in calls:
                try:
                    call()
                except Exception:  # whatever was raised, the next call may succeed
                    logging.getLogger("refrain").exception("%s failed", self._name)
                finally:
                    self._queue.task_done()
