"""Rows of ``log_lines`` from the records of logs other than access logs."""

from hashlib import blake2b

import polars as pl

from transforms.raw.logs.occurrences import Occurrences
from transforms.raw.logs.templates import Templates

IDENTITY = ["host_id", "program", "event_timestamp", "message"]
"""Columns by which equal lines are counted."""

_TEMPLATE_LENGTH = 256
_TEXT_BITS, _NUMBER_BITS = 36, 14


def log_lines(records: pl.DataFrame, host: str, occurrences: Occurrences, templates: Templates) -> pl.DataFrame:
    """(lines,) rows of the raw table, and the column ``pid``.

    A line's number is of its text and of how many equal lines are before it in this second, not of its place: so it is
    the same wherever a log was divided.

    Args:
        records: columns of ``LINE``.
        host: host of the records that name none.
        occurrences: counts of equal lines of the file, by ``IDENTITY``.
        templates: what was learned of other lines.
    """
    rows = records.with_columns(pl.col("host_id").fill_null(host))
    texts = rows.select("message").unique(maintain_order=True).drop_nulls()
    known = texts.with_columns(
        template=pl.Series(templates.learn(texts["message"]), dtype=pl.String).str.slice(0, _TEMPLATE_LENGTH),
        digest=pl.Series([_digest(text) for text in texts["message"]], dtype=pl.Int64),
    )
    rows = rows.with_columns(occurrences.number(rows).alias("number"))
    rows = rows.join(known, on="message", how="left", maintain_order="left")
    number = pl.col("digest").fill_null(0) * (1 << _NUMBER_BITS) + pl.col("number")
    return rows.with_columns(number=number % (1 << (_TEXT_BITS + _NUMBER_BITS))).drop("digest")


def _digest(text: str) -> int:
    data = blake2b(text.encode(errors="replace"), digest_size=8).digest()
    return int.from_bytes(data) >> (64 - _TEXT_BITS)
