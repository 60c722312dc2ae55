"""Syslog with times in ISO 8601: rsyslog since Debian 12, and ``journalctl -o short-iso``."""

import polars as pl

from feature_repo.stores.spine import parse_instants
from transforms.raw.logs.format import LogFile, LogFormat, groups
from transforms.raw.logs.syslog import PRIORITY, TAGGED, level

_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]+)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
_PATTERN = rf"^(?:<[0-9]{{1,3}}>)?{_TIME} \S+ [^\s\[:]+(?:\[[0-9]+\])?:(?: |$)"
_LINE = rf"(?s)^{PRIORITY}(?P<time>{_TIME}) {TAGGED}$"


def _parse(lines: pl.Series, file: LogFile) -> pl.DataFrame:
    rows = groups(lines, _LINE)
    return rows.select(
        parse_instants(rows["time"]).alias("event_timestamp"),
        "pid",
        "message",
        host_id="host",
        program=pl.col("program").fill_null("syslog"),
        level=level("priority"),
    )


ISO_SYSLOG = LogFormat("syslog with ISO times", "log_lines", _PATTERN, _parse)
