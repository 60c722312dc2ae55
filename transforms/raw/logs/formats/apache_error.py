"""The error log of Apache 2.2 and 2.4 (Apache "Log files"); its times have no zone and are taken as UTC.

The referrer, which may stand at the end of a message, is left out.
"""

import polars as pl

from transforms.raw.logs.format import LogFile, LogFormat, groups

_PATTERN = r"^\[(?:[A-Z][a-z]{2} )?[A-Z][a-z]{2} [ 0-9]?[0-9] [0-9:.]+ [0-9]{4}\] \["
_LINE = (
    r"(?s)^\[(?:[A-Z][a-z]{2} )?(?P<time>[A-Z][a-z]{2} [ 0-9]?[0-9] [0-9:.]+ [0-9]{4})\] "
    r"\[(?:[^\]:]*:)?(?P<level>\w+)\] (?:\[pid (?P<pid>[0-9]+)(?::tid [0-9]+)?\] )?(?P<message>.*)$"
)


def _parse(lines: pl.Series, file: LogFile) -> pl.DataFrame:
    time = pl.col("time").str.replace("  ", " ", literal=True)
    return groups(lines, _LINE).select(
        time.str.to_datetime("%b %d %H:%M:%S%.f %Y", time_unit="us", time_zone="UTC", strict=False).alias(
            "event_timestamp"
        ),
        "pid",
        "level",
        pl.col("message").str.replace(r", referer: \S+$", ""),
        program=pl.lit("apache"),
    )


APACHE_ERROR = LogFormat("Apache error log", "log_lines", _PATTERN, _parse, continues=True)
