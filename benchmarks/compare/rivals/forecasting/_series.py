"""Forecasts each series by a model of statsforecast; imported by the rivals beside it."""

import sys
from pathlib import Path
from typing import Any

import polars as pl

HORIZON = 48


def run(model: Any) -> None:
    """Fits a model to each series, and writes its forecasts.

    The command line names the folder of the split and the file to write.
    """
    folder, out = map(Path, sys.argv[1:])
    history = pl.read_parquet(folder / "history.parquet").sort("series", "time")
    parts = []
    for (name,), rows in history.group_by("series", maintain_order=True):
        forecast = model.forecast(y=rows["value"].to_numpy(), h=HORIZON)["mean"]
        parts.append(pl.DataFrame({"series": name, "step": range(1, HORIZON + 1), "forecast": forecast}))
    pl.concat(parts).write_parquet(out)
