"""The audit log: refusals, what was read about people, acts of administrators, keys created and revoked.

An answer about people names whose rows it read: features, recommendations, predictions, forecasts of listeners, and
detections about accounts and addresses.

JSON lines in ``data/audit_log/tenant=…/date=…/``, readable by their owner. A thread of its own writes them; an act that
it cannot write is counted. With ``REFRAIN_AUDIT=required`` an act is written before it is answered, and refused if it
cannot be. Values that callers sent are escaped as JSON strings, so that a line break in them cannot forge a line.
Bodies and secrets are never written.
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from feature_repo.audit_lines import Detail, folder_of, is_required, line_of, unwritable
from feature_repo.home import Home
from inference.monitoring.background_log import BackgroundLog

MAX_REFUSALS_PER_SECOND = 20
"""Maximum refusals written per second, so that an attack cannot fill the disk; the next line counts the others."""


class AuditLog(BackgroundLog):
    """Writes the audit log of one process.

    Args:
        home: the data folder.
        required: whether acts other than refusals fail if they cannot be written.
    """

    WHAT = "acts"

    def __init__(self, home: Home, *, required: bool = False) -> None:
        super().__init__(1.0, home)
        self._folder, self._required = home.audit_log, required
        self._second, self._refusals, self._unwritten = 0, 0, 0

    @classmethod
    def from_env(cls, home: Home) -> "AuditLog":
        """Create the log that ``REFRAIN_AUDIT`` asks for.

        Raises:
            InputError: the variable is neither empty nor ``required``.
        """
        return cls(home, required=is_required())

    def put(self, act: str, **details: Detail) -> None:
        """Log an act; does not wait for the disk unless the log is required.

        Args:
            act: kind of the act, such as ``refused``, ``recommendation``, ``administer``, ``key created``.
            details: caller, address and other fields of the act.

        Raises:
            StoreError: the log is required and cannot be written.
        """
        if act == "refused":
            second = int(time.monotonic())
            if second != self._second:
                self._second, self._refusals = second, 0
            self._refusals += 1
            if self._refusals > MAX_REFUSALS_PER_SECOND:
                self._unwritten += 1
                return
        if self._unwritten:
            details["unwritten"], self._unwritten = self._unwritten, 0
        entry = (datetime.now(UTC), act, details)
        if not self._required or act == "refused":
            self.add(entry)
            return
        try:
            self.write(entry)
        except OSError as error:
            self.drop()
            raise unwritable(error) from error

    def to_line(self, entry: Any) -> tuple[Path, dict[str, Any]]:
        """Return the file and the fields of one act."""
        at, act, fields = entry
        return folder_of(self._folder, at), line_of(at, act, fields)


def acts(home: Home) -> Iterator[dict[str, Any]]:
    """Read all acts, oldest day first; lines truncated by a crash are left out."""
    from transforms.logged import lines  # imports data frames, which a serving process does without

    for day in reversed(lines.days(home.audit_log)):
        yield from lines.lines(day, home)
