"""The definition of a log format, and what the parsers of formats share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
import polars as pl

from transforms.raw.table import MICROSECONDS_UTC

REASON = "reason"
"""Column of a parsed frame: why a line is refused; only where the format knows more than that it does not fit."""

REQUEST = {
    "event_timestamp": MICROSECONDS_UTC,
    "host_id": pl.String(),
    "client_ip": pl.String(),
    "user_id": pl.String(),
    "method": pl.String(),
    "target": pl.String(),
    "status": pl.Int64(),
    "latency_us": pl.Int64(),
    "bytes": pl.Int64(),
    REASON: pl.String(),
}
"""Columns that a parser of access logs may give; missing ones are null."""

LINE = {
    "event_timestamp": MICROSECONDS_UTC,
    "host_id": pl.String(),
    "program": pl.String(),
    "pid": pl.String(),
    "level": pl.String(),
    "message": pl.String(),
    REASON: pl.String(),
}
"""Columns that a parser of other logs may give; missing ones are null."""

COLUMNS = {"requests": REQUEST, "log_lines": LINE}
"""Raw table → columns that parsers give for it."""

LEVELS = ("emerg", "alert", "crit", "error", "warning", "notice", "info", "debug")
"""Severities of syslog, by number."""


@dataclass
class LogFile:
    """One log file while it is read.

    Attributes:
        modified: when it was last changed.
        is_cut: whether the last of the lines that are parsed now has no end of line.
        fields: names of the columns, where the file names them.
        undated: (lines,) times without a year of each block, as formats note them in ``survey``.
        dated: whether, and how far, years were given to ``undated``: (lines,) years that are not used yet.
    """

    modified: datetime
    is_cut: bool = False
    fields: Sequence[str] = ()
    undated: list[pl.Series] = field(default_factory=list)
    dated: pl.Series | None = None


@dataclass(frozen=True)
class LogFormat:
    """One format of log lines.

    Attributes:
        name: name of the format, for people.
        table: raw table of the lines: ``requests`` or ``log_lines``.
        pattern: regular expression (Rust) that the first line of every record matches, and no line of other formats.
        parse: function from (lines,) texts that match to a frame of as many rows with columns of ``COLUMNS``; a line
            without a time is refused.
        continues: whether a line that matches no format continues the message before it.
        ignored: regular expression of lines that are no records, such as a header; they are parsed, but not counted.
        survey: function that looks at all lines of a file before the first is parsed; None if that is not necessary.
    """

    name: str
    table: str
    pattern: str
    parse: Callable[[pl.Series, LogFile], pl.DataFrame]
    continues: bool = False
    ignored: str = ""
    survey: Callable[[pl.Series, LogFile], None] | None = None


def groups(lines: pl.Series, pattern: str) -> pl.DataFrame:
    """The named groups of a regular expression in each line; all null where it does not match.

    >>> groups(pl.Series(["a=1", "b"]), "^(?P<name>[a-z])=(?P<value>[0-9])$").rows()
    [('a', '1'), (None, None)]
    """
    return lines.str.extract_groups(pattern).struct.unnest()


def known(column: str) -> pl.Expr:
    """A column of texts, null where the log has ``-`` or nothing in its place."""
    return pl.when(~pl.col(column).is_in(["", "-"])).then(pl.col(column))


def whole(column: str) -> pl.Expr:
    """A column of texts as whole numbers, null where there is none."""
    return pl.col(column).cast(pl.Int64, strict=False)


def microseconds(column: str) -> pl.Expr:
    """A column of seconds with decimals as whole microseconds, null where there is none or it is negative (-1)."""
    micros = (pl.col(column).cast(pl.Float64, strict=False) * 1_000_000).round().cast(pl.Int64, strict=False)
    return pl.when(micros >= 0).then(micros)


def request_line(column: str) -> list[pl.Expr]:
    """Columns ``method`` and ``target`` of a request such as ``GET /x HTTP/1.1``; null where it is no HTTP."""
    parts = pl.col(column).str.extract_groups(r"^(?P<method>[A-Z]{3,16}) (?P<target>\S.*?)(?: HTTP/[0-9.]+)?$")
    return [parts.struct.field("method"), parts.struct.field("target")]


def address(column: str) -> pl.Expr:
    """A column of addresses without port and brackets: ``[2001:db8::7]:443``, ``192.0.2.1:80``."""
    return known(column).str.replace(r"^(?:\[([^\]]+)\](?::[0-9]+)?|([0-9.]+):[0-9]+)$", "${1}${2}")


def json_objects(lines: pl.Series, shape: Any = dict) -> tuple[list[Any], list[str | None]]:
    """The objects of lines of JSON, None where it is none; and the reasons.

    >>> json_objects(pl.Series(['{"a": 1}', '{"a": "\\\\x22"}']))
    ([{'a': 1}, None], [None, 'no JSON: \\\\x22'])
    """
    decode = msgspec.json.Decoder(dict[str, Any] if shape is dict else shape).decode
    objects: list[Any] = []
    reasons: list[str | None] = []
    for line in lines:
        try:
            objects.append(decode(line))
            reasons.append(None)
        except (msgspec.MsgspecError, RecursionError):
            objects.append(None)
            reasons.append(r"no JSON: \x22" if r"\x" in line else "no JSON, or not as the format has it")
    return objects, reasons


def from_epoch(seconds: float | None) -> datetime | None:
    """The time of seconds since 1970, as JSON has it; None if it is none.

    >>> from_epoch(1709287200.5).isoformat()
    '2024-03-01T10:00:00.500000+00:00'
    """
    try:
        return None if seconds is None else datetime.fromtimestamp(round(seconds * 1_000_000) / 1_000_000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
