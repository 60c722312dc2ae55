"""JSON lines that a thread of its own writes, so that answers never wait for the disk."""

import atexit
import logging
import math
import os
import queue
import random
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from feature_repo.errors import InputError

WAITING = 1_000
"""Lines that may wait to be written."""


class BackgroundLog:
    """Writes some of what it is told, soon. Safe to share between threads.

    Where writing falls behind, lines are left out and counted; a log that cannot be written says so once.

    Args:
        share: of what it is asked about that is wanted, 0 to 1.

    Attributes:
        left_out: lines that were wanted and not written.
        on_left_out: called for each of them.
    """

    WHAT = "lines"

    def __init__(self, share: float) -> None:
        self._share = share
        self._waiting: queue.Queue[Any] = queue.Queue(WAITING)
        self._name = f"{os.getpid()}-{uuid.uuid4().hex[:8]}.jsonl"
        self.left_out = 0
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._failed = False
        self.on_left_out: Callable[[], None] = lambda: None

    def line(self, told: Any) -> tuple[Path, dict[str, Any]]:
        """The folder and the line of what was told; runs in the thread."""
        raise NotImplementedError

    def wants(self) -> bool:
        """Whether to log this one."""
        return self._share >= 1 or random.random() < self._share

    def tell(self, told: Any) -> None:
        """Log it, soon; never waits."""
        self._start()
        try:
            self._waiting.put_nowait(told)
        except queue.Full:
            self._leave_out()

    def flush(self) -> None:
        """Wait until everything is written."""
        if self._thread is not None:
            self._waiting.join()

    def _leave_out(self) -> None:
        self.left_out += 1
        self.on_left_out()

    def _start(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            with self._lock:
                if self._thread is None or not self._thread.is_alive():
                    self._thread = threading.Thread(target=self._write_all, name=f"log of {self.WHAT}", daemon=True)
                    self._thread.start()
                    atexit.register(self.flush)

    def _write_all(self) -> None:
        import msgspec

        while True:
            told = self._waiting.get()
            try:
                folder, line = self.line(told)
                folder.mkdir(parents=True, exist_ok=True)
                with (folder / self._name).open("ab") as file:
                    file.write(msgspec.json.encode(line, enc_hook=str) + b"\n")
            except Exception as error:  # a log must not bring serving down
                self._leave_out()
                if not self._failed:
                    logging.getLogger("refrain").warning("%s are not logged: %s", self.WHAT, error)
                self._failed = True
            finally:
                self._waiting.task_done()


def share_of(variable: str) -> float:
    """The share that an environment variable names; 0 if it is not set.

    Raises:
        InputError: it is no share.
    """
    text = os.environ.get(variable, "")
    if not text:
        return 0.0
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:
        raise InputError(
            expected=f"{variable} as a share from 0 to 1, such as 0.01",
            found=repr(text),
            next_command=f"export {variable}=0.01",
        )
    return share
