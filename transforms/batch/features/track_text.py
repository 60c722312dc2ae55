"""What is written about a track (view ``track_text``)."""

import polars as pl

from transforms.batch.features.texts import Written, text_rows


def track_text(written: Written) -> pl.DataFrame:
    """One row a track and day on which something was written, at the midnight after it."""
    return text_rows(written, "track")
