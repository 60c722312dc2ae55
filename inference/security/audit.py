"""A record of who did what: refusals, reads of features about people, acts of administrators, keys made and revoked.

JSON lines in ``data/audit_log/tenant=…/date=…/``, written by a thread of its own. What callers sent stands in JSON
strings, so that no line break of theirs makes a line. Bodies and secrets are never written.
"""

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from feature_repo.home import Home
from inference.monitoring.background_log import BackgroundLog

LONGEST = 200
"""Characters of one field."""
MOST_REFUSALS = 20
"""Refusals that are written a second; of the others the next line tells how many: an attack must not fill the disk."""


class AuditLog(BackgroundLog):
    """Writes the record of one process."""

    WHAT = "acts"

    def __init__(self, home: Home) -> None:
        super().__init__(share=1.0)
        self._folder = home.audit_log
        self._second, self._refusals, self._unwritten = 0, 0, 0

    def put(self, act: str, **told: Any) -> None:
        """Write down an act, soon; never waits.

        Args:
            act: what was done, such as ``refused``, ``features``, ``administer``, ``key created``.
            told: who, from where, and what else there is to know.
        """
        if act == "refused":
            second = int(time.monotonic())
            if second != self._second:
                self._second, self._refusals = second, 0
            self._refusals += 1
            if self._refusals > MOST_REFUSALS:
                self._unwritten += 1
                return
        if self._unwritten:
            told["unwritten"], self._unwritten = self._unwritten, 0
        self.tell((datetime.now(UTC), act, told))

    def line(self, told: Any) -> tuple[Path, dict[str, Any]]:
        """One act."""
        at, act, fields = told
        short = {name: value[:LONGEST] if isinstance(value, str) else value for name, value in fields.items()}
        return self._folder / f"date={at.date()}", {"at": at.isoformat(), "act": act, **short}


def acts(home: Home) -> Iterator[dict[str, Any]]:
    """All that was written down, oldest day first; lines that were cut off by a crash are left out."""
    from transforms.logged import lines  # data frames come with it: not for a process that serves

    for day in reversed(lines.days(home.audit_log)):
        yield from lines.lines(day)


def cell(value: Any) -> str:
    """A value for a table that a spreadsheet opens: what it would take for a formula is taken for a text.

    >>> cell("=1+1"), cell("u1"), cell(None)
    ("'=1+1", 'u1', '')
    """
    text = "" if value is None else re.sub(r"[\r\n\t]", " ", str(value)).lstrip()
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text
