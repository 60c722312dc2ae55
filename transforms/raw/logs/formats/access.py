"""The formats "common", "combined" and "vhost_combined" of Apache and nginx.

Apache "mod_log_config" and nginx "ngx_http_log_module". A host may stand in front of the address, with or without a
port. What follows the bytes (referrer, agent, fields of one's own) is not read, but for a time that is named there.
"""

import polars as pl

from transforms.raw.logs.format import LogFile, LogFormat, groups, known, microseconds, request_line, whole

_PATTERN = r'^(?:[^\s\[{<]\S* ){3,7}\[[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}(?::[0-9]{2}){3}(?:\.[0-9]+)? [+-][0-9]{4}\] "'
_LINE = (
    r"^(?:(?P<host>\S+) (?P<address>[^\s-]*[.:]\S*) |(?P<client>\S+) )"
    r"\S+ (?P<user>\S+(?: \S+){0,3}) \[(?P<time>[^\]]+)\] "
    r'"(?P<request>.*?)" (?P<status>[0-9]{3}|-) (?P<bytes>[0-9]+|-)(?P<rest> .*)?$'
)
_TIME = "%d/%b/%Y:%H:%M:%S%.f %z"
_SECONDS = r'\b(?:rt|request_time)="?([0-9]+\.[0-9]+)'


def _parse(lines: pl.Series, file: LogFile) -> pl.DataFrame:
    rows = groups(lines, _LINE)
    time = pl.col("time").str.to_datetime(_TIME, time_unit="us", strict=False).dt.convert_time_zone("UTC")
    if file.is_cut and rows["rest"][-1] is None and rows["rest"].is_not_null().any():  # its bytes may be cut, too
        time = pl.when(pl.int_range(pl.len()) < pl.len() - 1).then(time)
    return rows.with_columns(seconds=pl.col("rest").str.extract(_SECONDS)).select(
        time.alias("event_timestamp"),
        *request_line("request"),
        whole("status").alias("status"),
        whole("bytes").alias("bytes"),
        microseconds("seconds").alias("latency_us"),
        host_id=known("host").str.replace(":[0-9]+$", ""),
        client_ip=pl.coalesce("address", "client"),
        user_id=known("user").str.strip_prefix('"').str.strip_suffix('"'),
    )


ACCESS = LogFormat("common, combined or vhost_combined", "requests", _PATTERN, _parse)
