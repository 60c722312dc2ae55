"""What is written about an artist and all their tracks (view ``artist_text``)."""

import polars as pl

from transforms.batch.features.texts import Written, text_rows


def artist_text(written: Written) -> pl.DataFrame:
    """One row an artist and day on which something was written, at the midnight after it."""
    return text_rows(written, "artist")
