"""Syslog by RFC 5424; ``-`` is nothing, and a byte order mark may stand before the message."""

import polars as pl

from feature_repo.stores.spine import parse_instants
from transforms.raw.logs.format import LogFile, LogFormat, groups, known
from transforms.raw.logs.syslog import level

_PATTERN = r"^(?:[0-9]+ )?<[0-9]{1,3}>1 "
_LINE = (
    r"(?s)^(?:[0-9]+ )?<(?P<priority>[0-9]{1,3})>1 (?P<time>\S+) (?P<host>\S+) (?P<program>\S+) (?P<pid>\S+) \S+ "
    r'(?:-|(?:\[(?:[^"\]]|"(?:[^"\\]|\\.)*")*\])+)(?: \x{FEFF}?(?P<message>.*))?$'
)


def _parse(lines: pl.Series, file: LogFile) -> pl.DataFrame:
    rows = groups(lines, _LINE)
    return rows.select(
        parse_instants(rows["time"]).alias("event_timestamp"),
        pl.when(pl.col("time") == "-").then(pl.lit("no time")).alias("reason"),
        known("pid").alias("pid"),
        "message",
        host_id=known("host"),
        program=known("program").fill_null("syslog"),
        level=level("priority"),
    )


RFC5424 = LogFormat("RFC 5424", "log_lines", _PATTERN, _parse)
