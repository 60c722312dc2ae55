"""Point-in-time joins: our offline store, Feast's DuckDB and file stores, raw DuckDB ASOF and raw polars, in one run.

Three views (by user, by track, by user and artist) with eight float features each. The case sets the number of feature
rows per key; they are spread over a year, in the layout of our feature tables: one file per day, sorted by key. The
spine has random keys at random moments of that year. Every engine runs in a process of its own, reads the same files
and returns the same Arrow table; seconds are from the query to that table, without imports and Feast's registry, and
peak memory is the process's largest resident size. Each process runs the query twice (the first run includes lazy
imports), each engine has several processes, in turns, and the fastest run counts. All results must be equal, row by
row.

The raw joins do less: no tie-break, no order of the spine, no ttl, no checks. They are a lower bound, not an
alternative.

    python -m benchmarks.offline_join [--quick] [--only CASE]
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.surroundings import MACHINE

VIEWS = {"users": ["user_id"], "tracks": ["track_id"], "affinity": ["user_id", "artist_id"]}
TTL_DAYS = (1, 2, 7)
FEATURES = 8
START = datetime(2025, 1, 1, tzinfo=UTC)
DAYS = 365
SLOW_ROWS = 100_000
"""Largest spine for Feast's file store. It gets each view as one file: with 365 files it needs minutes."""
PATIENCE_S = 400
"""Timeout in seconds; an engine that takes more than a tenth of it is run only once."""


@dataclass(frozen=True)
class Case:
    """A case of the benchmark.

    Attributes:
        name: name of the case.
        spine: rows of the spine.
        depth: feature rows per key.
        rows: feature rows of all views together.
        ttl: whether the views have a ttl of 1, 2 and 7 days.
    """

    name: str
    spine: int
    depth: int
    rows: int = 10_000_000
    ttl: bool = False


CASES = (
    Case("depth 10", 500_000, 10),
    Case("depth 30", 500_000, 30),
    Case("depth 100", 500_000, 100),
    Case("depth 365", 500_000, 365),
    Case("spine 100k", 100_000, 100),
    Case("spine 1M", 1_000_000, 100),
    Case("spine 2M", 2_000_000, 100),
    Case("tight ttl, spine 100k", 100_000, 365, ttl=True),
    Case("tight ttl, spine 1M", 1_000_000, 365, ttl=True),
    Case("small", 1_000, 30, rows=30_000),
)
QUICK = (Case("quick", 20_000, 30, rows=300_000), Case("quick, tight ttl", 20_000, 30, rows=300_000, ttl=True))
ENGINES = ("ours", "feast_duckdb", "feast_file", "raw_duckdb", "raw_polars")
LATEST = {"ours_latest": "ours", "feast_duckdb_latest": "feast_duckdb"}
"""Engines that read the newest row of every key of every view, as ``materialize`` does."""


def make_data(case: Case, folder: Path) -> None:
    """Write the views and the spine of a case; equal cases give equal rows."""
    import duckdb

    keys = case.rows // len(VIEWS) // case.depth
    artists = max(keys // 1000, 1)
    with duckdb.connect() as duck:
        duck.execute("SET timezone = 'UTC'; SET preserve_insertion_order = false; SELECT setseed(0.5)")
        text = {
            "users": "printf('user_%07d', k) AS user_id",
            "tracks": "printf('track_%07d', k) AS track_id",
            "affinity": f"printf('user_%07d', k // {artists}) AS user_id,"
            f" printf('artist_%07d', k % {artists}) AS artist_id",
        }
        values = ", ".join(f"((hash(k, d, {place}) % 100000) / 100)::FLOAT AS f{place}" for place in range(FEATURES))
        day = f"TIMESTAMPTZ '{START.isoformat()}' + to_days(((d * {DAYS} + hash(k) % {DAYS}) // {case.depth})::INTEGER)"
        for view, columns in VIEWS.items():
            duck.execute(
                f"CREATE OR REPLACE TABLE t AS SELECT {text[view]}, {day} AS event_timestamp,"
                f" event_timestamp + INTERVAL 3 HOUR AS created_timestamp, {values}, event_timestamp::DATE AS date"
                f" FROM range({keys}) a(k), range({case.depth}) b(d) ORDER BY date, {', '.join(columns)}"
            )
            duck.execute(
                f"COPY t TO '{folder / view}' (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (date),"
                " FILENAME_PATTERN 'part-{i}')"
            )
            if case.spine <= SLOW_ROWS:
                duck.execute(f"COPY (SELECT * EXCLUDE date FROM t) TO '{folder / view}.parquet' (COMPRESSION zstd)")
        since = f"to_microseconds((hash(n, 4) % ({DAYS}::UBIGINT * 86400000000))::BIGINT)"
        moment = f"TIMESTAMPTZ '{START.isoformat()}' + {since}"
        duck.execute(
            f"COPY (SELECT printf('user_%07d', hash(n, 1) % {max(keys // artists, 1)}) AS user_id,"
            f" printf('track_%07d', hash(n, 2) % {keys}) AS track_id,"
            f" printf('artist_%07d', hash(n, 3) % {artists}) AS artist_id, {moment} AS event_timestamp, n AS row"
            f" FROM range({case.spine}) s(n)) TO '{folder / 'spine.parquet'}' (FORMAT parquet)"
        )


def through_feast(engine: str, case: Case, folder: Path) -> Any:
    """Prepare the query for one of Feast's stores; returns the function that runs it."""
    import warnings

    import pyarrow.parquet as pq
    from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
    from feast.data_format import ParquetFormat
    from feast.types import Float32, String

    warnings.simplefilter("ignore")
    kind = {"ours": "feature_repo.stores.offline.AsOfOfflineStore", "feast_duckdb": "duckdb", "feast_file": "dask"}
    wants_latest, engine = engine in LATEST, LATEST.get(engine, engine)
    store_folder = Path(tempfile.mkdtemp(dir=folder))
    config = RepoConfig(
        project="bench",
        provider="local",
        registry=str(store_folder / "registry.db"),
        offline_store={"type": kind[engine]},
        online_store={"type": "sqlite", "path": str(store_folder / "online.db")},
        entity_key_serialization_version=3,
    )
    store = FeatureStore(config=config)
    names = sorted({key for keys in VIEWS.values() for key in keys})
    entities = {key: Entity(name=key, join_keys=[key], value_type=ValueType.STRING) for key in names}
    views = [
        FeatureView(
            name=view,
            entities=[entities[key] for key in keys],
            ttl=timedelta(days=days if case.ttl else 0),
            schema=[
                *(Field(name=key, dtype=String) for key in keys),
                *(Field(name=f"f{place}", dtype=Float32) for place in range(FEATURES)),
            ],
            source=FileSource(
                name=f"{view}_source",
                path=str(folder / (f"{view}.parquet" if engine == "feast_file" else view)),
                file_format=ParquetFormat(),
                timestamp_field="event_timestamp",
                created_timestamp_column="created_timestamp",
            ),
        )
        for (view, keys), days in zip(VIEWS.items(), TTL_DAYS, strict=True)
    ]
    store.apply([*entities.values(), *views])
    if wants_latest:
        return lambda: latest(store, views)
    references = [f"{view}:f{place}" for view in VIEWS for place in range(FEATURES)]
    spine = pq.read_table(folder / "spine.parquet").to_pandas()

    def query() -> Any:
        return store.get_historical_features(entity_df=spine, features=references, full_feature_names=True).to_arrow()

    return query


def latest(store: Any, views: list[Any]) -> Any:
    """Concatenate the newest rows of all views; columns that a view lacks are null."""
    import pyarrow as pa

    tables = []
    for view in views:
        job = store._get_provider().offline_store.pull_latest_from_table_or_query(
            config=store.config,
            data_source=view.batch_source,
            join_key_columns=VIEWS[view.name],
            feature_name_columns=[f"f{place}" for place in range(FEATURES)],
            timestamp_field="event_timestamp",
            created_timestamp_column="created_timestamp",
            start_date=START,
            end_date=START + timedelta(days=DAYS),
        )
        tables.append(job.to_arrow())
    return pa.concat_tables(tables, promote_options="default")


def with_duckdb(case: Case, folder: Path) -> Any:
    """Prepare the join as an expert would write it for DuckDB: filter by keys first, then ASOF."""
    import duckdb

    columns = ", ".join(f"{view}.f{place} AS {view}__f{place}" for view in VIEWS for place in range(FEATURES))
    joins = ""
    for (view, keys), days in zip(VIEWS.items(), TTL_DAYS, strict=True):
        condition = " AND ".join(f"s.{key} = {view}.{key}" for key in keys)
        key_list = ", ".join(keys)
        names = ", ".join([key_list, "event_timestamp", *(f"f{place}" for place in range(FEATURES))])
        joins += (
            f" ASOF LEFT JOIN (SELECT {names} FROM read_parquet('{folder / view}/**/*.parquet')"
            f" SEMI JOIN s USING ({key_list})) {view}"
            f" ON {condition} AND s.event_timestamp >= {view}.event_timestamp"
        )
        if case.ttl:
            columns = columns.replace(
                f"{view}.f",
                f"CASE WHEN {view}.event_timestamp >= s.event_timestamp - INTERVAL {days} DAY THEN {view}.f",
            )
            for place in range(FEATURES):
                columns = columns.replace(f"f{place} AS {view}__f{place}", f"f{place} END AS {view}__f{place}")

    def query() -> Any:
        with duckdb.connect() as duck:
            duck.execute("SET timezone = 'UTC'")
            duck.execute(f"CREATE TABLE s AS FROM '{folder / 'spine.parquet'}'")
            return duck.execute(f"SELECT s.*, {columns} FROM s {joins}").to_arrow_table()

    return query


def with_polars(case: Case, folder: Path) -> Any:
    """Prepare the join as an expert would write it for polars: filter by keys, sort both sides, then join_asof."""
    import polars as pl

    def query() -> Any:
        spine = pl.read_parquet(folder / "spine.parquet").sort("event_timestamp")
        for (view, keys), days in zip(VIEWS.items(), TTL_DAYS, strict=True):
            rows = (
                pl.scan_parquet(f"{folder / view}/**/*.parquet", hive_partitioning=False)
                .drop("created_timestamp")
                .join(spine.lazy().select(keys).unique(), on=keys, how="semi")
                .sort("event_timestamp")
                .rename({f"f{place}": f"{view}__f{place}" for place in range(FEATURES)})
                .collect()
            )
            tolerance = timedelta(days=days) if case.ttl else None
            spine = spine.join_asof(
                rows, on="event_timestamp", by=keys, tolerance=tolerance, check_sortedness=False, coalesce=True
            )
        return spine.to_arrow()

    return query


def child(engine: str, case: Case, folder: Path, answer: Path | None) -> None:
    """Run one engine's query twice in this process, once if it is slow; print seconds and peak memory as JSON."""
    if engine == "raw_duckdb":
        query = with_duckdb(case, folder)
    elif engine == "raw_polars":
        query = with_polars(case, folder)
    else:
        query = through_feast(engine, case, folder)
    seconds: list[float] = []
    while len(seconds) < 2 and sum(seconds) < PATIENCE_S / 20:
        started = time.perf_counter()
        table = query()
        seconds.append(time.perf_counter() - started)
        rows = table.num_rows
        if answer:
            write_canonical(table, answer)
            answer = None
        del table
    print(json.dumps({"seconds": min(seconds), "peak_mb": peak_mb(), "rows": rows}))


def peak_mb() -> float:
    """Return the peak memory of this process. (``ru_maxrss`` would include a larger parent.)"""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def write_canonical(table: Any, path: Path) -> None:
    """Write only the features, in the order of the spine."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if "row" not in table.column_names:
        keys = ["user_id", "track_id", "artist_id"]
        names = [*keys, "event_timestamp", *(f"f{place}" for place in range(FEATURES))]
        types = [pa.string()] * 3 + [pa.timestamp("us", "UTC")] + [pa.float32()] * FEATURES
        ordered = table.select(names).sort_by([(key, "ascending") for key in keys])
        pq.write_table(ordered.cast(pa.schema(list(zip(names, types, strict=True)))), path)
        return
    names = ["row", *(f"{view}__f{place}" for view in VIEWS for place in range(FEATURES))]
    ordered = table.select(names).sort_by("row")
    pq.write_table(ordered.cast(pa.schema([("row", pa.int64()), *((name, pa.float32()) for name in names[1:])])), path)


def measure(case: Case, work: Path, repeats: int, say: Any) -> dict[str, dict[str, Any]]:
    """Measure every engine on one case, in turns, and compare the results with ours."""
    import pyarrow.parquet as pq

    folder = work / "data"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    make_data(case, folder)
    results: dict[str, dict[str, Any]] = {}
    for turn in range(repeats):
        for engine in [*ENGINES, *LATEST] if case.name.startswith(("depth", "quick")) else ENGINES:
            if engine == "feast_file" and case.spine > SLOW_ROWS:
                continue
            if turn and results[engine].get("seconds", PATIENCE_S) > PATIENCE_S / 10:
                continue
            answer = work / f"{engine}.parquet"
            command = [sys.executable, "-W", "ignore", "-m", "benchmarks.offline_join", "--child", engine]
            command += ["--case", json.dumps(asdict(case)), "--folder", str(folder)]
            command += ["--answer", str(answer)] if turn == 0 else []
            try:
                process = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
            except subprocess.TimeoutExpired:
                results[engine] = {"failed": f"not done after {PATIENCE_S} s"}
                continue
            if process.returncode:
                results[engine] = {"failed": (process.stderr.strip().splitlines() or ["killed"])[-1][:200]}
                say(f"{case.name:24} {engine:13} {results[engine]}")
                continue
            report = json.loads(process.stdout.strip().splitlines()[-1])
            best = results.get(engine)
            if best is None:
                our_answer = work / ("ours_latest.parquet" if engine in LATEST else "ours.parquet")
                is_same = engine.startswith("ours") or pq.read_table(answer).equals(pq.read_table(our_answer))
                results[engine] = {**report, "same_answer": is_same}
            else:
                best["seconds"] = min(best["seconds"], report["seconds"])
                best["peak_mb"] = min(best["peak_mb"], report["peak_mb"])
            say(f"{case.name:24} {engine:13} {results[engine]}")
    return results


def ratio(results: dict[str, dict[str, Any]], engine: str, metric: str) -> float | None:
    """Return an engine's figure over ours."""
    if metric not in results.get(engine, {}):
        return None
    return round(results[engine][metric] / results["ours"][metric], 2)


def goals(case: Case, results: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the figures of a case with their goals; a missed goal is reported as missed."""
    raw_seconds = [results[name]["seconds"] for name in ("raw_duckdb", "raw_polars") if "seconds" in results[name]]
    figures: list[tuple[str, float | None, str]] = [("time_over_fastest_raw_join", None, "<=1.3")]
    if raw_seconds:
        figures = [("time_over_fastest_raw_join", round(results["ours"]["seconds"] / min(raw_seconds), 2), "<=1.3")]
    deep, tight = case.name == "depth 365", case.name == "tight ttl, spine 1M"
    speed = ">=10" if deep else ">=1.5" if tight else ">=1"
    figures.append(("speedup_vs_feast_duckdb", ratio(results, "feast_duckdb", "seconds"), speed))
    memory = ">=4" if deep else ">=1" if tight else ""
    figures.append(("memory_of_feast_duckdb_over_ours", ratio(results, "feast_duckdb", "peak_mb"), memory))
    figures.append(("speedup_vs_feast_file", ratio(results, "feast_file", "seconds"), ""))
    if "ours_latest" in results:
        figures.append(("pull_latest_speedup_vs_feast_duckdb", latest_speedup(results), ">=3"))
    return [
        {"case": case.name, "metric": metric, "value": value, "goal": goal, "met": met(value, goal)}
        for metric, value, goal in figures
        if value is not None or goal
    ]


def latest_speedup(results: dict[str, dict[str, Any]]) -> float | None:
    """Return Feast's seconds for the newest rows over ours."""
    if "seconds" not in results["feast_duckdb_latest"]:
        return None
    return round(results["feast_duckdb_latest"]["seconds"] / results["ours_latest"]["seconds"], 2)


def met(value: float | None, goal: str) -> bool | None:
    """Whether a figure reaches its goal; None where there is none."""
    if not goal:
        return None
    if value is None:
        return False
    return value <= float(goal[2:]) if goal.startswith("<=") else value >= float(goal[2:])


def main() -> None:
    """Run the benchmark and print its line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two small cases, one run each")
    parser.add_argument("--only", help="run only the case of this name")
    parser.add_argument("--repeats", type=int, default=2, help="processes of each engine [2]")
    parser.add_argument("--child", choices=[*ENGINES, *LATEST], help=argparse.SUPPRESS)
    parser.add_argument("--case", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--answer", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child, Case(**json.loads(options.case)), options.folder, options.answer)
        return

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    cases = QUICK if options.quick else [case for case in CASES if options.only in (None, case.name)]
    lines, figures = [], {}
    with tempfile.TemporaryDirectory(prefix="refrain-bench-") as work:
        for case in cases:
            results = measure(case, Path(work), 1 if options.quick else options.repeats, say)
            figures[case.name] = {"size": asdict(case), "engines": results}
            lines += goals(case, results)
    print(json.dumps({"benchmark": "offline_join", "machine": MACHINE, "cases": lines, "figures": figures}))


if __name__ == "__main__":
    main()
