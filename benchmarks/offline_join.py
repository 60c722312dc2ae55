"""Point-in-time joins: our offline store, Feast's DuckDB and file stores, raw DuckDB ASOF and raw polars, in one run.

Three views (by user, by track, by user and artist) with eight float features each; as many feature rows a key as the
case says, spread over a year, in the layout of our feature tables: a file a day, sorted by key. The spine asks for
random keys at random moments of that year. Every competitor runs in a process of its own, reads the same files and
brings the same Arrow table into memory; seconds are from the question to that table, imports and Feast's registry
left out, and peak memory is the process's largest resident size. Each process asks twice (the first time also loads
what libraries load late), each competitor has several processes, in turns, and the fastest answer counts. All answers
must be equal, row by row.

The raw joins do less: no tie-break, no order of the spine, no ttl, no checks. They are the floor, not an alternative.

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
"""Feast's file store is asked for no larger spine. It gets each view as one file: over 365 it needs minutes."""
PATIENCE_S = 400
"""A competitor that takes longer has failed; one that takes a tenth of it is run once."""


@dataclass(frozen=True)
class Case:
    """One size of the problem.

    Attributes:
        spine: rows.
        depth: feature rows a key.
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
"""Competitors that read the newest row of every key of every view, as ``materialize`` does."""


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
    """A question to one of Feast's stores, ready to be asked."""
    import warnings

    import pyarrow.parquet as pq
    from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
    from feast.data_format import ParquetFormat
    from feast.types import Float32, String

    warnings.simplefilter("ignore")
    kind = {"ours": "feature_repo.stores.offline.AsOfOfflineStore", "feast_duckdb": "duckdb", "feast_file": "dask"}
    wants_latest, engine = engine in LATEST, LATEST.get(engine, engine)
    own = Path(tempfile.mkdtemp(dir=folder))
    config = RepoConfig(
        project="bench",
        provider="local",
        registry=str(own / "registry.db"),
        offline_store={"type": kind[engine]},
        online_store={"type": "sqlite", "path": str(own / "online.db")},
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

    def ask() -> Any:
        return store.get_historical_features(entity_df=spine, features=references, full_feature_names=True).to_arrow()

    return ask


def latest(store: Any, views: list[Any]) -> Any:
    """The newest rows of all views, below each other; the columns that a view lacks are null."""
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
    """The join as an expert would write it for DuckDB: keys filtered first, then ASOF."""
    import duckdb

    columns = ", ".join(f"{view}.f{place} AS {view}__f{place}" for view in VIEWS for place in range(FEATURES))
    joins = ""
    for (view, keys), days in zip(VIEWS.items(), TTL_DAYS, strict=True):
        on = " AND ".join(f"s.{key} = {view}.{key}" for key in keys)
        listed = ", ".join(keys)
        names = ", ".join([listed, "event_timestamp", *(f"f{place}" for place in range(FEATURES))])
        joins += (
            f" ASOF LEFT JOIN (SELECT {names} FROM read_parquet('{folder / view}/**/*.parquet')"
            f" SEMI JOIN s USING ({listed})) {view}"
            f" ON {on} AND s.event_timestamp >= {view}.event_timestamp"
        )
        if case.ttl:
            columns = columns.replace(
                f"{view}.f",
                f"CASE WHEN {view}.event_timestamp >= s.event_timestamp - INTERVAL {days} DAY THEN {view}.f",
            )
            for place in range(FEATURES):
                columns = columns.replace(f"f{place} AS {view}__f{place}", f"f{place} END AS {view}__f{place}")

    def ask() -> Any:
        with duckdb.connect() as duck:
            duck.execute("SET timezone = 'UTC'")
            duck.execute(f"CREATE TABLE s AS FROM '{folder / 'spine.parquet'}'")
            return duck.execute(f"SELECT s.*, {columns} FROM s {joins}").to_arrow_table()

    return ask


def with_polars(case: Case, folder: Path) -> Any:
    """The join as an expert would write it for polars: keys filtered first, both sides sorted, then join_asof."""
    import polars as pl

    def ask() -> Any:
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

    return ask


def child(engine: str, case: Case, folder: Path, answer: Path | None) -> None:
    """Ask one competitor twice in this process, once if it is slow, and print seconds and peak memory as JSON."""
    if engine == "raw_duckdb":
        ask = with_duckdb(case, folder)
    elif engine == "raw_polars":
        ask = with_polars(case, folder)
    else:
        ask = through_feast(engine, case, folder)
    seconds: list[float] = []
    while len(seconds) < 2 and sum(seconds) < PATIENCE_S / 20:
        started = time.perf_counter()
        table = ask()
        seconds.append(time.perf_counter() - started)
        rows = table.num_rows
        if answer:
            write_canonical(table, answer)
            answer = None
        del table
    print(json.dumps({"seconds": min(seconds), "peak_mb": peak_mb(), "rows": rows}))


def peak_mb() -> float:
    """Largest resident size of this process. (``ru_maxrss`` would be that of the parent, where that was larger.)"""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def write_canonical(table: Any, path: Path) -> None:
    """In the order of the spine, features alone."""
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
    """Every competitor on one case, in turns; the answers compared with ours."""
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
            call = [sys.executable, "-W", "ignore", "-m", "benchmarks.offline_join", "--child", engine]
            call += ["--case", json.dumps(asdict(case)), "--folder", str(folder)]
            call += ["--answer", str(answer)] if turn == 0 else []
            try:
                done = subprocess.run(call, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
            except subprocess.TimeoutExpired:
                results[engine] = {"failed": f"not done after {PATIENCE_S} s"}
                continue
            if done.returncode:
                results[engine] = {"failed": (done.stderr.strip().splitlines() or ["killed"])[-1][:200]}
                say(f"{case.name:24} {engine:13} {results[engine]}")
                continue
            found = json.loads(done.stdout.strip().splitlines()[-1])
            before = results.get(engine)
            if before is None:
                ours = work / ("ours_latest.parquet" if engine in LATEST else "ours.parquet")
                same = engine.startswith("ours") or pq.read_table(answer).equals(pq.read_table(ours))
                results[engine] = {**found, "same_answer": same}
            else:
                before["seconds"] = min(before["seconds"], found["seconds"])
                before["peak_mb"] = min(before["peak_mb"], found["peak_mb"])
            say(f"{case.name:24} {engine:13} {results[engine]}")
    return results


def ratio(results: dict[str, dict[str, Any]], engine: str, what: str) -> float | None:
    """That engine's figure over ours."""
    if what not in results.get(engine, {}):
        return None
    return round(results[engine][what] / results["ours"][what], 2)


def goals(case: Case, results: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The issue's goals as far as this case has them; a goal that is missed is printed as missed."""
    raw = [results[name]["seconds"] for name in ("raw_duckdb", "raw_polars") if "seconds" in results[name]]
    found: list[tuple[str, float | None, str]] = [("time_over_fastest_raw_join", None, "<=1.3")]
    if raw:
        found = [("time_over_fastest_raw_join", round(results["ours"]["seconds"] / min(raw), 2), "<=1.3")]
    deep, tight = case.name == "depth 365", case.name == "tight ttl, spine 1M"
    speed = ">=10" if deep else ">=1.5" if tight else ">=1"
    found.append(("speedup_vs_feast_duckdb", ratio(results, "feast_duckdb", "seconds"), speed))
    memory = ">=4" if deep else ">=1" if tight else ""
    found.append(("memory_of_feast_duckdb_over_ours", ratio(results, "feast_duckdb", "peak_mb"), memory))
    found.append(("speedup_vs_feast_file", ratio(results, "feast_file", "seconds"), ""))
    if "ours_latest" in results:
        found.append(("pull_latest_speedup_vs_feast_duckdb", latest_speedup(results), ">=3"))
    return [
        {"case": case.name, "metric": metric, "value": value, "goal": goal, "met": met(value, goal)}
        for metric, value, goal in found
        if value is not None or goal
    ]


def latest_speedup(results: dict[str, dict[str, Any]]) -> float | None:
    """Feast's seconds for the newest rows over ours."""
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
    parser.add_argument("--only", help="the case of this name")
    parser.add_argument("--repeats", type=int, default=2, help="processes of each competitor [2]")
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
