"""Windowed tables: our batch run, and straightforward versions in polars, DuckDB and pandas, in one run.

A year of plays (20,000 listeners, 50,000 tracks, 5,000 artists, popularity with a long tail) is stored in one Parquet
file per day, as in the raw table. Every engine computes the rows of the five daily tables of the main job (plays, time,
share skipped, distinct tracks, artists and listeners over 1, 7 and 28 days, at the midnights at which an event entered
or left a window) and writes one Parquet file per table. Ours also writes its tiles, one file per day, and fingerprints.
Every engine runs in a process of its own; the results are compared, floats to nine digits. Then ours processes three
more days, one by one on top of the year, of which the median counts; and the same year with half of the plays, for its
memory. Every engine is limited to 20 GiB.

- polars: ``group_by_dynamic`` with each window as period, on the rows' moments.
- duckdb: window functions over days: ``sum`` and ``count(distinct)`` with a range of days.
- pandas: ``rolling`` over days for sums; for distinct counts, each value on each day of its window, without duplicates.
  Because of its run time it is measured on a tenth of the events, relative to ours on the same events.

    python -m benchmarks.windows [--quick]
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.surroundings import MACHINE

DAYS, MORE = 365, 3
"""Days of the year, and days that are added one by one afterwards."""
EVENTS = 10_000_000
QUICK_EVENTS = 200_000
FIRST = date(2025, 1, 1)
WINDOWS = (1, 7, 28)
TABLES: dict[str, tuple[list[str], dict[str, str]]] = {
    "artist_popularity": (["artist_id"], {"listeners": "user_id"}),
    "platform_activity": (["platform_id"], {"listeners": "user_id"}),
    "track_popularity": (["track_id"], {"listeners": "user_id"}),
    "user_artist_affinity": (["user_id", "artist_id"], {}),
    "user_listening": (["user_id"], {"distinct_tracks": "track_id", "distinct_artists": "artist_id"}),
}
"""Table → its keys, and feature → column of its distinct counts."""
MEMORY_LIMIT = 20 << 30
"""Maximum memory of each engine, in bytes."""

ENGINES = ("ours", "polars", "duckdb", "pandas")


def make_plays(root: Path, events: int) -> None:
    """Write a year of plays and a few days more; the same number of events gives the same plays."""
    import numpy as np
    import polars as pl

    from feature_repo.home import Home
    from transforms import parquet
    from transforms.raw.tables.plays import PLAYS

    random = np.random.default_rng(11)
    for number in range(DAYS + MORE):
        n = events // DAYS
        at = np.sort(random.integers(0, 86_400_000_000, n))
        track = random.zipf(1.3, n) % 50_000
        columns = {
            "user_id": (random.pareto(1.5, n) * 2_500).astype(np.int64) % 20_000,
            "track_id": track,
            "artist_id": track % 5_000,
            "ms_played": random.integers(0, 300_000, n),
            "skipped": random.random(n) < 0.3,
            "at": at,
        }
        day = datetime.combine(FIRST, datetime.min.time(), UTC) + timedelta(days=number)
        moment = (pl.lit(day) + pl.duration(microseconds="at")).cast(pl.Datetime("us", "UTC"))
        text = [
            pl.format(name[0] + "{}", pl.col(f"{name}_id").cast(pl.String).str.zfill(6)).alias(f"{name}_id")
            for name in ("user", "track", "artist")
        ]
        plays = pl.DataFrame(columns).unique(["user_id", "track_id", "at"], maintain_order=True)
        plays = plays.with_columns(*text, event_timestamp=moment, created_timestamp=moment)
        path = Home(root).raw("plays") / f"date={day.date()}" / parquet.PART
        parquet.write_whole(PLAYS.conform(plays), path)


def raw_files(root: Path) -> list[Path]:
    """Return the files of the year, without the days after it."""
    return sorted((root / "raw").rglob("*.parquet"))[:DAYS]


def backfill_with_refrain(root: Path) -> None:
    """Run our backfill, with exact distinct counts like the other engines."""
    from dataclasses import replace

    from feature_repo import clock
    from feature_repo.contract import contract_of
    from feature_repo.home import Home
    from feature_repo.windows import Distinct
    from transforms import feature_tables
    from transforms.batch.windows.backfill import backfill
    from transforms.raw.days import RawDays

    home = Home(root)
    views, windowed = feature_tables.tables(home), contract_of(home).windowed
    started = time.perf_counter()
    days = RawDays.of(home, "plays")
    now = clock.end_of_data(home) or clock.now()
    for name in TABLES:
        features = {
            label: replace(feature, exact=65_536) if isinstance(feature, Distinct) else feature
            for label, feature in windowed[name].features.items()
        }
        backfill(home, replace(windowed[name], features=features), views[name], days, now)
    report(started)


def polars(root: Path) -> None:
    """Compute the tables with polars' ``group_by_dynamic``."""
    import polars as pl

    started = time.perf_counter()
    plays = pl.read_parquet(raw_files(root), hive_partitioning=False).with_columns(platform_id=pl.lit("default"))
    end = datetime.combine(FIRST, datetime.min.time(), UTC) + timedelta(days=DAYS)
    for name, (keys, distinct) in TABLES.items():
        day = pl.col("event_timestamp").dt.truncate("1d")
        active = plays.select(*keys, day=day).unique()
        lags = (1, *(window + 1 for window in WINDOWS))
        rows = pl.concat([active.with_columns(day=pl.col("day") + timedelta(days=lag)) for lag in lags]).unique()
        rows = rows.filter(pl.col("day") <= end).sort(*keys, "day")
        ordered = plays.sort("event_timestamp")
        for window in WINDOWS:
            counts = ordered.group_by_dynamic(
                "event_timestamp",
                every="1d",
                period=f"{window}d",
                offset=f"-{window - 1}d",
                label="left",
                closed="left",
                group_by=keys,
                start_by="window",
            ).agg(
                pl.len().cast(pl.Int64).alias("plays"),
                pl.col("skipped").sum().cast(pl.Int64).alias("skips"),
                pl.col("ms_played").sum().alias("listening_ms"),
                *(pl.col(column).n_unique().cast(pl.Int64).alias(label) for label, column in distinct.items()),
            )
            counts = counts.with_columns(day=pl.col("event_timestamp") + timedelta(days=window)).drop("event_timestamp")
            rows = rows.join(counts, on=[*keys, "day"], how="left", suffix=f"_{window}")
            names = ["plays", "skips", "listening_ms", *distinct]
            rows = rows.with_columns(pl.col(names).fill_null(0)).rename(
                {name_: f"{name_}_{window}d" for name_ in names}
            )
        finish(root, "polars", name, rows.lazy())
    report(started)


def duckdb(root: Path) -> None:
    """Compute the tables with DuckDB's window functions."""
    import duckdb as engine
    import polars as pl

    started = time.perf_counter()
    with engine.connect() as duck:
        duck.execute("SET timezone = 'UTC'; SET threads = 2; SET preserve_insertion_order = false")
        duck.execute(f"SET temp_directory = '{root / 'duckdb'}'")
        files = ", ".join(f"'{path}'" for path in raw_files(root))
        duck.execute(
            "CREATE TABLE plays AS SELECT *, 'default' AS platform_id, event_timestamp::DATE AS day "
            f"FROM read_parquet([{files}], hive_partitioning = false)"
        )
        end = FIRST + timedelta(days=DAYS)
        for name, (keys, distinct) in TABLES.items():
            by = ", ".join(keys)
            lags = ", ".join(str(lag) for lag in (1, *(window + 1 for window in WINDOWS)))
            duck.execute(
                f"CREATE OR REPLACE TABLE moments AS SELECT DISTINCT {by}, (day + lag)::DATE AS day FROM "
                f"(SELECT DISTINCT {by}, day FROM plays), (SELECT unnest([{lags}])::INTEGER AS lag) "
                f"WHERE day + lag <= DATE '{end}'"
            )
            over = {
                window: f"OVER (PARTITION BY {by} ORDER BY day RANGE BETWEEN INTERVAL {window} DAYS PRECEDING "
                "AND INTERVAL 1 DAY PRECEDING)"
                for window in WINDOWS
            }
            sums = ", ".join(
                f"coalesce(sum({column}) {over[window]}, 0)::BIGINT AS {column}_{window}d"
                for window in WINDOWS
                for column in ("plays", "skips", "listening_ms")
            )
            duck.execute(
                f"CREATE OR REPLACE TABLE answer AS SELECT {by}, day, {sums} FROM "
                f"(SELECT {by}, day, count(*) AS plays, "
                "count(*) FILTER (skipped) AS skips, sum(ms_played) AS listening_ms FROM plays GROUP BY ALL "
                f"UNION ALL BY NAME SELECT {by}, day FROM moments) QUALIFY plays IS NULL"
            )
            for label, column in distinct.items():
                counts = ", ".join(
                    f"count(DISTINCT {column}_) {over[window]} AS {label}_{window}d" for window in WINDOWS
                )
                duck.execute(
                    f"CREATE OR REPLACE TABLE answer AS SELECT * FROM answer JOIN (SELECT {by}, day, "
                    f"{', '.join(f'{label}_{window}d' for window in WINDOWS)} FROM (SELECT *, {counts} FROM "
                    f"(SELECT DISTINCT {by}, day, {column} AS {column}_ FROM plays UNION ALL BY NAME "
                    f"SELECT {by}, day, TRUE AS wanted FROM moments)) WHERE wanted) USING ({by}, day)"
                )
            rows = duck.execute("SELECT * FROM answer").pl()
            rows = rows.with_columns(pl.col("day").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"))
            finish(root, "duckdb", name, rows.lazy())
    report(started)


def pandas(root: Path) -> None:
    """Compute the tables with pandas' ``rolling``."""
    import pandas as pd
    import polars as pl

    started = time.perf_counter()
    plays = pd.concat(pd.read_parquet(path, partitioning=None) for path in raw_files(root))
    plays["platform_id"] = "default"
    plays["day"] = plays["event_timestamp"].dt.floor("D")
    plays["skips"] = plays["skipped"].astype(int)
    end = pd.Timestamp(FIRST, tz="UTC") + pd.Timedelta(days=DAYS)
    for name, (keys, distinct) in TABLES.items():
        grouped = plays.groupby([*keys, "day"], observed=True)
        daily = grouped.agg(plays=("skips", "size"), skips=("skips", "sum"), listening_ms=("ms_played", "sum"))
        daily = daily.reset_index()
        moments = [daily[[*keys]].assign(day=daily["day"] + pd.Timedelta(days=lag)) for lag in (1, 2, 8, 29)]
        rows = pd.concat(moments).drop_duplicates()
        rows = rows[rows["day"] <= end]
        daily_and_moments = daily.merge(rows, on=[*keys, "day"], how="outer", indicator=True).sort_values(
            [*keys, "day"]
        )
        daily_and_moments = daily_and_moments.fillna({"plays": 0, "skips": 0, "listening_ms": 0}).reset_index(drop=True)
        for window in WINDOWS:
            rolled = daily_and_moments.groupby(keys).rolling(f"{window}D", on="day", closed="left")[
                ["plays", "skips", "listening_ms"]
            ]
            sums = rolled.sum().reset_index(drop=True).fillna(0)
            for column in ("plays", "skips", "listening_ms"):
                daily_and_moments[f"{column}_{window}d"] = sums[column].round().astype("int64")
        rows = daily_and_moments[daily_and_moments["_merge"] != "left_only"].drop(
            columns=["plays", "skips", "listening_ms", "_merge"]
        )
        for label, column in distinct.items():
            pairs = plays[[*keys, "day", column]].drop_duplicates()
            for window in WINDOWS:
                shifted = [pairs.assign(day=pairs["day"] + pd.Timedelta(days=lag)) for lag in range(1, window + 1)]
                counts = pd.concat(shifted).drop_duplicates().groupby([*keys, "day"]).size()
                counts = counts.rename(f"{label}_{window}d").reset_index()
                rows = rows.merge(counts, on=[*keys, "day"], how="left").fillna({f"{label}_{window}d": 0})
        finish(root, "pandas", name, pl.from_pandas(rows).lazy())
    report(started)


def finish(root: Path, engine: str, name: str, rows: Any) -> None:
    """Compute rates from sums, and write one file."""
    import polars as pl

    rates = [
        pl.when(pl.col(f"plays_{window}d") > 0)
        .then(pl.col(f"skips_{window}d") / pl.col(f"plays_{window}d"))
        .alias(f"skip_rate_{window}d")
        for window in WINDOWS
    ]
    target = root / engine
    target.mkdir(exist_ok=True)
    rows.with_columns(rates).rename({"day": "event_timestamp"}).collect().write_parquet(
        target / f"{name}.parquet", compression="zstd", compression_level=1
    )


def report(started: float) -> None:
    """Print the seconds since the start and the process's peak memory."""
    status = Path("/proc/self/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
    print(json.dumps({"seconds": round(time.perf_counter() - started, 3), "peak_mb": round(peak)}))


def same_answer(root: Path, engine: str) -> bool:
    """Whether all columns of our tables equal those of another engine."""
    import polars as pl
    from polars.testing import assert_frame_equal

    for name, (keys, _) in TABLES.items():
        our_rows = pl.read_parquet(
            sorted((root / "features" / name).rglob("*.parquet"))[:DAYS], hive_partitioning=False
        )
        our_rows = our_rows.drop("created_timestamp").sort(*keys, "event_timestamp")
        engine_rows = pl.read_parquet(root / engine / f"{name}.parquet").sort(*keys, "event_timestamp")
        moments = pl.col("event_timestamp").cast(pl.Datetime("us", "UTC"))
        engine_rows = engine_rows.with_columns(moments).select(our_rows.columns).cast(dict(our_rows.schema))  # type: ignore[arg-type]
        try:
            assert_frame_equal(our_rows, engine_rows, rel_tol=1e-9)
        except AssertionError as error:
            print(f"{engine} differs from ours in {name}: {str(error)[:300]}", file=sys.stderr)
            return False
    return True


def timed(engine: str, root: Path) -> dict[str, Any]:
    """Run one engine in a process of its own, and return its report."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.windows", "--engine", engine, "--root", str(root)]
    environment = {**os.environ, "POLARS_MAX_THREADS": "2"}
    process = subprocess.run(command, capture_output=True, text=True, env=environment, preexec_fn=_limited, check=False)
    if process.returncode:
        lines = process.stderr.strip().splitlines()
        message = next((line for line in lines if "memory" in line or "allocat" in line), "".join(lines[-1:]))
        return {"failed": f"exit {process.returncode} with {MEMORY_LIMIT >> 30} GiB allowed: {message[:160]}"}
    return json.loads(process.stdout.strip().splitlines()[-1])


def _limited() -> None:
    """Limit the memory of this process, so that it fails instead of exhausting the machine."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_LIMIT, MEMORY_LIMIT))


def year(root: Path, events: int, engines: tuple[str, ...], say: Any) -> dict[str, Any]:
    """Measure all engines on one year; then ours with one more day, a few times, and with nothing new."""
    make_plays(root, events)
    later = [path.parent for path in sorted((root / "raw").rglob("*.parquet"))[DAYS:]]
    hidden_days = [day.rename(root.with_name(f"{root.name}-later-{number}")) for number, day in enumerate(later)]
    figures: dict[str, Any] = {}
    for engine in engines:
        figures[engine] = timed(engine, root)
        if engine != "ours" and "failed" not in figures[engine]:
            figures[engine]["same_answer"] = same_answer(root, engine)
        say(f"{events:,} plays, {engine}: {figures[engine]}")
    days = []
    for path, hidden_day in zip(later, hidden_days, strict=True):
        hidden_day.rename(path)
        days.append(timed("ours", root))
    seconds = [day["seconds"] for day in days]
    peak = max(day["peak_mb"] for day in days)
    figures["one_more_day"] = {"seconds": statistics.median(seconds), "each": seconds, "peak_mb": peak}
    figures["nothing_new"] = timed("ours", root)
    say(f"{events:,} plays, one more day: {figures['one_more_day']}; nothing new: {figures['nothing_new']}")
    return figures


def fastest(figures: dict[str, Any]) -> float:
    """Return the speed-up over the fastest engine that finished with the same result."""
    engine_seconds = [figures[name]["seconds"] for name in ("polars", "duckdb") if figures[name].get("same_answer")]
    return min(engine_seconds, default=0) / figures["ours"]["seconds"]


def measure(quick: bool) -> dict[str, Any]:
    """Measure all cases."""

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    events = QUICK_EVENTS if quick else EVENTS
    with tempfile.TemporaryDirectory() as folder:
        year_figures = year(Path(folder) / "whole", events, ("ours", "polars", "duckdb"), say)
    with tempfile.TemporaryDirectory() as folder:
        tenth_figures = year(Path(folder) / "tenth", events // 10, ENGINES, say)
    with tempfile.TemporaryDirectory() as folder:
        half_figures = year(Path(folder) / "half", events // 2, ("ours",), say)
    speed_on_year, speed_on_tenth, pandas_speed = (
        fastest(year_figures),
        fastest(tenth_figures),
        tenth_figures["pandas"].get("seconds", 0) / tenth_figures["ours"]["seconds"],
    )
    day_share = year_figures["one_more_day"]["seconds"] / year_figures["ours"]["seconds"]
    memory_ratio = year_figures["ours"]["peak_mb"] / half_figures["ours"]["peak_mb"]
    cases = [
        (f"{events:,} plays, the fastest of polars and DuckDB", "speedup", speed_on_year, ">=3", speed_on_year >= 3),
        (f"{events // 10:,} plays, the fastest of polars and DuckDB", "speedup", speed_on_tenth, "", None),
        (f"{events // 10:,} plays, pandas", "speedup", pandas_speed, ">=3", pandas_speed >= 3),
        ("one more day on the year", "share_of_backfill", day_share, "<=0.02", day_share <= 0.02),
        ("the year against its half", "peak_memory_ratio", memory_ratio, "<=1.3", memory_ratio <= 1.3),
    ]
    return {
        "benchmark": "windows",
        "machine": MACHINE,
        "cases": [{"case": c, "metric": m, "value": round(v, 4), "goal": g, "met": met} for c, m, v, g, met in cases],
        "figures": {
            f"{events:,} plays": year_figures,
            f"{events // 10:,} plays": tenth_figures,
            f"{events // 2:,} plays": half_figures,
        },
    }


def main() -> None:
    """Run the benchmark, or one engine of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="200,000 plays")
    parser.add_argument("--engine", choices=ENGINES, help=argparse.SUPPRESS)
    parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.engine:
        {"ours": backfill_with_refrain, "polars": polars, "duckdb": duckdb, "pandas": pandas}[options.engine](
            options.root
        )
    else:
        print(json.dumps(measure(options.quick)))


if __name__ == "__main__":
    main()
