"""Small worlds that many tests read: made once for all workers, and kept between runs while the code is the same."""

import fcntl
import hashlib
import inspect
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest

from feature_repo import clock
from feature_repo.home import REPOSITORY, Home
from feature_repo.stores import redis_server
from tests.processes import run_python

MAKERS = ("feature_repo", "transforms", "training", "requirements.lock")
"""What the content of a world depends on. Training does not import ``inference``."""
RUNNING = shutil.ignore_patterns("*.sock", "*.pid", "start.lock", "redis.log")
"""Files of a running server, which no copy needs."""


Maker = Callable[[Home, pytest.MonkeyPatch], None]
"""Makes the data folder that the environment points at."""


def stop_clock(folder: Home, patch: pytest.MonkeyPatch) -> None:
    """It is the end of a world's data from here on, or what it was where there are none."""
    end = clock.end_of_data(folder)
    if end is not None:
        patch.setenv(clock.NOW, end.isoformat())


def copied(world: Home, folder: Home, patch: pytest.MonkeyPatch, *left_out: str) -> Iterator[Home]:
    """Yields a copy of a world without some folders; the environment points at it. Its Redis is stopped afterwards."""
    copy_tree(world.root, folder.root, ("redis.*", "start.lock", "audit_log", *left_out))
    patch.setenv("REFRAIN_HOME", str(folder.root))
    stop_clock(world, patch)
    yield folder
    redis_server.stop(folder)


def copy_tree(source: Path, copy: Path, left_out: Sequence[str]) -> None:
    """Copies a folder without what has one of the patterns; small files in half of the time that Python takes."""
    copy.mkdir(parents=True)
    ignored = shutil.ignore_patterns(*left_out)
    names = [path.name for path in source.iterdir()]
    paths = [str(source / name) for name in names if name not in ignored(str(source), names)]
    subprocess.run(["cp", "-R", *paths, str(copy)], check=True)
    for pattern in left_out:
        for path in copy.rglob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def made_once(request: pytest.FixtureRequest, name: str, make: Maker) -> Home:
    """Return a data folder that the first worker makes, or copies from an earlier run, while the others wait."""
    base = request.getfixturevalue("tmp_path_factory").getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    folder = Home(shared / name)
    with (shared / f"{name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        done = shared / f"{name}.done"
        if not done.exists():
            _make_or_copy(folder, request.config.cache.mkdir("worlds"), name, make)
            done.touch()
    return folder


def _make_or_copy(folder: Home, kept: Path, name: str, make: Maker) -> None:
    copy = kept / f"{name}-{digest(Path(inspect.getfile(make)))}"
    if copy.is_dir():
        shutil.copytree(copy, folder.root)
        return
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Feast's and MLflow's own
        patch.setenv("REFRAIN_HOME", str(folder.root))
        make(folder, patch)
    redis_server.stop(folder)  # the next reader starts it again
    for older in kept.glob(f"{name}-*"):
        shutil.rmtree(older)
    unfinished = kept / f"unfinished-{name}"
    shutil.rmtree(unfinished, ignore_errors=True)
    shutil.copytree(folder.root, unfinished, ignore=RUNNING)
    unfinished.rename(copy)


@cache
def digest(maker: Path) -> str:
    """Return a digest of the code that makes a world: the packages, and the file of its maker."""
    content = hashlib.sha256(sys.version.encode())
    for place in (*MAKERS, maker.relative_to(REPOSITORY)):
        path = REPOSITORY / place
        files = [path] if path.is_file() else sorted(path.rglob("*"))
        for file in files:
            if file.suffix in (".py", ".yaml", ".lock"):
                content.update(str(file.relative_to(REPOSITORY)).encode() + file.read_bytes())
    return content.hexdigest()[:16]


def apply(folder: Home) -> None:
    """In a process of its own: definitions read the data folder's place when they are imported."""
    environment = {**os.environ, "REFRAIN_HOME": str(folder.root)}
    run_python("-m", "feature_repo", "apply", environment=environment, check=True)


def apply_once(folder: Home) -> None:
    """Applies the definitions of music once for all worlds of a run: a registry may be copied with its manifest.

    Its paths are those of the first folder; a world that Feast's own stores read has a registry of its own.
    """
    applied = Home(folder.root.parent / "applied")
    with folder.root.with_name("applied.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if not applied.manifest.exists():
            apply(applied)
    for source, copy in ((applied.registry, folder.registry), (applied.manifest, folder.manifest)):
        shutil.copyfile(source, copy)


def make_world(folder: Home, patch: pytest.MonkeyPatch) -> None:
    """A listening service: built, applied, a recommender trained, promoted and online."""
    from feature_repo.materialize import materialize
    from training.models.recommendation.run import Settings, run
    from training.promotions import promote
    from transforms.batch.build import build
    from transforms.raw.simulate.run import simulate
    from transforms.raw.simulate.world import Size

    simulate(folder, Size(users=150, tracks=400, days=35, plays=30_000), seed=3)
    stop_clock(folder, patch)
    build(folder)
    apply(folder)
    run(folder, Settings(folds=3, users_per_fold=60, users_measured=100))
    promote(folder, "recommendation")
    materialize(folder, None, say=lambda text: None)


def make_telemetry(folder: Home, patch: pytest.MonkeyPatch) -> None:
    """A service with incidents: four detectors trained, promoted and online."""
    from feature_repo.materialize import materialize
    from training.promotions import promote
    from training.train import train
    from transforms.batch.build import build
    from transforms.raw.simulate.telemetry import masters
    from transforms.raw.simulate.telemetry.run import simulate_telemetry
    from transforms.raw.simulate.telemetry.schedule import TelemetrySize

    size = TelemetrySize(hosts=2, endpoints=2, rate=8.0, accounts=40, masters=100, days=7, quiet_days=5, incidents=3)
    patch.setattr(masters, "SECONDS", 1)  # of sound; three take longer and say the same
    simulate_telemetry(folder, size, seed=5)
    stop_clock(folder, patch)
    build(folder)
    apply_once(folder)
    for target in ("system", "performance", "security", "audio_quality"):
        train(folder, f"{target}_anomaly_detector")
        promote(folder, f"{target}_anomaly_detector")
    materialize(folder, None, say=lambda text: None)


def make_written(folder: Home, patch: pytest.MonkeyPatch) -> None:
    """A world of texts: models of texts trained, promoted, their features built and online."""
    from feature_repo.materialize import materialize
    from training.promotions import promote
    from training.train import train
    from transforms.batch.build import build
    from transforms.raw.simulate.run import simulate
    from transforms.raw.simulate.world import Size

    simulate(folder, Size(users=80, tracks=900, days=20, plays=3_000), seed=4)
    stop_clock(folder, patch)
    apply_once(folder)
    for name in ("sentiment_model", "emotion_model", "text_embedder"):
        train(folder, name)
        promote(folder, name)
    build(folder)
    train(folder, "metadata_tagger")
    promote(folder, "metadata_tagger")
    materialize(folder, None, say=lambda text: None)


def make_sounding(folder: Home, patch: pytest.MonkeyPatch) -> None:
    """Songs with known truth: analysed, their classifier trained, promoted and online."""
    from feature_repo.materialize import materialize
    from training.promotions import promote
    from training.train import train
    from transforms.batch.build import build
    from transforms.raw.simulate.sound.run import simulate_sound

    patch.setattr(os, "cpu_count", lambda: 1)  # the other core is another worker's; processes would import all anew
    simulate_sound(folder, songs=120, seconds=6.0, seed=2)
    stop_clock(folder, patch)
    build(folder)
    apply_once(folder)
    train(folder, "audio_classifier")
    promote(folder, "audio_classifier")
    materialize(folder, None, say=lambda text: None)


ALONE = "only me"
"""The listener of ``make_alone``."""


def make_alone(folder: Home, patch: pytest.MonkeyPatch) -> None:
    """One listener with 1,300 tracks, the oldest favourites long ago, and 40 tracks that they never played."""
    import numpy as np
    import polars as pl

    from feature_repo.materialize import materialize
    from training.models.recommendation.run import run
    from training.promotions import promote
    from transforms.batch.build import build
    from transforms.raw.ingest import Batch, ingest

    rng = np.random.default_rng(8)
    end = datetime(2026, 2, 1, tzinfo=UTC)
    starts = sorted(end - timedelta(minutes=int(minutes)) for minutes in rng.integers(10, 200 * 1_440, 270))
    rows = []
    for number, start in enumerate(starts):
        album = int(min(rng.exponential(6), 129)) if number % 2 else (number // 2) % 130
        for place in range(10):
            track = f"track{album * 10 + place:04}"
            rows.append((ALONE, track, f"artist{album:03}", start + timedelta(minutes=4 * place), 180_000, False))
    columns = ("user_id", "track_id", "artist_id", "event_timestamp", "ms_played", "skipped")
    plays = pl.DataFrame(rows, columns, orient="row").with_columns(created_timestamp="event_timestamp")
    plays = plays.filter(pl.col("event_timestamp") < end).with_columns(device=pl.lit("phone"), context=pl.lit("album"))
    known_since = starts[0] - timedelta(days=1)
    tracks = pl.DataFrame(
        {
            "track_id": [f"track{number:04}" for number in range(1_340)],
            "artist_id": [f"artist{number // 10 % 130:03}" for number in range(1_340)],
            "artist_name": [f"Artist {number // 10 % 130}" for number in range(1_340)],
            "title": [f"Title {number}" for number in range(1_340)],
            "genres": [[f"genre{number // 10 % 7}"] for number in range(1_340)],
            "event_timestamp": [known_since] * 1_340,
            "created_timestamp": [known_since] * 1_340,
        }
    )
    ingest(folder, "alone", [Batch("tracks", tracks), Batch("plays", plays)])
    stop_clock(folder, patch)
    build(folder)
    apply_once(folder)
    run(folder)
    promote(folder, "recommendation")
    materialize(folder, None, say=lambda text: None)
