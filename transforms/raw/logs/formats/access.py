"""The formats "common", "combined" and "vhost_combined" of Apache and nginx.

Apache "mod_log_config" and nginx "ngx_http_log_module". A host may stand in front of the address, with or without a
port; of several addresses, as proxies pass them on, the first counts. What follows the bytes (referrer, agent, fields
of one's own) is not read, but for a time that is named there.
"""

import polars as pl

from transforms.raw.logs.format import LogFile, LogFormat, groups, known, microseconds, request_line, whole

_PATTERN = r'^(?:[^\s\[{<]\S* ){3,7}\[[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}(?::[0-9]{2}){3}(?:\.[0-9]+)? [+-][0-9]{4}\] "'
_TIME_AND = r'\[(?P<time>[0-9A-Za-z:./ +-]+)\] "'
_RESULT = r'" (?P<status>[0-9]{3}|-) (?P<bytes>[0-9]+|-)'
_USUAL = rf"{_TIME_AND}(?P<method>[A-Z]{{3,16}}) (?P<target>[!#-~]+) HTTP/[0-9.]+{_RESULT}(?P<rest> ?)"
_LINES = (
    rf"^(?P<address>[!-~]+) [!-~]+ (?P<user>[!-~]+) {_USUAL}",
    rf"^(?P<host>[!-~]*[!-+\--~]) (?P<address>[0-9A-Fa-f]*[.:][0-9A-Fa-f:.]+) [!-~]+ (?P<user>[!-~]+) {_USUAL}",
    r"^(?:(?P<host>\S*[^\s,]) (?P<address>[^\s-]*[.:]\S*) |(?P<client>[^\s,]+)(?:, ?[^\s,]+)* )"
    rf"\S+ (?P<user>\S+(?: \S+){{0,3}}) {_TIME_AND}(?P<request>.*?){_RESULT}(?P<rest> .*)?$",
)
"""The usual lines, without and with a host, which are found fast; and all others."""

_TIME = "%d/%b/%Y:%H:%M:%S%.f %z"
_SECONDS = r'\b(?:rt|request_time)="?([0-9]+\.[0-9]+)'
_TEXTS = ("host", "address", "client", "user", "time", "request", "method", "target", "status", "bytes", "rest")


def _parse(lines: pl.Series, file: LogFile) -> pl.DataFrame:
    rows = _groups(lines)
    time = pl.col("time").str.to_datetime(_TIME, time_unit="us", strict=False).dt.convert_time_zone("UTC")
    if file.is_cut and not rows["rest"][-1] and (rows["rest"] != "").any():  # its bytes may be cut, too
        time = pl.when(pl.int_range(pl.len()) < pl.len() - 1).then(time)
    method, target = request_line("request")
    return rows.with_columns(lines.str.extract(_SECONDS).alias("seconds")).select(
        time.alias("event_timestamp"),
        pl.coalesce("method", method).alias("method"),
        pl.coalesce("target", target).alias("target"),
        whole("status").alias("status"),
        whole("bytes").alias("bytes"),
        microseconds("seconds").alias("latency_us"),
        host_id=known("host").str.replace(":[0-9]+$", ""),
        client_ip=pl.coalesce("address", "client"),
        user_id=known("user").str.strip_prefix('"').str.strip_suffix('"'),
    )


def _groups(lines: pl.Series) -> pl.DataFrame:
    """The groups of the first of ``_LINES`` that each line matches."""
    left = pl.DataFrame({"line": lines}).with_row_index("row")
    parts = []
    for pattern in _LINES:
        matches = left.hstack(groups(left["line"], pattern)).drop("line")
        is_found = matches["time"].is_not_null()
        parts.append(matches.filter(is_found))
        left = left.filter(~is_found)
        if left.is_empty():
            break
    rows = pl.concat([*parts, left.drop("line")], how="diagonal").sort("row")
    return rows.select(pl.col(name) if name in rows.columns else pl.lit(None, pl.String).alias(name) for name in _TEXTS)


ACCESS = LogFormat("common, combined or vhost_combined", "requests", _PATTERN, _parse)
