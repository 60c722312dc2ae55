"""The JSON log of Caddy 2 (its directive ``log``).

Other loggers may write to the same file: such lines are no requests. Before Caddy 2.5 the address has its port, in
``remote_addr``.
"""

from typing import Annotated, Any

import msgspec
import polars as pl

from transforms.raw.files.times import read_time
from transforms.raw.logs.format import REQUEST, LogFile, LogFormat, address, from_epoch, json_objects, known

_PATTERN = r'^\{\s*"level"\s*:\s*"\w+"\s*,\s*"ts"\s*:.*"(?:logger|msg)"\s*:'

LONGEST_S, MOST_BYTES = 1e9, 1 << 62
"""Largest numbers that are a length and a size; a line with a larger one is damaged."""


class _Request(msgspec.Struct):
    method: str = ""
    uri: str = ""
    host: str = ""
    client_ip: str = ""
    remote_ip: str = ""
    remote_addr: str = ""


class _Entry(msgspec.Struct):
    ts: float | str | None = None
    request: _Request | None = None
    status: Annotated[int, msgspec.Meta(ge=0, le=999)] | None = None
    duration: Annotated[float, msgspec.Meta(ge=0, le=LONGEST_S)] | None = None
    size: Annotated[int, msgspec.Meta(ge=0, le=MOST_BYTES)] | None = None
    user_id: str = ""


def _parse(lines: pl.Series, file: LogFile) -> pl.DataFrame:
    entries, reasons = json_objects(lines, _Entry)
    rows: list[tuple[Any, ...]] = []
    for entry, reason in zip(entries, reasons, strict=True):
        request = entry.request if entry else None
        if entry is None or request is None or entry.status is None:
            rows.append((None,) * (len(REQUEST) - 1) + (reason or "no request",))
            continue
        at = read_time(entry.ts) if isinstance(entry.ts, str) else from_epoch(entry.ts)
        latency = None if entry.duration is None else round(entry.duration * 1_000_000)
        client = request.client_ip or request.remote_ip or request.remote_addr
        method, target = request.method or None, request.uri or None
        rows.append(
            (at, request.host, client, entry.user_id, method, target, entry.status, latency, entry.size, reason)
        )
    frame = pl.DataFrame(rows, schema=REQUEST, orient="row")
    return frame.with_columns(
        known("host_id").str.replace(":[0-9]+$", "").alias("host_id"),
        known("user_id").alias("user_id"),
        address("client_ip").alias("client_ip"),
    )


CADDY = LogFormat("Caddy", "requests", _PATTERN, _parse)
