"""The audit log: refusals, reads of features about people, acts of administrators, keys created and revoked.

JSON lines in ``data/audit_log/tenant=…/date=…/``, written by a thread of its own. Values that callers sent are escaped
as JSON strings, so that a line break in them cannot forge a line. Bodies and secrets are never written.
"""

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from feature_repo.home import Home
from inference.monitoring.background_log import BackgroundLog

MAX_FIELD_LENGTH = 200
"""Maximum characters of one field."""
MAX_REFUSALS_PER_SECOND = 20
"""Maximum refusals written per second, so that an attack cannot fill the disk; the next line counts the others."""


class AuditLog(BackgroundLog):
    """Writes the audit log of one process."""

    WHAT = "acts"

    def __init__(self, home: Home) -> None:
        super().__init__(share=1.0)
        self._folder = home.audit_log
        self._second, self._refusals, self._unwritten = 0, 0, 0

    def put(self, act: str, **details: str | int) -> None:
        """Log an act; does not block.

        Args:
            act: kind of the act, such as ``refused``, ``features``, ``administer``, ``key created``.
            details: caller, address and other fields of the act.
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
        self.add((datetime.now(UTC), act, details))

    def to_line(self, entry: Any) -> tuple[Path, dict[str, Any]]:
        """Return the file and the fields of one act."""
        at, act, fields = entry
        short = {name: value[:MAX_FIELD_LENGTH] if isinstance(value, str) else value for name, value in fields.items()}
        return self._folder / f"date={at.date()}", {"at": at.isoformat(), "act": act, **short}


def acts(home: Home) -> Iterator[dict[str, Any]]:
    """Read all acts, oldest day first; lines truncated by a crash are left out."""
    from transforms.logged import lines  # imports data frames, which a serving process does without

    for day in reversed(lines.days(home.audit_log)):
        yield from lines.lines(day)


def cell(value: Any) -> str:
    """Format a value for a CSV that a spreadsheet opens; formulas are escaped so that they stay text.

    >>> cell("=1+1"), cell("u1"), cell(None)
    ("'=1+1", 'u1', '')
    """
    text = "" if value is None else re.sub(r"[\r\n\t]", " ", str(value)).lstrip()
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text
