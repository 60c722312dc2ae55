"""Features of the texts about an artist and all their tracks (view ``artist_text``)."""

import polars as pl

from transforms.batch.features.texts import Written, text_rows


def artist_text(written: Written) -> pl.DataFrame:
    """Computes one row for each artist and day with new texts, stamped the midnight after the day."""
    return text_rows(written, "artist")
