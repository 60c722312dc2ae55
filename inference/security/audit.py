"""The audit log: refusals, what was read about people, acts of administrators, keys created and revoked.

An answer about people names whose rows it read: features, recommendations, predictions, forecasts of listeners, and
detections about accounts and addresses.

JSON lines in ``data/audit_log/tenant=…/date=…/``, readable by their owner. A thread of its own writes them; an act that
it cannot write is counted. With ``REFRAIN_AUDIT=required`` an act is written before it is answered, and refused if it
cannot be. Values that callers sent are escaped as JSON strings, so that a line break in them cannot forge a line.
Bodies and secrets are never written.
"""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from feature_repo.errors import InputError, StoreError
from feature_repo.home import Home
from inference.monitoring.background_log import BackgroundLog

Detail = str | int | dict[str, list[str]]
"""A field of an act: a text, a number, or the values of join keys."""
MAX_FIELD_LENGTH = 200
"""Maximum characters of one field."""
MAX_KEYS = 1_000
"""Maximum number of values of one join key that an act names; it has the number of the others."""
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
        super().__init__(share=1.0)
        self._folder, self._required = home.audit_log, required
        self._second, self._refusals, self._unwritten = 0, 0, 0

    @classmethod
    def from_env(cls, home: Home) -> "AuditLog":
        """Create the log that ``REFRAIN_AUDIT`` asks for.

        Raises:
            InputError: the variable is neither empty nor ``required``.
        """
        text = os.environ.get("REFRAIN_AUDIT", "")
        if text not in ("", "required"):
            raise InputError(
                expected="REFRAIN_AUDIT as required, or not set",
                found=repr(text),
                next_command="export REFRAIN_AUDIT=required",
            )
        return cls(home, required=bool(text))

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
            raise StoreError(
                expected="an audit log that can be written, as REFRAIN_AUDIT=required says",
                found=error.strerror or type(error).__name__,
                next_command="refrain doctor",
            ) from error

    def to_line(self, entry: Any) -> tuple[Path, dict[str, Any]]:
        """Return the file and the fields of one act."""
        at, act, fields = entry
        short = {name: value[:MAX_FIELD_LENGTH] if isinstance(value, str) else value for name, value in fields.items()}
        return self._folder / f"date={at.date()}", {"at": at.isoformat(), "act": act, **short}


def whose(keys: Mapping[str, Sequence[Any]]) -> dict[str, Detail]:
    """Return the fields of an act that name the rows it read: distinct values of each join key, at most ``MAX_KEYS``.

    >>> whose({"user_id": ["u1", "u1", "u2"]})
    {'keys': {'user_id': ['u1', 'u2']}}
    >>> whose({"user_id": [str(number) for number in range(1_003)]})["unnamed_keys"]
    3
    """
    named: dict[str, list[str]] = {}
    unnamed = 0
    for name, values in keys.items():
        distinct = list(dict.fromkeys(str(value)[:MAX_FIELD_LENGTH] for value in values))
        named[name[:MAX_FIELD_LENGTH]] = distinct[:MAX_KEYS]
        unnamed += max(len(distinct) - MAX_KEYS, 0)
    return {"keys": named, "unnamed_keys": unnamed} if unnamed else {"keys": named}


def acts(home: Home) -> Iterator[dict[str, Any]]:
    """Read all acts, oldest day first; lines truncated by a crash are left out."""
    from transforms.logged import lines  # imports data frames, which a serving process does without

    for day in reversed(lines.days(home.audit_log)):
        yield from lines.lines(day)
