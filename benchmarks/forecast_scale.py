"""A backtest at scale: 50,000 daily series of a year, from feature tables to forecasts, on two cores.

Protocol: synthetic daily plays of 50,000 tracks of 5,000 artists over 365 days (sizes over five orders of magnitude,
weekly and yearly seasons, trends, releases, days without plays) are written as the feature tables of the batch run;
this set-up is not counted. Then ``training.models.forecasting.trends.run`` runs completely, as in ``refrain model
run trend_forecaster``: histories and features of every origin are pulled through Feast, global models are trained for a
validation origin, a test origin and for serving, ensembles are chosen, 55,000 nodes reconciled, intervals calibrated,
the test measured and a bundle registered. Then ``forecast`` forecasts every track, artist, genre and the total and
writes the forecasts back. Seconds are wall time, memory is the peak of the process.

    python -m benchmarks.forecast_scale [--series 50000] [--days 365]
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.surroundings import MACHINE
from feature_repo.home import Home
from feature_repo.stores import redis_server
from training.models.forecasting.trends import NAME, Settings, forecast, run
from training.promotions import promote
from transforms import feature_tables
from transforms.raw.table import MICROSECONDS_UTC

START = datetime(2025, 1, 1, tzinfo=UTC)
TRACKS_AN_ARTIST, GENRES = 10, ("pop", "rock", "jazz", "folk", "metal", "latin", "soul", "house")
GOAL_SECONDS, GOAL_GIB = 600, 6


def main() -> None:
    """Print progress, then one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=50_000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--home", type=Path, default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.home:  # the measured part, in a process of its own
        print(json.dumps(measure(Home(options.home), options.series, options.days)))
        return
    with tempfile.TemporaryDirectory(prefix="refrain-scale-") as folder:
        home = Home(Path(folder))
        environment = {**os.environ, "REFRAIN_HOME": folder}
        os.environ["REFRAIN_HOME"] = folder
        try:
            write_tables(home, options.series, options.days)
            call = [sys.executable, "-W", "ignore", "-m", "feature_repo", "apply"]
            subprocess.run(call, env=environment, check=True, stdout=subprocess.DEVNULL)
            call = [sys.executable, "-W", "ignore", "-m", "benchmarks.forecast_scale", "--home", folder]
            call += ["--series", str(options.series), "--days", str(options.days)]
            process = subprocess.run(call, env=environment, check=True, stdout=subprocess.PIPE, text=True)
            print(process.stdout.strip())
        finally:
            redis_server.stop(home)


def plays(series: int, days: int, rng: np.random.Generator) -> np.ndarray:
    """Draw plays: (series, days) counts; 0 before a release."""
    size = 10 ** rng.uniform(-1.5, 3.5, (series, 1))
    time_ = np.arange(days)
    week = 1 + 0.3 * np.sin((time_ + rng.integers(0, 7, (series, 1))) * 2 * np.pi / 7)
    year = 1 + 0.3 * np.sin((time_ + rng.integers(0, 365, (series, 1))) * 2 * np.pi / 365)
    trend = np.exp(rng.normal(0, 0.002, (series, 1)) * time_)
    release = np.where(rng.random((series, 1)) < 0.2, rng.integers(0, days, (series, 1)), -100)
    age = time_ - release
    burst = np.where(age >= 0, 1 + 5 * np.exp(-np.maximum(age, 0) / 8), 0)
    shared = 1 + 0.03 * rng.normal(0, 1, days)
    return rng.poisson(np.minimum(size * week * year * trend * burst * shared, 1e6)).astype(np.int32)


def write_tables(home: Home, series: int, days: int) -> None:
    """Write the feature tables as the batch run would: a row for each day after a track's first play."""
    home.ensure()
    rng = np.random.default_rng(0)
    counts = plays(series, days, rng)
    artist = np.arange(series) // TRACKS_AN_ARTIST
    by_artist = np.add.reduceat(counts, np.arange(0, series, TRACKS_AN_ARTIST), axis=0)
    tracks = pl.Series([f"t{number:06}" for number in range(series)])
    artists = pl.Series([f"a{number:05}" for number in range(len(by_artist))])
    views = feature_tables.tables(home)
    for name, key, ids, values in (
        ("track_popularity", "track_id", tracks, counts),
        ("artist_popularity", "artist_id", artists, by_artist),
        ("platform_activity", "platform_id", pl.Series([home.tenant]), counts.sum(axis=0, keepdims=True)),
    ):
        totals = np.pad(values.cumsum(axis=1, dtype=np.int64), ((0, 0), (28, 0)))
        begun = values.cumsum(axis=1) > 0
        for day in range(days):
            started = np.flatnonzero(begun[:, day])
            moment = START + timedelta(days=day + 1)
            windows = {width: totals[started, 28 + day] - totals[started, 28 + day - width] for width in (1, 7, 28)}
            frame = pl.DataFrame({key: ids.gather(started)}).with_columns(
                pl.lit(moment).cast(MICROSECONDS_UTC).alias("event_timestamp"),
                pl.lit(moment).cast(MICROSECONDS_UTC).alias("created_timestamp"),
                *(pl.Series(f"plays_{width}d", counts_in_window) for width, counts_in_window in windows.items()),
                *(
                    pl.Series(f"listeners_{width}d", np.sqrt(counts_in_window).astype(int))
                    for width, counts_in_window in windows.items()
                ),
                *(pl.lit(0.3).alias(f"skip_rate_{width}d") for width in (1, 7, 28)),
            )
            feature_tables.write_partition(home, views[name], frame, date=str(moment.date()), inputs="made up")
    catalogue = pl.DataFrame(
        {
            "track_id": tracks,
            "event_timestamp": [START - timedelta(days=400)] * series,
            "created_timestamp": [START - timedelta(days=400)] * series,
            "title": tracks,
            "artist_id": artists.gather(artist),
            "artist_name": artists.gather(artist),
            "genres": [[GENRES[number % len(GENRES)]] for number in artist.tolist()],
            "duration_ms": [200_000] * series,
            "explicit": [False] * series,
            "released": [START - timedelta(days=400)] * series,
        }
    )
    feature_tables.write_partition(home, views["track_catalogue"], catalogue, date=None, inputs="made up")
    end = START + timedelta(days=days)
    load = pl.DataFrame({"platform_id": [home.tenant], "event_timestamp": [end], "created_timestamp": [end]})
    load = load.with_columns(plays_1h=pl.lit(1), listeners_1h=pl.lit(1))
    feature_tables.write_partition(home, views["platform_load"], load, date=str(end.date()), inputs="made up")
    for view in views.values():
        feature_tables.write_empty(home, view)
    print(f"{int(counts.sum()):,} plays of {series:,} tracks over {days} days", file=sys.stderr, flush=True)


def measure(home: Home, series: int, days: int) -> dict[str, Any]:
    """Measure seconds, memory and accuracy of the run."""
    started = time.perf_counter()

    def report(done: float, total: float, note: str = "") -> None:
        print(f"{time.perf_counter() - started:6.1f} s {note}", file=sys.stderr, flush=True)

    result = run(home, Settings(rolling=1, trees=150), progress=report)
    promote(home, NAME)
    written = forecast(home)
    seconds = time.perf_counter() - started
    gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    figures = {
        level: {name: round(metrics.mase, 3) for name, metrics in by_name.items() if hasattr(metrics, "mase")}
        for level, by_name in result.metrics.items()
    }
    case = f"{series:,} series × {days} days"
    best = min(value for name, value in figures["track"].items() if name.startswith(("seasonal", "mean")))
    return {
        "benchmark": "forecast_scale",
        "machine": MACHINE,
        "seconds": {**{name: round(value, 1) for name, value in result.seconds.items()}, "all": round(seconds, 1)},
        "rows_written": written,
        "mase": figures,
        "cases": [
            {
                "case": case,
                "metric": "seconds",
                "value": round(seconds, 1),
                "goal": f"<{GOAL_SECONDS}",
                "met": seconds < GOAL_SECONDS,
            },
            {"case": case, "metric": "peak_gib", "value": round(gib, 2), "goal": f"<{GOAL_GIB}", "met": gib < GOAL_GIB},
            {"case": case, "metric": "track_mase", "value": figures["track"]["reconciled"]},
            {"case": case, "metric": "track_mase_of_best_plain_forecaster", "value": best},
        ],
    }


if __name__ == "__main__":
    main()
