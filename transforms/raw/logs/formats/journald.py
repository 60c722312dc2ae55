"""The journal of systemd as JSON, one object a line (``journalctl -o json``; systemd "Journal export formats").

Numbers are texts. A message that is not UTF-8 is a list of bytes, one that is too long null; a field that an entry has
several times is a list.
"""

from typing import Any

import polars as pl

from transforms.raw.logs.format import LEVELS, LINE, LogFile, LogFormat, from_epoch, json_objects

_PATTERN = r'^(?:data: |\x1e)?\{.*"__REALTIME_TIMESTAMP"\s*:'


def _parse(lines: pl.Series, file: LogFile) -> pl.DataFrame:
    entries, reasons = json_objects(lines.str.replace(r"^(?:data: |\x1e)", ""))
    rows = []
    for entry, reason in zip(entries, reasons, strict=True):
        if entry is None:
            rows.append((None,) * (len(LINE) - 1) + (reason,))
            continue
        program = _text(entry.get("SYSLOG_IDENTIFIER")) or _text(entry.get("_COMM")) or "journal"
        pid = _text(entry.get("_PID")) or _text(entry.get("SYSLOG_PID"))
        rows.append(
            (
                _time(entry.get("__REALTIME_TIMESTAMP")),
                _text(entry.get("_HOSTNAME")),
                program,
                pid,
                _level(entry.get("PRIORITY")),
                _text(entry.get("MESSAGE")),
                None,
            )
        )
    return pl.DataFrame(rows, schema=LINE, orient="row")


def _text(value: Any) -> str | None:
    """The text of a field: one, a list of bytes, or the first of several."""
    if isinstance(value, list) and value and all(isinstance(byte, int) and 0 <= byte < 256 for byte in value):
        data = bytes(value)
        try:
            return data.decode()
        except UnicodeDecodeError:
            return data.decode("cp1252", "replace")
    if isinstance(value, list):
        return _text(value[0]) if value else None
    return None if value is None else str(value)


def _time(value: Any) -> Any:
    text = _text(value) or ""
    return from_epoch(int(text) / 1_000_000) if text.isascii() and text.isdigit() else None


def _level(value: Any) -> str | None:
    text = _text(value)
    return LEVELS[int(text)] if text and text in "01234567" and len(text) == 1 else None


JOURNALD = LogFormat("systemd's journal", "log_lines", _PATTERN, _parse)
