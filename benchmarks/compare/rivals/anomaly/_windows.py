"""Scores each series by a detector of pyod on windows of eight values; imported by the rivals beside it."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

WINDOW = 8


def run(make: Callable[[], Any]) -> None:
    """Fits a detector to the part of each series that is for learning, and writes the scores of all its rows.

    The command line names the folder of the split and the file to write.
    """
    folder, out = map(Path, sys.argv[1:])
    parts = []
    for (_,), rows in pl.read_parquet(folder / "series.parquet").group_by("series", maintain_order=True):
        values, learning = rows["value"].to_numpy(), int(rows["learning"].sum())
        mean, spread = values[:learning].mean(), values[:learning].std() or 1.0
        padded = np.concatenate([np.full(WINDOW - 1, values[0]), values])
        windows = (np.lib.stride_tricks.sliding_window_view(padded, WINDOW) - mean) / spread
        detector = make()
        detector.fit(windows[:learning])
        scores = detector.decision_function(windows)
        past = scores[:learning]
        parts.append(rows.select("series", "row", score=(scores - np.median(past)) / (past.std() or 1.0)))
    pl.concat(parts).write_parquet(out)
