"""IForest of pyod on windows of eight values, fitted to the part of each series that is for learning."""

import sys
from pathlib import Path

import numpy as np
import polars as pl
from pyod.models.iforest import IForest

REQUIREMENTS = ["pyod", "polars", "matplotlib"]
WINDOW = 8

folder, out = map(Path, sys.argv[1:])
parts = []
for (_,), rows in pl.read_parquet(folder / "series.parquet").group_by("series", maintain_order=True):
    values, learning = rows["value"].to_numpy(), int(rows["learning"].sum())
    mean, spread = values[:learning].mean(), values[:learning].std() or 1.0
    padded = np.concatenate([np.full(WINDOW - 1, values[0]), values])
    windows = (np.lib.stride_tricks.sliding_window_view(padded, WINDOW) - mean) / spread
    model = IForest(random_state=0)
    model.fit(windows[:learning])
    scores = model.decision_function(windows)
    past = scores[:learning]
    parts.append(rows.select("series", "row", score=(scores - np.median(past)) / (past.std() or 1.0)))
pl.concat(parts).write_parquet(out)
