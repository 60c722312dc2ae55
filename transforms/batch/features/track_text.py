"""Features of the texts about a track (view ``track_text``)."""

import polars as pl

from transforms.batch.features.texts import Written, text_rows


def track_text(written: Written) -> pl.DataFrame:
    """Computes one row for each track and day with new texts, stamped the midnight after the day."""
    return text_rows(written, "track")
