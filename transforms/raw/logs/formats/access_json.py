"""Access logs as JSON, one object a line, as ``log_format`` of nginx, Apache and others are configured.

Names of the fields are one's own; the usual ones are known. Numbers may be texts. nginx without ``escape=json`` writes
``\\x22`` within texts, which is no JSON.
"""

import re
from typing import Any

import polars as pl

from transforms.raw.files.times import read_time
from transforms.raw.logs.format import REQUEST, LogFile, LogFormat, address, json_objects, known, request_line

_NAMES = {
    "time": ("time_iso8601", "@timestamp", "timestamp", "time_local", "time", "ts", "msec", "date", "datetime"),
    "client_ip": ("remote_addr", "client_ip", "remote_ip", "clientip", "client", "remote_host", "ip", "src", "h"),
    "user_id": ("remote_user", "user", "auth"),
    "request": ("request", "request_line"),
    "method": ("request_method", "method", "verb"),
    "target": ("request_uri", "uri", "path", "url", "request_path"),
    "status": ("status", "status_code", "response", "response_status", "code"),
    "bytes": ("body_bytes_sent", "body_bytes", "bytes_sent", "bytes", "size", "response_size"),
    "seconds": ("request_time", "duration", "response_time", "upstream_response_time"),
    "host_id": ("host", "http_host", "server_name", "vhost", "domain"),
}
_TEXTS = ("client_ip", "user_id", "request", "method", "target", "host_id")
# a first field "level" is Caddy's
_STATUS = "|".join(_NAMES["status"])
_PATTERN = rf'^\{{\s*"(?:[^"l]|l[^"e])[^"]*"\s*:.*"(?:{_STATUS})"\s*:\s*"?[0-9]{{3}}"?\s*[,}}]'
_CLOCK = re.compile(r"^\d\d/[A-Z][a-z]{2}/\d{4}:")


def _parse(lines: pl.Series, file: LogFile) -> pl.DataFrame:
    objects, reasons = json_objects(lines)
    columns: dict[str, list[Any]] = {
        field: [_value(row, names) if row else None for row in objects] for field, names in _NAMES.items()
    }
    rows = pl.DataFrame(
        {
            "event_timestamp": pl.Series([_time(value) for value in columns["time"]], dtype=REQUEST["event_timestamp"]),
            **{name: pl.Series([_text(value) for value in columns[name]], dtype=pl.String) for name in _TEXTS},
            "status": pl.Series([_number(value) for value in columns["status"]], dtype=pl.Float64),
            "bytes": pl.Series([_number(value) for value in columns["bytes"]], dtype=pl.Float64),
            "seconds": pl.Series([_number(value) for value in columns["seconds"]], dtype=pl.Float64),
            "reason": pl.Series(reasons, dtype=pl.String),
        }
    )
    method, target = request_line("request")
    return rows.select(
        "event_timestamp",
        "reason",
        host_id=known("host_id").str.replace(":[0-9]+$", ""),
        client_ip=address("client_ip"),
        user_id=known("user_id"),
        method=pl.coalesce(method, known("method")),
        target=pl.coalesce(target, known("target")),
        status=pl.col("status").cast(pl.Int64, strict=False),
        bytes=pl.col("bytes").cast(pl.Int64, strict=False),
        latency_us=(pl.col("seconds") * 1_000_000).round().cast(pl.Int64, strict=False),
    )


def _value(row: dict[str, Any], names: tuple[str, ...]) -> Any:
    return next((row[name] for name in names if row.get(name) is not None), None)


def _time(value: Any) -> Any:
    if isinstance(value, str) and _CLOCK.match(value):
        value = value.replace(":", " ", 1).replace("/", " ")
    return read_time(value) if isinstance(value, str | int | float) else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: Any) -> float | None:
    """A number, also as a text; of several, as nginx writes them of several upstreams, the last."""
    try:
        return float(str(value).rpartition(",")[2])
    except ValueError:
        return None


ACCESS_JSON = LogFormat("JSON access log", "requests", _PATTERN, _parse)
