"""Digests of tables: equal rows in equal order give equal digests."""

import hashlib
import io
from collections.abc import Iterator

import polars as pl

DIGEST_ROWS = 65_536
"""Rows that are digested at once; another number gives other digests."""


def digest(batches: Iterator[pl.DataFrame]) -> str:
    """Computes the SHA-256 of a table in batches of ``DIGEST_ROWS``: equal rows in equal order give equal digests."""
    total = TableDigest()
    for batch in batches:
        total.update(batch)
    return total.hexdigest()


class TableDigest:
    """SHA-256 of a table that comes in batches of ``DIGEST_ROWS``."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def update(self, batch: pl.DataFrame) -> None:
        """Adds a batch."""
        buffer = io.BytesIO()
        batch.rechunk().write_parquet(buffer, compression="uncompressed")
        self._hash.update(buffer.getbuffer())

    def hexdigest(self) -> str:
        """Returns the digest of all batches."""
        return self._hash.hexdigest()
