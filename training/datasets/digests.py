"""Digests of tables: equal rows in equal order give equal digests."""

import hashlib
from collections.abc import Iterator

import polars as pl

from feature_repo.encryption import parquet_files

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
        self._hash.update(parquet_files.content(batch.rechunk(), compression="uncompressed"))

    def hexdigest(self) -> str:
        """Returns the digest of all batches."""
        return self._hash.hexdigest()
