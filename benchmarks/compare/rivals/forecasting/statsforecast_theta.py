"""DynamicOptimizedTheta of statsforecast, series by series."""

import sys
from pathlib import Path

import polars as pl
from statsforecast.models import DynamicOptimizedTheta

REQUIREMENTS = ["statsforecast", "polars"]
HORIZON = 48

folder, out = map(Path, sys.argv[1:])
history = pl.read_parquet(folder / "history.parquet").sort("series", "time")
parts = []
for (name,), rows in history.group_by("series", maintain_order=True):
    forecast = DynamicOptimizedTheta(season_length=24).forecast(y=rows["value"].to_numpy(), h=HORIZON)["mean"]
    parts.append(pl.DataFrame({"series": name, "step": range(1, HORIZON + 1), "forecast": forecast}))
pl.concat(parts).write_parquet(out)
