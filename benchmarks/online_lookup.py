"""Online lookups: our slim lookup and Feast's API on our store, Feast's Redis and SQLite stores, and raw Redis.

Users with float32 features in 1, 3 or 5 views, 10, 50 or 250 in total. Every engine writes the same values in its own
format, reads them back for 1 to 1,000 distinct users per lookup (other users each time), and is timed from the keys to
the values in memory: a float32 matrix for the slim lookup, Feast's response as a dict for Feast's API, arrays of
``numpy.frombuffer`` over one ``MGET`` for raw Redis, without further decoding or checks. All Redis engines use one
embedded server on a Unix socket, and redis-py with hiredis. Feast's precomputed mode stores one protobuf of all
features for each user, and is measured where it applies (one service, all its views). All results must be equal. Each
engine runs in a process of its own, one after the other; throughput is measured with one and with two processes.

    python -m benchmarks.online_lookup [--quick]
"""

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.surroundings import MACHINE

USERS = 2_000
ROWS = (1, 10, 100, 500, 1000)
SHAPES = ((1, 10), (1, 50), (1, 250), (3, 10), (3, 50), (3, 250), (5, 50))
"""Pairs of the number of views and the total number of features."""
QUICK_ROWS, QUICK_SHAPES = (1, 100), ((1, 10), (5, 50))
ENGINES = ("ours_feast", "slim", "raw_mget", "feast_redis", "feast_sqlite", "feast_precomputed")
BUSY = ((5, 50), 100)
"""Shape and rows of the throughput measurement."""
SECONDS = 1.2
"""Seconds of one measurement, with at least 30 and at most 1,500 lookups."""
WHEN = datetime(2026, 1, 1, tzinfo=UTC)


def view_columns(views: int, features: int) -> list[list[str]]:
    """Return the names of the features of each view."""
    share = [features // views + (number < features % views) for number in range(views)]
    return [[f"v{views}x{features}_{view}_f{place}" for place in range(size)] for view, size in enumerate(share)]


def values(views: int, features: int) -> np.ndarray:
    """Draw the feature values: (USERS, features) float32."""
    return np.random.default_rng(views * 1000 + features).random((USERS, features), np.float32)


def users() -> list[str]:
    """Return the keys of all users."""
    return [f"u{number:06d}" for number in range(USERS)]


def open_feast(engine: str, folder: Path, shapes: list[tuple[int, int]]) -> Any:
    """Create a Feast store and write all values online."""
    import pyarrow as pa
    from feast import Entity, FeatureService, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
    from feast.types import Float32

    store_folder = folder / engine
    store_folder.mkdir(exist_ok=True)
    socket = f"localhost:1,unix_socket_path={folder / 'home' / 'redis' / 'redis.sock'}"
    online: dict[str, Any] = {
        "ours_feast": {"type": "feature_repo.stores.online.PackedRedisOnlineStore"},
        "feast_redis": {"type": "redis", "connection_string": f"{socket},db=1"},
        "feast_precomputed": {"type": "redis", "connection_string": f"{socket},db=2"},
        "feast_sqlite": {"type": "sqlite", "path": str(store_folder / "online.db")},
    }[engine]
    config = RepoConfig(
        project="bench",
        provider="local",
        registry={"registry_type": "file", "path": str(store_folder / "registry.db"), "cache_ttl_seconds": 3600},
        offline_store={"type": "duckdb"},
        online_store=online,
        entity_key_serialization_version=3,
    )
    store = FeatureStore(config=config)
    user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.STRING)
    objects: list[Any] = [user]
    tables: list[tuple[str, pa.Table]] = []
    for shape in shapes:
        service_views = []
        start = 0
        for view, names in enumerate(view_columns(*shape)):
            name = f"v{shape[0]}x{shape[1]}_{view}"
            source = FileSource(
                name=f"{name}_source", path=str(store_folder / "none.parquet"), timestamp_field="event_timestamp"
            )
            schema = [Field(name=feature, dtype=Float32) for feature in names]
            service_views.append(FeatureView(name=name, entities=[user], schema=schema, source=source, ttl=None))
            block = values(*shape)[:, start : start + len(names)]
            start += len(names)
            columns = {feature: pa.array(block[:, place]) for place, feature in enumerate(names)}
            moment = pa.array([WHEN] * USERS, pa.timestamp("us", "UTC"))
            tables.append((name, pa.table({"user_id": users(), "event_timestamp": moment, **columns})))
        precomputed = engine == "feast_precomputed"
        service = FeatureService(name=f"s{shape[0]}x{shape[1]}", features=service_views, precompute_online=precomputed)
        objects += [*service_views, service]
    import pyarrow.parquet as pq

    pq.write_table(tables[0][1].slice(0, 1), store_folder / "none.parquet")  # Feast reads the file of a source
    store.apply(objects)
    for name, table in tables:
        store.write_to_online_store(name, df=table.to_pandas())
    if engine == "feast_precomputed":
        for shape in shapes:
            store.precompute_feature_service(f"s{shape[0]}x{shape[1]}")
    return store


def feast_lookup(store: Any, shape: tuple[int, int], *, full: bool) -> Callable[[list[str]], Any]:
    """Return a lookup through Feast's API, up to Python values."""
    service = store.get_feature_service(f"s{shape[0]}x{shape[1]}")

    def look_up(keys: list[str]) -> dict[str, list[float]]:
        rows = [{"user_id": key} for key in keys]
        answer = store.get_online_features(features=service, entity_rows=rows, full_feature_names=full)
        return answer.to_dict()

    return look_up


def matrix_of(answer: Any, shape: tuple[int, int]) -> np.ndarray:
    """Convert a dict from Feast to a matrix, for comparison."""
    names = [name for view in view_columns(*shape) for name in view]
    by_name = {name.split("__")[-1]: column for name, column in answer.items()}
    return np.array([by_name[name] for name in names], np.float32).T


def slim_lookup(home: Any, shape: tuple[int, int]) -> Callable[[list[str]], np.ndarray]:
    """Return our slim lookup, without Feast."""
    from inference.features import OnlineFeatures

    lookup = OnlineFeatures(f"s{shape[0]}x{shape[1]}", home)
    names = [f"v{shape[0]}x{shape[1]}_{v}__{name}" for v, view in enumerate(view_columns(*shape)) for name in view]

    def look_up(keys: list[str]) -> np.ndarray:
        return lookup.get({"user_id": keys}).matrix(names)

    return look_up


def raw_lookup(home: Any, shape: tuple[int, int]) -> Callable[[list[str]], np.ndarray]:
    """Return a lookup by one MGET of the same keys that views the bytes as arrays."""
    from feature_repo.packed.schema import CHECKSUM_BYTES, Schema
    from feature_repo.stores.redis_server import ensure

    client = ensure(home)
    parts = []
    for view, names in enumerate(view_columns(*shape)):
        schema = Schema.of("v", [(name, "Float32") for name in names])
        size = schema.fixed_bytes + CHECKSUM_BYTES
        record = np.dtype({"names": ["f"], "formats": [f"{len(names)}<f4"], "offsets": [24], "itemsize": size})
        parts.append((f"bench:v{shape[0]}x{shape[1]}_{view}:{{".encode(), record))

    def look_up(keys: list[str]) -> list[np.ndarray]:
        redis_keys = [key.encode() + b"}" for key in keys]
        raw_values = client.mget([prefix + key for prefix, _ in parts for key in redis_keys])
        return [
            np.frombuffer(b"".join(raw_values[number * len(redis_keys) : (number + 1) * len(redis_keys)]), record)["f"]  # type: ignore[index]
            for number, (_, record) in enumerate(parts)
        ]

    return look_up


def compile_service_manifest(store: Any, home: Any, shapes: list[tuple[int, int]]) -> None:
    """Compile the manifest that the slim lookup reads."""
    from feature_repo.compile_manifest import compile_manifest

    compile_manifest(store, home)
    document = json.loads(home.manifest.read_text())
    document["project"] = "bench"
    home.manifest.write_text(json.dumps(document))


def lookups(engine: str, folder: Path, shapes: list[tuple[int, int]], *, setup: bool) -> dict[tuple, Callable]:
    """Return one lookup function per shape: user keys → values."""
    from feature_repo.home import Home

    home = Home(folder / "home")
    if engine == "slim":
        return {shape: slim_lookup(home, shape) for shape in shapes}
    if engine == "raw_mget":
        return {shape: raw_lookup(home, shape) for shape in shapes}
    if setup:
        store = open_feast(engine, folder, shapes)
        if engine == "ours_feast":
            compile_service_manifest(store, home, shapes)
    else:
        store = open_feast_again(engine, folder)
    full = engine == "feast_precomputed"
    return {shape: feast_lookup(store, shape, full=full) for shape in shapes}


def open_feast_again(engine: str, folder: Path) -> Any:
    """Open the store that ``open_feast`` created, in another process."""
    from feast import FeatureStore, RepoConfig

    socket = f"localhost:1,unix_socket_path={folder / 'home' / 'redis' / 'redis.sock'},db=1"
    online = {"type": "redis", "connection_string": socket}
    if engine == "ours_feast":
        online = {"type": "feature_repo.stores.online.PackedRedisOnlineStore"}
    registry = {"registry_type": "file", "path": str(folder / engine / "registry.db"), "cache_ttl_seconds": 3600}
    config = RepoConfig(
        project="bench",
        provider="local",
        registry=registry,
        offline_store={"type": "duckdb"},
        online_store=online,
        entity_key_serialization_version=3,
    )
    return FeatureStore(config=config)


def timed(look_up: Callable[[list[str]], Any], rows: int) -> dict[str, float]:
    """Measure milliseconds at the median and the 99th percentile."""
    all_users = users() * 2
    for turn in range(5):
        look_up(all_users[turn : turn + rows])
    durations_s: list[float] = []
    until = time.perf_counter() + SECONDS
    turn = 0
    while (time.perf_counter() < until or len(durations_s) < 30) and len(durations_s) < 1500:
        turn = (turn + 37) % USERS
        keys = all_users[turn : turn + rows]
        started = time.perf_counter()
        look_up(keys)
        durations_s.append(time.perf_counter() - started)
    return {
        "p50_ms": round(float(np.percentile(durations_s, 50)) * 1e3, 4),
        "p99_ms": round(float(np.percentile(durations_s, 99)) * 1e3, 4),
        "lookups": len(durations_s),
    }


def stored_bytes(engine: str, folder: Path, shape: tuple[int, int]) -> dict[str, float]:
    """Measure the memory of one user's features: as reported by Redis, and values alone per payload byte."""
    from feature_repo.home import Home
    from feature_repo.stores.redis_server import ensure

    client = ensure(Home(folder / "home"))
    if engine == "ours_feast":
        keys = [f"bench:v{shape[0]}x{shape[1]}_{view}:{{u000007}}".encode() for view in range(shape[0])]
        values_only = sum(client.strlen(key) for key in keys)
        return {
            "redis_bytes": sum(client.memory_usage(key) for key in keys),
            "value_bytes_per_payload_byte": round(values_only / (4 * shape[1]), 3),
        }
    return {}


def child(engine: str, folder: Path, shapes: list[tuple[int, int]], sizes: list[int], busy: bool) -> None:
    """Measure one engine and print the figures as JSON; or, if ``busy``, count lookups for two seconds."""
    lookup_functions = lookups(engine, folder, shapes, setup=not busy)
    if busy:
        look_up, all_users = lookup_functions[BUSY[0]], users() * 2
        for turn in range(10):
            look_up(all_users[turn : turn + BUSY[1]])
        print("ready", flush=True)
        sys.stdin.readline()
        count, until = 0, time.perf_counter() + 2.0
        while time.perf_counter() < until:
            look_up(all_users[count % USERS : count % USERS + BUSY[1]])
            count += 1
        print(json.dumps(count / 2.0))
        return
    gc.collect()
    results: dict[str, Any] = {}
    for shape, look_up in lookup_functions.items():
        sample_users = users()[3:103]
        answer = look_up(sample_users)
        if engine not in ("slim", "raw_mget"):
            answer = matrix_of(answer, shape)
        if engine == "raw_mget":
            answer = np.concatenate(answer, axis=1)
        assert np.array_equal(answer, values(*shape)[3:103]), (engine, shape)
        figures = {str(rows): timed(look_up, rows) for rows in sizes}
        results[f"{shape[0]}x{shape[1]}"] = {"rows": figures, **stored_bytes(engine, folder, shape)}
    print(json.dumps(results))


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of child processes."""
    return {**os.environ, "REFRAIN_HOME": str(folder / "home"), "FEAST_USAGE": "False"}


def call(engine: str, folder: Path, shapes: Any, sizes: Any) -> list[str]:
    """Return the command line of a child process."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.online_lookup", "--child", engine]
    return [*command, "--folder", str(folder), "--shapes", json.dumps(shapes), "--rows", json.dumps(sizes)]


def throughput(engine: str, folder: Path, processes: int) -> float:
    """Measure lookups per second of several processes together."""
    started = [
        subprocess.Popen(
            [*call(engine, folder, [BUSY[0]], [BUSY[1]]), "--busy"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(folder),
        )
        for _ in range(processes)
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "ready"
    with ThreadPoolExecutor(processes) as pool:
        answers = list(pool.map(lambda process: process.communicate("\n")[0], started))
    return round(sum(json.loads(answer) for answer in answers), 1)


FIRST = """
import time; started = time.perf_counter()
import inference
from inference.features import OnlineFeatures
OnlineFeatures("s5x50").get({"user_id": ["u000007"]}).matrix()
seconds = time.perf_counter() - started
print(seconds, int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) / 1024)
"""


def first_lookup(folder: Path) -> dict[str, float]:
    """Measure import and first lookup of a fresh process: the fastest of five runs, and the largest memory."""
    call = [sys.executable, "-c", FIRST]
    runs = [
        list(map(float, subprocess.run(call, env=environment(folder), capture_output=True, check=True).stdout.split()))
        for _ in range(5)
    ]
    return {"seconds": round(min(run[0] for run in runs), 3), "peak_mb": round(max(run[1] for run in runs), 1)}


def goals(figures: dict[str, Any], sizes: tuple[int, ...]) -> list[dict[str, Any]]:
    """Return the goals of the packed store, and further ratios."""
    lines: list[dict[str, Any]] = []

    def ratio(case: str, metric: str, numerator: float | None, denominator: float | None, goal: str = "") -> None:
        if numerator and denominator:
            value = round(numerator / denominator, 2)
            is_met = None if not goal else value <= float(goal[2:]) if goal[0] == "<" else value >= float(goal[2:])
            lines.append({"case": case, "metric": metric, "value": value, "goal": goal, "met": is_met})

    def p50(engine: str, shape: str, rows: int, metric: str = "p50_ms") -> float | None:
        return figures.get(engine, {}).get(shape, {}).get("rows", {}).get(str(rows), {}).get(metric)

    for shape in figures["slim"]:
        for rows in sizes:
            case = f"{shape.replace('x', ' views × ')} features, {rows} rows"
            is_goal = shape == "5x50"
            speed = {1: ">=5", 100: ">=50", 500: ">=50"}.get(rows, "") if is_goal else ""
            floor = "<=2" if rows >= 100 and is_goal else ""
            api = ">=10" if rows in (100, 500) and is_goal else ""
            feast, slim = p50("feast_redis", shape, rows), p50("slim", shape, rows)
            ratio(case, "slim_speedup_vs_feast_redis_p50", feast, slim, speed)
            ratio(case, "slim_over_raw_mget_p50", slim, p50("raw_mget", shape, rows), floor)
            ratio(case, "slim_p99_over_p50", p50("slim", shape, rows, "p99_ms"), slim, "<=3" if is_goal else "")
            ratio(case, "feast_api_on_ours_speedup_vs_feast_redis_p50", feast, p50("ours_feast", shape, rows), api)
            ratio(case, "slim_speedup_vs_feast_sqlite_p50", p50("feast_sqlite", shape, rows), slim)
            ratio(case, "slim_speedup_vs_feast_precomputed_p50", p50("feast_precomputed", shape, rows), slim)
    stored_ratio = figures.get("ours_feast", {}).get("1x50", {}).get("value_bytes_per_payload_byte")
    if stored_ratio:
        line = {"case": "50 float32 in one view", "metric": "stored_bytes_per_payload_byte", "value": stored_ratio}
        lines.append({**line, "goal": "<=1.75", "met": stored_ratio <= 1.75})
    return lines


def main() -> None:
    """Run the benchmark and print its line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two shapes, two sizes")
    parser.add_argument("--child", choices=ENGINES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--shapes", type=json.loads, help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=json.loads, help=argparse.SUPPRESS)
    parser.add_argument("--busy", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        shapes = [tuple(shape) for shape in options.shapes]
        child(options.child, options.folder, shapes, options.rows, options.busy)
        return
    from feature_repo.home import Home
    from feature_repo.stores import redis_server

    sizes, shapes = (QUICK_ROWS, QUICK_SHAPES) if options.quick else (ROWS, SHAPES)
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="refrain-bench-") as work:
        folder = Path(work)
        home = Home(folder / "home")
        redis_server.ensure(home)
        try:
            for engine in ENGINES:
                process = subprocess.run(
                    call(engine, folder, shapes, sizes),
                    env=environment(folder),
                    capture_output=True,
                    text=True,
                    check=False,
                )
                if process.returncode:
                    print(f"{engine}: {process.stderr[-800:]}", file=sys.stderr, flush=True)
                    continue
                figures[engine] = json.loads(process.stdout.strip().splitlines()[-1])
                print(engine, json.dumps(figures[engine]), file=sys.stderr, flush=True)
            first = first_lookup(folder)
            busy = {
                engine: {str(n): throughput(engine, folder, n) for n in (1, 2)}
                for engine in ("slim", "ours_feast", "feast_redis")
            }
        finally:
            redis_server.stop(home)
    cases = goals(figures, sizes)
    for engine in ("slim", "ours_feast"):
        for processes in ("1", "2"):
            value = round(busy[engine][processes] / busy["feast_redis"][processes], 1)
            case = f"5 views × 50 features, 100 rows, {processes} processes"
            cases.append({"case": case, "metric": f"{engine}_throughput_vs_feast_redis", "value": value, "goal": ""})
    case = "import inference and a first lookup, 5 views × 50 features, 1 row"
    for metric, goal in (("seconds", 1.0), ("peak_mb", 90.0)):
        line = {"case": case, "metric": metric, "value": first[metric]}
        cases.append({**line, "goal": f"<{goal:g}", "met": first[metric] < goal})
    figures = {"lookups": figures, "lookups_per_second": busy, "first_lookup": first}
    print(json.dumps({"benchmark": "online_lookup", "machine": MACHINE, "cases": cases, "figures": figures}))


if __name__ == "__main__":
    main()
