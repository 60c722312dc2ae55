"""The error log of nginx ("Core functionality: error_log"); its times have no zone and are taken as UTC.

The pairs after a message (client, server, request, host, referrer) are data of one request and are left out.
"""

import polars as pl

from transforms.raw.logs.format import LogFile, LogFormat, groups

_PATTERN = r"^[0-9]{4}/[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} \[[a-z]+\] [0-9]+#[0-9]+: "
_LINE = (
    r"(?s)^(?P<time>[0-9/]{10} [0-9:]{8}) \[(?P<level>[a-z]+)\] (?P<pid>[0-9]+)#[0-9]+: (?:\*[0-9]+ )?(?P<message>.*)$"
)


def _parse(lines: pl.Series, file: LogFile) -> pl.DataFrame:
    return groups(lines, _LINE).select(
        pl.col("time")
        .str.to_datetime("%Y/%m/%d %H:%M:%S", time_unit="us", time_zone="UTC", strict=False)
        .alias("event_timestamp"),
        "pid",
        "level",
        pl.col("message").str.replace(r"(?s), client: \S+(?:, server: .*)?$", ""),
        program=pl.lit("nginx"),
    )


NGINX_ERROR = LogFormat("nginx error log", "log_lines", _PATTERN, _parse, continues=True)
