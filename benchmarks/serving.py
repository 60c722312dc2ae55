"""Latency of a recommendation from end to end and by stage, and memory of the catalogue.

A simulated world (2,000 listeners, 5,000 tracks, 300,000 plays) is built, trained, promoted and materialized to the
embedded Redis. Then one process requests ten tracks for random listeners: retrieve from all sources, filter by rights
(looked up online), rank by the real-time model on its features (looked up online), MMR, explore, explain. Warm: the
first 100 answers are not counted. The moment of the request is within the last day of the data, so that listeners have
sessions.

Then plays are sent to the stream, one after the other, with requests until an answer reflects the play.

The baseline, for the same candidates in the same run, is what a Feast user would write for features and rank alone:
``store.get_online_features`` and LightGBM's own ``predict``.

Last is the memory of a bundle with a catalogue of 100,000 and of ``--tracks`` (1,000,000) tracks with synthetic vectors
and neighbours: the process before and after loading it.

    python -m benchmarks.serving [--answers 2000] [--tracks 1000000] [--home FOLDER]
"""

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.surroundings import MACHINE
from feature_repo import clock
from feature_repo.bundle import Bundle
from feature_repo.home import REPOSITORY, Home
from feature_repo.stores import redis_server

WARM = 100
GOALS = {"p50": "<= 4", "p99": "<= 25"}
STAGES = {
    "_look_up": "listener",
    "_search.find": "retrieve, filter, fetch features",
    "_ordering.rank": "rank",
    "_diversify": "diversify",
    "_fill_slots": "explore",
    "_explainer.items": "explain",
}
PROCESSOR = "processor time"
WORLD = """
import warnings; warnings.simplefilter("ignore")
from feature_repo.home import Home
from transforms.raw.simulate.run import simulate
from transforms.raw.simulate.world import Size
simulate(Home.from_env(), Size(plays=300_000), seed=7)
"""
COMMANDS = (
    ("transforms", "build"),
    ("feature_repo", "apply"),
    ("training", "run", "recommendation"),
    ("training", "promote", "recommendation"),
    ("feature_repo", "materialize"),
)


def make_world(home: Home) -> None:
    """Run all stages from events to a promoted model, each in a process of its own."""
    environment = {**os.environ, "REFRAIN_HOME": str(home.root)}
    calls = [[sys.executable, "-c", WORLD], *([sys.executable, "-W", "ignore", "-m", *call] for call in COMMANDS)]
    for call in calls:
        subprocess.run(call, cwd=REPOSITORY, env=environment, check=True, stdout=subprocess.DEVNULL)
        environment[clock.NOW] = str(clock.end_of_data(home))  # the simulated data lie in the past


def timed(engine: Any) -> dict[str, list[float]]:
    """Wrap the stages of an engine to record their durations: stage → milliseconds."""
    durations_ms: dict[str, list[float]] = {stage: [] for stage in STAGES.values()}

    def clocked(function: Callable, stage: str) -> Callable:
        def call(*arguments: Any, **keywords: Any) -> Any:
            started = time.perf_counter()
            try:
                return function(*arguments, **keywords)
            finally:
                durations_ms[stage].append((time.perf_counter() - started) * 1e3)

        return call

    for path, stage in STAGES.items():
        *part, method = path.split(".")
        owner = getattr(engine, part[0]) if part else engine
        setattr(owner, method, clocked(getattr(owner, method), stage))
    return durations_ms


def answers(home: Home, count: int) -> tuple[list[float], dict[str, list[float]], list[int], Any]:
    """Measure milliseconds of answers and their stages and the number of candidates; also returns the engine."""
    from inference import RealTimeRecommendationModel

    engine = RealTimeRecommendationModel.load("recommendation", home)
    durations_ms, sizes = timed(engine), []
    order = engine._ordering.rank

    def counted(listener: Any, strategy: Any, candidates: Any, *arguments: Any) -> Any:
        sizes.append(len(candidates.pool))
        return order(listener, strategy, candidates, *arguments)

    engine._ordering.rank = counted  # type: ignore[method-assign]
    moment = engine._cutoff  # the end of the data
    rng = np.random.default_rng(0)
    total_ms, cpu_ms = [], []
    for number, user in enumerate(rng.integers(2_000, size=WARM + count).tolist()):
        if number == WARM:
            for values in (*durations_ms.values(), sizes):
                values.clear()
        started, cpu_started = time.perf_counter(), time.thread_time()
        engine.recommend(
            f"u{user:06}", {"device": "phone", "request_timestamp": moment}, count=10, diversify="mmr", explore=0.1
        )
        if number >= WARM:
            total_ms.append((time.perf_counter() - started) * 1e3)
            cpu_ms.append((time.thread_time() - cpu_started) * 1e3)
    stages = {stage: list(values) for stage, values in durations_ms.items()}
    return total_ms, {PROCESSOR: cpu_ms, **stages}, list(sizes), engine


def reactions(home: Home, engine: Any, count: int) -> list[float]:
    """Measure milliseconds from an event to the first answer that reflects it; the reader is a process of its own.

    The event is a play, now, of the first recommended track; an answer reflects it when the track is no longer first.
    """
    from datetime import UTC, datetime

    from inference.events import EventWriter

    environment = {**os.environ, "REFRAIN_HOME": str(home.root)}
    call = [sys.executable, "-W", "ignore", "-m", "transforms", "stream"]
    reader = subprocess.Popen(call, cwd=REPOSITORY, env=environment, stdout=subprocess.DEVNULL)
    writer, durations_ms = EventWriter(home), []
    try:
        for number in range(-3, count):  # the first wait for the reader to start
            user = f"u{(number + 3) * 7 % 2_000:06}"
            track = engine.recommend(user, count=1).items[0].track_id
            play = {"user_id": user, "track_id": track, "artist_id": None, "ms_played": 1_000}
            body = json.dumps({"kind": "plays", "events": [play | {"event_timestamp": datetime.now(UTC).isoformat()}]})
            started = time.perf_counter()
            writer.write(body.encode())
            while engine.recommend(user, count=1).items[0].track_id == track:
                if time.perf_counter() - started > 120:
                    raise SystemExit("the stream's reader does not answer; try: refrain stream")
            if number >= 0:
                durations_ms.append((time.perf_counter() - started) * 1e3)
            time.sleep(0.01)
    finally:
        reader.terminate()
        reader.wait()
    return durations_ms


def feast(home: Home, engine: Any, count: int, candidates: int) -> list[float]:
    """Measure milliseconds of features and rank with Feast's SDK and LightGBM, for a number of candidates."""
    import lightgbm
    import pandas as pd

    from feature_repo.store import open_store
    from training.models.recommendation.ranker import REAL_TIME

    store, rng = open_store(home), np.random.default_rng(1)
    service = store.get_feature_service(REAL_TIME.service)
    rows = rng.random((2_000, len(REAL_TIME.inputs)))
    booster = lightgbm.train(
        {"verbose": -1, "num_leaves": 15, "num_threads": 1}, lightgbm.Dataset(rows, rng.random(2_000)), 100
    )
    catalogue, durations_ms = engine.catalogue, []
    for _ in range(count):
        places = rng.choice(len(catalogue), min(candidates, len(catalogue)), replace=False).tolist()
        entities = [
            {
                "user_id": "u000042",
                "track_id": catalogue.track_ids[place],
                "artist_id": catalogue.artist_ids[place],
                "platform_id": home.tenant,
                "request_timestamp": pd.Timestamp.now("UTC"),
                "device": "phone",
                "context": "playlist",
                "similar_score": 0.0,
                "follows_score": 0.0,
            }
            for place in places
        ]
        started = time.perf_counter()
        answer = store.get_online_features(service, entities, full_feature_names=True).to_df()
        booster.predict(answer[list(REAL_TIME.inputs)].astype(np.float32))
        durations_ms.append((time.perf_counter() - started) * 1e3)
    return durations_ms[1:]


class SyntheticBundle(Bundle):
    """A synthetic bundle in memory, with the files that ``Catalogue`` reads."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self._files = files

    def read(self, name: str) -> bytes:
        """Return the content of a file."""
        return self._files[name]


def memory(tracks: int, factors: int = 32, neighbours: int = 50) -> dict[str, float]:
    """Measure megabytes and load seconds of a catalogue with a number of tracks, in a process of its own."""
    code = (
        "from benchmarks.serving import memory_here; import json; "
        f"print(json.dumps(memory_here({tracks}, {factors}, {neighbours})))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def memory_here(tracks: int, factors: int, neighbours: int) -> dict[str, float]:
    """Do the work of ``memory``; another process writes the files, so that writing them does not count here."""
    import psutil

    from inference.recommend.catalogue import Catalogue

    with tempfile.TemporaryDirectory() as scratch:
        code = (
            "from benchmarks.serving import write_synthetic; "
            f"write_synthetic({scratch!r}, {tracks}, {factors}, {neighbours})"
        )
        subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True)
        process = psutil.Process()
        before, started = process.memory_info().rss, time.perf_counter()
        disk_bytes = sum(file.stat().st_size for file in Path(scratch).iterdir())

        class OnDisk(SyntheticBundle):
            def read(self, name: str) -> bytes:
                return (Path(scratch) / name).read_bytes()

        catalogue = Catalogue(OnDisk({}))
        seconds = time.perf_counter() - started
        gc.collect()
        used_mb = (process.memory_info().rss - before) / 2**20
        rng = np.random.default_rng(2)
        durations_ms = []
        for _ in range(200):
            vector = rng.normal(size=factors).astype(np.float32)
            started = time.perf_counter()
            catalogue.near("taste", vector, 400)
            catalogue.similar.scores(rng.integers(tracks, size=200), np.ones(200))
            durations_ms.append((time.perf_counter() - started) * 1e3)
    return {
        "megabytes": used_mb,
        "disk": disk_bytes / 2**20,
        "seconds": seconds,
        "retrieve_ms": float(np.median(durations_ms)),
    }


def write_synthetic(folder: str, tracks: int, factors: int, neighbours: int) -> None:
    """Write a bundle's files for a synthetic catalogue: clustered vectors, random neighbours."""
    import io

    import voyager

    from transforms.pure.candidates.cold import SegmentPopularity
    from transforms.pure.candidates.neighbours import Neighbours

    rng, path = np.random.default_rng(3), Path(folder)
    centres = rng.normal(size=(200, factors))
    for name in ("taste", "content"):
        vectors = (centres[rng.integers(200, size=tracks)] + 0.7 * rng.normal(size=(tracks, factors))).astype(
            np.float32
        )
        index = voyager.Index(voyager.Space.InnerProduct, num_dimensions=factors, M=24, ef_construction=40)
        index.add_items(vectors, np.arange(tracks), num_threads=os.cpu_count() or 1)
        (path / f"{name}.voy").write_bytes(index.as_bytes())
    for name in ("similar", "follows"):
        places = rng.integers(tracks, size=(tracks, neighbours), dtype=np.int32)
        (path / f"{name}.npz").write_bytes(
            Neighbours(places, rng.random((tracks, neighbours), dtype=np.float32)).to_bytes()
        )
    plays = rng.integers(1, 1_000, size=tracks).astype(float)
    segments = {
        f"s{number}": np.unique(rng.integers(tracks, size=tracks // 10), return_counts=True) for number in range(80)
    }
    (path / "segments.npz").write_bytes(SegmentPopularity.of(segments, plays).to_bytes())
    buffer = io.BytesIO()
    np.savez(buffer, liked=plays.astype(np.int64), skipped=plays.astype(np.int64))
    (path / "outcomes.npz").write_bytes(buffer.getvalue())
    catalogue = {
        "track_ids": [f"t{number:07}" for number in range(tracks)],
        "artist_ids": [f"a{number // 10:06}" for number in range(tracks)],
        "genres": [["pop"]] * tracks,
        "popular": np.argsort(-plays).tolist(),
        "fresh": list(range(min(2_000, tracks))),
    }
    (path / "catalogue.json").write_text(json.dumps(catalogue))


def main() -> None:
    """Print the tables and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, default=2_000)
    parser.add_argument("--tracks", type=int, default=1_000_000)
    parser.add_argument("--home", type=Path, help="an existing world; simulated if left out")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    cases: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        home = Home(options.home or Path(scratch) / "home")
        os.environ["REFRAIN_HOME"] = str(home.root)
        try:
            if options.home is None:
                make_world(home)
            total_ms, stages, sizes, engine = answers(home, options.answers)
            reaction_ms = reactions(home, engine, 200)
            feast_ms = feast(home, engine, 12, int(np.mean(sizes)))
        finally:
            if options.home is None:
                redis_server.stop(home)
    inputs = len(engine._ordering.rankers["real_time"]._inputs)
    print(f"{options.answers} answers of {np.mean(sizes):.0f} candidates and {inputs} features, ms")
    print(f"{'stage':24}{'p50':>8}{'p99':>8}{'share':>8}")
    for name, values in {"answer": total_ms, **stages}.items():
        shares = np.sum(values) / np.sum(total_ms)
        percentiles = {"p50": float(np.percentile(values, 50)), "p99": float(np.percentile(values, 99))}
        print(f"{name:24}{percentiles['p50']:8.2f}{percentiles['p99']:8.2f}{shares:8.0%}")
        for metric, value in percentiles.items():
            goal = {"goal": GOALS[metric]} if name == "answer" else {}
            cases.append({"case": f"{name}, ms", "metric": metric, "value": round(value, 2), **goal})
    reaction_percentiles = {"p50": float(np.percentile(reaction_ms, 50)), "p99": float(np.percentile(reaction_ms, 99))}
    print(
        f"from a play to the first answer that knows of it: p50 {reaction_percentiles['p50']:.0f} ms, "
        f"p99 {reaction_percentiles['p99']:.0f} ms"
    )
    for metric, value in reaction_percentiles.items():
        goal = {"goal": "<= 100"} if metric == "p99" else {}
        cases.append({"case": "play to answer, ms", "metric": metric, "value": round(value, 1), **goal})
    our_ms = float(np.median(np.add(stages[STAGES["_search.find"]], stages[STAGES["_ordering.rank"]])))
    feast_median_ms = float(np.median(feast_ms))
    print(
        f"Feast's SDK and LightGBM for features and rank: {feast_median_ms:.1f} ms, "
        f"{feast_median_ms / our_ms:.0f} times ours"
    )
    cases += [
        {"case": "answer", "metric": "candidates", "value": round(float(np.mean(sizes)))},
        {"case": "answer", "metric": "features", "value": inputs},
        {"case": "features and rank, Feast's SDK, ms", "metric": "p50", "value": round(feast_median_ms, 1)},
        {"case": "features and rank", "metric": "Feast's SDK over ours", "value": round(feast_median_ms / our_ms, 1)},
    ]
    for tracks in (100_000, options.tracks):
        figures = memory(tracks)
        print(
            f"{tracks:,} tracks: {figures['megabytes']:,.0f} MB in memory, {figures['disk']:,.0f} MB on disk, "
            f"loaded in {figures['seconds']:.1f} s; nearest 400 and what goes with 200: {figures['retrieve_ms']:.1f} ms"
        )
        for metric, value in figures.items():
            cases.append({"case": f"{tracks:,} tracks", "metric": metric, "value": round(value, 1)})
    print(json.dumps({"benchmark": "serving", "machine": MACHINE, "cases": cases}))


if __name__ == "__main__":
    main()
