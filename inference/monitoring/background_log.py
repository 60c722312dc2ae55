"""Logs of JSON lines that a background thread writes, so that answers never wait for the disk."""

import logging
import math
import os
import random
import threading
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from feature_repo.appended_lines import append_line, sealed_logs
from feature_repo.errors import InputError
from feature_repo.home import Home
from inference.monitoring.background_thread import BackgroundThread


class BackgroundLog:
    """Writes a share of the records that it gets, asynchronously. Safe to share between threads.

    If writing falls behind, records are dropped and counted. A log that cannot be written warns once until it can be.

    Where encryption is on when a log begins, its lines are sealed, those that gathered as one block.

    Args:
        share: share of the records to log, 0 to 1.
        home: the data folder.

    Attributes:
        left_out: number of records that were dropped.
        on_left_out: called for each dropped record.
    """

    WHAT = "lines"

    def __init__(self, share: float, home: Home) -> None:
        self._share = share
        self._sealed = sealed_logs(home)
        self._name = f"{os.getpid()}-{uuid.uuid4().hex[:8]}.jsonl"
        self.left_out = 0
        self._thread = BackgroundThread[Any](f"log of {self.WHAT}", self._write_together, self.close)
        self._file_lock = threading.Lock()
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
        if not self._thread.add(record):
            self.drop()

    def flush(self) -> None:
        """Wait until all queued records are written."""
        self._thread.flush()

    def close(self) -> None:
        """Write all queued records, and end the files if they are sealed; later records begin others."""
        self.flush()
        with self._file_lock:
            if self._sealed is not None:
                self._sealed.close()

    def drop(self) -> None:
        """Count a record that was not written."""
        self.left_out += 1
        self.on_left_out()

    def _write_together(self, records: Sequence[Any]) -> None:
        """Write records to their files, all of a file at once; if that fails, one by one."""
        lines: dict[Path, list[bytes]] = {}
        for record in records:
            try:
                folder, line = self._encode(record)
            except Exception as error:  # a log must not bring serving down
                self._fail(error)
            else:
                lines.setdefault(folder, []).append(line)
        for folder, content in lines.items():
            try:
                self._append(folder, b"\n".join(content))
                self._failed = False
            except Exception as error:
                self._append_each(folder, content, error)

    def _append_each(self, folder: Path, lines: Sequence[bytes], error: Exception) -> None:
        """Write lines one by one, after all of them at once could not be written."""
        if len(lines) == 1:
            self._fail(error)
            return
        for line in lines:
            try:
                self._append(folder, line)
            except Exception as line_error:
                self._fail(line_error)

    def _fail(self, error: Exception) -> None:
        """Count a record that could not be written; warn about the first."""
        self.drop()
        if not self._failed:
            logging.getLogger("refrain").warning("%s are not logged: %s", self.WHAT, error)
        self._failed = True

    def write(self, record: Any) -> None:
        """Write a record now, in a file and a folder that only their owner can read.

        Raises:
            OSError: it cannot be written.
        """
        self._append(*self._encode(record))

    def _encode(self, record: Any) -> tuple[Path, bytes]:
        import msgspec

        folder, line = self.to_line(record)
        return folder, msgspec.json.encode(line, enc_hook=str)

    def _append(self, folder: Path, lines: bytes) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._file_lock:
            if self._sealed is None:
                append_line(folder / self._name, lines)
            else:
                self._sealed.append(folder / self._name, lines)


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
