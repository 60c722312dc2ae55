"""The groups of those whose work is shown: tiers of popularity, and what a project says of its artists."""

from pathlib import Path

import numpy as np
import polars as pl

from feature_repo.encryption import parquet_files
from feature_repo.errors import InputError
from training.datasets.interactions import Interactions
from transforms.pure.candidates.exposure import HEAD, is_long_tail

TIER = "popularity"
"""Division that is always there."""
_AT, _KEY = "event_timestamp", "artist_id"


def tiers(listeners: np.ndarray) -> np.ndarray:
    """(tracks,) ``head`` for the most popular fifth of the tracks, ``tail`` for the others.

    Args:
        listeners: (tracks,) number of past listeners.

    >>> tiers(np.array([9, 1, 1, 0, 0])).tolist()
    ['head', 'tail', 'tail', 'tail', 'tail']
    """
    return np.where(is_long_tail(listeners, HEAD), "tail", "head")


def providers_of(
    interactions: Interactions, listeners: np.ndarray, cutoff: int, file: Path | None
) -> dict[str, np.ndarray]:
    """Returns division → (tracks,) group of those whose work each track is; empty for unknown.

    Args:
        interactions: the tracks and their artists.
        listeners: (tracks,) number of past listeners.
        cutoff: time as of which the groups hold, in µs since 1970 UTC.
        file: CSV or Parquet with ``artist_id``, a column for each division, and perhaps ``event_timestamp`` from which
            a row holds; None for popularity alone.

    Raises:
        InputError: the file cannot be read, or has no ``artist_id``.
    """
    divisions = {TIER: tiers(listeners)}
    if file is None:
        return divisions
    rows = _read(file)
    if _AT in rows.columns:
        rows = rows.filter(pl.col(_AT).dt.epoch("us") <= cutoff).sort(_AT)
    last = rows.group_by(_KEY, maintain_order=True).last()
    for name in last.columns:
        if name not in (_KEY, _AT):
            group = dict(zip(last[_KEY].to_list(), last[name].cast(pl.String).fill_null("").to_list(), strict=True))
            divisions[name] = np.array([group.get(artist or "", "") for artist in interactions.artist_ids], np.str_)
    return divisions


def _read(file: Path) -> pl.DataFrame:
    try:
        is_parquet = file.suffix == ".parquet"
        rows = parquet_files.read(file) if is_parquet else pl.read_csv(file, infer_schema=False, glob=False)
        rows = rows.with_columns(pl.col(_KEY).cast(pl.String))
        if _AT in rows.columns and rows.schema[_AT] == pl.String:
            rows = rows.with_columns(pl.col(_AT).str.to_datetime(time_zone="UTC"))
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InputError(
            expected=f"a CSV or Parquet file of artists with the column {_KEY}, and times in {_AT} if there are any",
            found=f"{file.name}: {str(error).splitlines()[0]}",
            next_command=f"correct {file}",
        ) from error
    return rows
