"""Standard logs of Amazon CloudFront: tabs, columns named by ``#Fields`` (AWS "Standard logging reference")."""

from urllib.parse import unquote

import polars as pl

from transforms.raw.logs.format import LogFile, LogFormat, known, microseconds, whole

_PATTERN = r"^(?:#Version:|#Fields: date time |[0-9]{4}-[0-9]{2}-[0-9]{2}\t[0-9]{2}:[0-9]{2}:[0-9]{2}\t)"
_FIELDS = (
    *("date", "time", "x-edge-location", "sc-bytes", "c-ip", "cs-method", "cs(Host)", "cs-uri-stem", "sc-status"),
    *("cs(Referer)", "cs(User-Agent)", "cs-uri-query", "cs(Cookie)", "x-edge-result-type", "x-edge-request-id"),
    *("x-host-header", "cs-protocol", "cs-bytes", "time-taken"),
)
"""Columns of the files that do not name theirs."""

_READ = ("date", "time", "c-ip", "cs-method", "cs-uri-stem", "sc-status", "sc-bytes", "time-taken", "x-host-header")


def _parse(lines: pl.Series, file: LogFile) -> pl.DataFrame:
    for header in lines.filter(lines.str.starts_with("#Fields:")):
        file.fields = [unquote(name) for name in header.removeprefix("#Fields:").split()]
    fields = file.fields or _FIELDS
    cells = lines.str.split("\t")
    rows = pl.DataFrame(
        {
            name: cells.list.get(fields.index(name), null_on_oob=True)
            if name in fields
            else pl.Series([None], dtype=pl.String).new_from_index(0, len(lines))
            for name in _READ
        }
    )
    is_whole = pl.Series("whole", cells.list.len() >= (len(fields) if file.fields else len(_FIELDS)))
    time = pl.format("{} {}", "date", "time").str.to_datetime(
        "%Y-%m-%d %H:%M:%S", time_unit="us", time_zone="UTC", strict=False
    )
    return rows.select(
        event_timestamp=pl.when(is_whole).then(time),
        host_id=known("x-host-header"),
        client_ip=known("c-ip"),
        method=known("cs-method"),
        target=known("cs-uri-stem"),
        status=whole("sc-status"),
        latency_us=microseconds("time-taken"),
        bytes=whole("sc-bytes"),
    )


CLOUDFRONT = LogFormat("CloudFront", "requests", _PATTERN, _parse, ignored="^#")
