"""Rows of ``requests`` from the records of access logs.

An endpoint is the method and the path, without query, and with what names a single thing replaced by ``{id}``: there
are then as many endpoints as the service has, and not as many as it has pages. Requests that are no HTTP have the
endpoint ``-``. Neither queries nor referrers nor user agents are stored.
"""

import polars as pl

from transforms.raw.logs.occurrences import Occurrences

MOST_SEGMENTS = 5
"""Segments of a path that are kept."""

_SEGMENT = (
    r"[0-9]+"  # numbers
    r"|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"  # UUIDs
    r"|[0-9a-fA-F]{8,}"  # digests
    r"|[A-Za-z]{0,12}[-_]?[0-9]{3,}"  # t000042, img_0042
    r"|[^/]*[%@\\\s][^/]*"  # texts, addresses, attacks
    r"|[^/]{24,}"  # tokens and headlines
)
_IDS = rf"/(?:{_SEGMENT})(\.[A-Za-z][A-Za-z0-9]{{0,4}})?/"
_DEEP = rf"^((?:/[^/]*){{{MOST_SEGMENTS}}})/.*$"


def requests(records: pl.DataFrame, host: str | None, occurrences: Occurrences) -> pl.DataFrame:
    """(requests,) rows of the raw table.

    Args:
        records: columns of ``REQUEST``.
        host: host of the records that name none.
        occurrences: counts of equal requests of the file, by ``IDENTITY``.
    """
    rows = records.with_columns(
        pl.col("host_id").fill_null(pl.lit(host, pl.String)),
        endpoints(records),
        pl.when(pl.col("status").is_between(100, 999)).then("status").alias("status"),
        pl.when(pl.col("latency_us") >= 0).then("latency_us").alias("latency_us"),
        pl.when(pl.col("bytes") >= 0).then("bytes").alias("bytes"),
    )
    what = [pl.col(name).cast(pl.String).fill_null("-") for name in _WHAT]
    rows = rows.with_columns(what=pl.concat_str(what, separator=" "))
    rows = rows.with_columns(occurrences.number(rows).alias("number"))
    return rows.select(
        "endpoint",
        pl.format("{} {}", "what", "number").alias("request_id"),
        *("host_id", "client_ip", "user_id", "status", "latency_us", "bytes", "event_timestamp"),
    )


_WHAT = ("client_ip", "user_id", "host_id", "status", "bytes", "latency_us")
IDENTITY = ["event_timestamp", "endpoint", "what"]
"""Columns by which equal requests are counted."""


def endpoints(records: pl.DataFrame) -> pl.Series:
    """(requests,) the endpoint of each request, from its method and target.

    >>> endpoints(pl.DataFrame({"method": ["GET", None], "target": ["/v1/tracks/17?q=1", None]})).to_list()
    ['GET /v1/tracks/{id}', '-']
    """
    target = pl.col("target")
    path = pl.when(target.str.starts_with("/")).then(target).otherwise(target.str.extract("^[a-z]+://[^/?#]*(/.*)$"))
    segments = path.fill_null("/").str.extract("^([^?#;]*)").str.replace_all("/+", "//").str.strip_chars("/")
    marked = pl.concat_str(pl.lit("/"), segments, pl.lit("/"))  # each segment between slashes of its own
    cut = marked.str.replace_all(_IDS, "/{id}${1}/").str.replace_all("//", "/", literal=True)
    short = cut.str.replace(_DEEP, "${1}/…").str.strip_suffix("/")
    shown = pl.when(short == "").then(pl.lit("/")).otherwise(short)
    is_http = pl.col("method").is_not_null()
    endpoint = pl.when(is_http).then(pl.concat_str("method", shown, separator=" ")).otherwise(pl.lit("-"))
    return records.select(endpoint=endpoint).to_series()
