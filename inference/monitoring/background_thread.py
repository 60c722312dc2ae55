"""A thread that works off what others queue, so that no answer waits for it."""

import atexit
import contextlib
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

MAX_QUEUED = 1_000
"""Maximum number of items that wait."""
GATHER_S = 0.05
"""Seconds for which items gather, to be worked off together: a thread that woke for each would slow answers down."""
Item = TypeVar("Item")


class BackgroundThread(Generic[Item]):
    """Works items off in the order in which they were added. Safe to share between threads, and after a fork.

    Args:
        name: name of the thread.
        work: the work on the items that gathered; what it raises is logged, and the thread goes on.
        at_exit: what is called when the process ends; ``flush`` if None.

    >>> seen = []
    >>> thread = BackgroundThread("example", seen.extend)
    >>> thread.add(1), thread.flush(), seen
    (True, None, [1])
    """

    def __init__(
        self, name: str, work: Callable[[Sequence[Item]], None], at_exit: Callable[[], None] | None = None
    ) -> None:
        self._name, self._work, self._at_exit = name, work, at_exit or self.flush
        self._queue: queue.Queue[Item] = queue.Queue(MAX_QUEUED)
        self._lock, self._hurry = threading.Lock(), threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, item: Item) -> bool:
        """Queue an item; returns whether there was room for it. Never blocks."""
        self._start()
        try:
            self._queue.put_nowait(item)
        except queue.Full:
            return False
        finally:
            if self._queue.qsize() > MAX_QUEUED // 4:
                self._hurry.set()
        return True

    def flush(self) -> None:
        """Wait until all queued items are worked off."""
        if self._thread is not None:
            self._hurry.set()
            self._queue.join()

    def _start(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            with self._lock:
                if self._thread is None or not self._thread.is_alive():
                    self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                    self._thread.start()
                    atexit.register(self._at_exit)

    def _run(self) -> None:
        while True:
            items = [self._queue.get()]
            self._hurry.wait(GATHER_S)
            self._hurry.clear()
            with contextlib.suppress(queue.Empty):
                while True:
                    items.append(self._queue.get_nowait())
            try:
                self._work(items)
            except Exception:  # whatever was raised, the next items may succeed
                logging.getLogger("refrain").exception("%s failed", self._name)
            finally:
                for _ in items:
                    self._queue.task_done()
