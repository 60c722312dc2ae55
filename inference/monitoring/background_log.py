"""Logs of JSON lines that a background thread writes, so that answers never wait for the disk."""

import atexit
import errno
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

MAX_QUEUED = 1_000
"""Maximum number of records that wait to be written."""


class BackgroundLog:
    """Writes a share of the records that it gets, asynchronously. Safe to share between threads.

    If writing falls behind, records are dropped and counted. A log that cannot be written warns once until it can be.

    Args:
        share: share of the records to log, 0 to 1.

    Attributes:
        left_out: number of records that were dropped.
        on_left_out: called for each dropped record.
    """

    WHAT = "lines"

    def __init__(self, share: float) -> None:
        self._share = share
        self._queue: queue.Queue[Any] = queue.Queue(MAX_QUEUED)
        self._name = f"{os.getpid()}-{uuid.uuid4().hex[:8]}.jsonl"
        self.left_out = 0
        self._thread: threading.Thread | None = None
        self._lock, self._file_lock = threading.Lock(), threading.Lock()
        self._failed = False
        self.on_left_out: Callable[[], None] = lambda: None

    def to_line(self, record: Any) -> tuple[Path, dict[str, Any]]:
        """Return the folder and the log line of a record; runs in the background thread."""
        raise NotImplementedError

    def wants(self) -> bool:
        """Decide at random, by the share, whether to log the next record."""
        return self._share >= 1 or random.random() < self._share

    def add(self, record: Any) -> None:
        """Queue a record to be logged; never blocks."""
        self._start()
        try:
            self._queue.put_nowait(record)
        except queue.Full:
            self.drop()

    def flush(self) -> None:
        """Wait until all queued records are written."""
        if self._thread is not None:
            self._queue.join()

    def drop(self) -> None:
        """Count a record that was not written."""
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
        while True:
            record = self._queue.get()
            try:
                self.write(record)
            except Exception as error:  # a log must not bring serving down
                self.drop()
                if not self._failed:
                    logging.getLogger("refrain").warning("%s are not logged: %s", self.WHAT, error)
                self._failed = True
            else:
                self._failed = False
            finally:
                self._queue.task_done()

    def write(self, record: Any) -> None:
        """Write a record now, in a file and a folder that only their owner can read.

        Raises:
            OSError: it cannot be written.
        """
        import msgspec

        folder, line = self.to_line(record)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._file_lock:
            append_line(folder / self._name, msgspec.json.encode(line, enc_hook=str))


def append_line(path: Path, line: bytes) -> None:
    """Append a line to a file in one write; of a line that does not fit on the disk nothing is left.

    Raises:
        OSError: the disk is full, or the file cannot be written.
    """
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        length, content = os.fstat(handle).st_size, line + b"\n"
        if os.write(handle, content) < len(content):
            os.ftruncate(handle, length)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    finally:
        os.close(handle)


def share_of(variable: str) -> float:
    """Read a share from an environment variable; 0 if it is not set.

    Raises:
        InputError: the variable is not a share from 0 to 1.
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
