"""When the last notice of each incident was sent, for one process or for all processes of a data folder."""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from feature_repo.whole_files import write_whole

MAX_INCIDENTS = 100_000
"""Maximum number of incidents that are remembered; beyond it those with the oldest notices are dropped."""


class NoticeTimes:
    """Times of notices by incident. A thread uses it alone.

    Args:
        file: where the processes share the times; without one, or where it cannot be written, they are of this process.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._times: dict[str, float] = {}

    @contextmanager
    def update(self) -> Iterator[dict[str, float]]:
        """Yield incident → time of its last notice, to read and to change; no other process does so meanwhile."""
        with contextlib.ExitStack() as stack:
            if self._file is not None:
                with contextlib.suppress(OSError, ValueError):
                    self._file.parent.mkdir(parents=True, exist_ok=True)
                    lock = os.open(self._file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
                    stack.callback(os.close, lock)
                    fcntl.flock(lock, fcntl.LOCK_EX)
                    self._times = {str(key): float(at) for key, at in json.loads(self._file.read_bytes()).items()}
            before = dict(self._times)
            yield self._times
            if len(self._times) > MAX_INCIDENTS:
                oldest = sorted(self._times, key=self._times.__getitem__)[: len(self._times) - MAX_INCIDENTS]
                for key in oldest:
                    del self._times[key]
            if self._file is not None and self._times != before:
                with contextlib.suppress(OSError):
                    write_whole(self._file, json.dumps(self._times))
