"""Lines of the audit log, and how commands write them; servers do so by ``inference.security.audit``."""

import logging
import os
import threading
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feature_repo.access.viewer import user_name
from feature_repo.appended_lines import append_line, sealed_logs
from feature_repo.errors import InputError, StoreError
from feature_repo.home import Home

if TYPE_CHECKING:
    from feature_repo.encryption.sealed_log import SealedLogs

Detail = str | int | list[str] | dict[str, list[str]]
"""A field of an act: a text, a number, texts, or the values of join keys."""
MAX_FIELD_LENGTH = 200
"""Maximum characters of one field."""
MAX_KEYS = 1_000
"""Maximum number of values of one join key that an act names; it has the number of the others."""
REQUIRED = "REFRAIN_AUDIT"
"""Environment variable that is ``required`` where what cannot be written down is refused."""
_FILE = f"{uuid.uuid4().hex[:8]}.jsonl"
_LOCK = threading.Lock()
_SEALED: "dict[tuple[Path, str], SealedLogs | None]" = {}
"""Data folder and tenant → what seals the logs that this process writes there; None where encryption is off."""


def is_required() -> bool:
    """Whether acts that cannot be written are refused.

    Raises:
        InputError: the variable is neither empty nor ``required``.
    """
    text = os.environ.get(REQUIRED, "")
    if text not in ("", "required"):
        raise InputError(
            expected="REFRAIN_AUDIT as required, or not set",
            found=repr(text),
            next_command="export REFRAIN_AUDIT=required",
        )
    return bool(text)


def write_act(home: Home, act: str, **details: Detail) -> None:
    """Writes an act of the user of this process, before it happens.

    Without ``REFRAIN_AUDIT=required`` an act that cannot be written is reported to the log of the process, and happens.

    Args:
        home: the data folder.
        act: kind of the act, such as ``person exported``.
        details: its fields.

    Raises:
        InputError: see ``is_required``.
        StoreError: the log is required and cannot be written.

    >>> write_act(home, "person exported", **whose({"user_id": ["u000042"]}))           # doctest: +SKIP
    """
    import msgspec

    required, at = is_required(), datetime.now(UTC)
    folder = folder_of(home.audit_log, at)
    line = msgspec.json.encode(line_of(at, act, {"key": f"os:{user_name()}", **details}), enc_hook=str)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _append(home, folder / f"{os.getpid()}-{_FILE}", line)
    except OSError as error:
        if required:
            raise unwritable(error) from error
        logging.getLogger("refrain").warning("%s is not in the audit log: %s", act, error)


def _append(home: Home, path: Path, line: bytes) -> None:
    """Appends a line to a log of this process, sealed where encryption is on."""
    with _LOCK:
        place = (home.root, home.tenant)
        if place not in _SEALED:
            _SEALED[place] = sealed_logs(home)
        sealed = _SEALED[place]
        if sealed is None:
            append_line(path, line)
        else:
            sealed.append(path, line)


def folder_of(log: Path, at: datetime) -> Path:
    """Returns the folder of the lines of a moment.

    >>> folder_of(Path("log"), datetime(2026, 2, 1)).as_posix()
    'log/date=2026-02-01'
    """
    return log / f"date={at.date()}"


def line_of(at: datetime, act: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the fields of a line, long texts shortened."""
    short = {name: value[:MAX_FIELD_LENGTH] if isinstance(value, str) else value for name, value in fields.items()}
    return {"at": at.isoformat(), "act": act, **short}


def unwritable(error: OSError) -> StoreError:
    """The error for a required act that cannot be written."""
    return StoreError(
        expected="an audit log that can be written, as REFRAIN_AUDIT=required says",
        found=error.strerror or type(error).__name__,
        next_command="refrain doctor",
    )


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
