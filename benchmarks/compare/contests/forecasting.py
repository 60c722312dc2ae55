"""Hourly series of the M4 competition, 48 hours ahead: what ``refrain forecast`` answers, and rivals."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.compare.contest import TRUTH, Contest, Scores
from benchmarks.quality_m4 import read
from refrain.own_file.forecasting import forecast_file
from refrain.own_file.series import Request
from refrain.own_file.table import OwnFile
from training.evaluate import mase, mase_scale, smape

HORIZON, SEASON = 48, 24
START = datetime(2015, 1, 1)


def prepare(data: Path, folder: Path, size: int) -> None:
    """Writes ``history`` (series, time, value) and the truth (series, step, value); every k-th series for a size."""
    past = read(data / "Train" / "Hourly-train.csv")
    future = dict(read(data / "Test" / "Hourly-test.csv"))
    past = past[:: max(len(past) // size, 1)][:size] if size else past
    longest = max(len(values) for _, values in past)
    rows = [
        (name, START + timedelta(hours=longest - len(values) + step), float(value))
        for name, values in past
        for step, value in enumerate(values.tolist())
    ]
    pl.DataFrame(rows, schema=["series", "time", "value"], orient="row").write_parquet(folder / "history.parquet")
    later = [(name, step + 1, value) for name, _ in past for step, value in enumerate(future[name].tolist())]
    pl.DataFrame(later, schema=["series", "step", "value"], orient="row").write_parquet(folder / TRUTH)


def answer(folder: Path) -> Mapping[str, pl.DataFrame]:
    """The forecasts of ``refrain forecast``."""
    file = OwnFile.read(folder / "history.parquet")
    result = forecast_file(file, Request(time="time", value="value", series=("series",)), horizon=HORIZON)
    step = pl.col("time").rank("dense").over("series").cast(pl.Int64)
    return {"refrain forecast": result.answers.select("series", "forecast", step=step)}


def score(folder: Path, answers: pl.DataFrame) -> Scores:
    """MASE of each series, scaled by the season of the competition."""
    truth = pl.read_parquet(folder / TRUTH)
    history = pl.read_parquet(folder / "history.parquet").sort("series", "time")
    joined = truth.join(answers.with_columns(pl.col("step").cast(pl.Int64)), on=["series", "step"], how="left")
    past = dict(history.group_by("series", maintain_order=True).agg("value").iter_rows())
    errors, percentages = {}, []
    for (name,), rows in joined.sort("series", "step").group_by("series", maintain_order=True):
        known, forecast = rows["value"].to_numpy()[None], rows["forecast"].cast(pl.Float64).to_numpy()[None]
        scale = mase_scale(np.array(past[name])[None], SEASON)
        errors[str(name)] = float(np.mean(mase(known, forecast, scale)))
        percentages.append(float(np.mean(smape(known, forecast))))
    return Scores(errors, {}, {"sMAPE": float(np.mean(percentages)), "series": float(len(errors))})


CONTEST = Contest(
    "forecasting",
    "m4-hourly",
    "MASE",
    False,
    "The training part of M4's hourly series is given, the official test part of 48 hours is forecast once. MASE is "
    "scaled by the seasonal naive of 24 hours within the training part. Judged on held-out data, of a set on which our "
    "forecasters were developed. With a size, every k-th series.",
    prepare,
    answer,
    score,
)
