"""Data folders that clean up after themselves, and the real data where they are."""

import fcntl
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from feature_repo import clock
from feature_repo.home import REPOSITORY, Home
from feature_repo.stores import redis_server

# No test reaches further than loopback, and none reports home.
os.environ.update(DO_NOT_TRACK="true", MLFLOW_DISABLE_TELEMETRY="true", FEAST_USAGE="False")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """An empty data folder that the environment points at; its Redis is stopped afterwards."""
    folder = Home(tmp_path / "home")
    monkeypatch.setenv("REFRAIN_HOME", str(folder.root))
    stop_clock(folder, monkeypatch)
    monkeypatch.delenv("REFRAIN_TENANT", raising=False)
    yield folder
    redis_server.stop(folder)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of public data sets."""
    folder = Path(os.environ.get("REFRAIN_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set REFRAIN_TEST_DATA")
    return folder


@pytest.fixture(scope="session")
def movielens(real_data: Path) -> Path:
    """MovieLens 100k."""
    folder = real_data / "movielens-100k"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    return folder


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A small simulated world, built, applied, trained, promoted and online; made once for all workers. Read only."""
    return made_once(tmp_path_factory, "world", _make_world)


@pytest.fixture
def in_world(world: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """The small world, with the environment pointing at it."""
    monkeypatch.setenv("REFRAIN_HOME", str(world.root))
    stop_clock(world, monkeypatch)
    return world


@pytest.fixture
def own_world(world: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A copy of the small world that a test may change, what is online included."""
    folder = Home(tmp_path / "world")
    ignored = shutil.ignore_patterns("redis.*", "start.lock", "audit_log")
    shutil.copytree(world.root, folder.root, ignore=ignored)
    monkeypatch.setenv("REFRAIN_HOME", str(folder.root))
    stop_clock(folder, monkeypatch)
    yield folder
    redis_server.stop(folder)


@pytest.fixture(scope="session")
def telemetry(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A small simulated service, its detectors trained, promoted and online; made once for all workers. Read only."""
    return made_once(tmp_path_factory, "telemetry", _make_telemetry)


@pytest.fixture
def in_telemetry(telemetry: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """The small service, with the environment pointing at it."""
    monkeypatch.setenv("REFRAIN_HOME", str(telemetry.root))
    stop_clock(telemetry, monkeypatch)
    return telemetry


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A small world whose models of texts are trained, promoted, built with and online; made once. Read only."""
    return made_once(tmp_path_factory, "written", _make_written)


@pytest.fixture
def in_written(written: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """The world of texts, with the environment pointing at it."""
    monkeypatch.setenv("REFRAIN_HOME", str(written.root))
    stop_clock(written, monkeypatch)
    return written


@pytest.fixture
def own_written(written: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A copy of the world of texts that a test may change; nothing of it is online."""
    folder = Home(tmp_path / "written")
    shutil.copytree(written.root, folder.root, ignore=shutil.ignore_patterns("redis*", "start.lock"))
    monkeypatch.setenv("REFRAIN_HOME", str(folder.root))
    stop_clock(folder, monkeypatch)
    return folder


@pytest.fixture(scope="session")
def sounding(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Songs whose truth is known, analysed, their model trained, promoted and online; made once. Read only."""
    return made_once(tmp_path_factory, "sounding", _make_sounding)


@pytest.fixture
def in_sounding(sounding: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """The songs, with the environment pointing at them."""
    monkeypatch.setenv("REFRAIN_HOME", str(sounding.root))
    stop_clock(sounding, monkeypatch)
    return sounding


def stop_clock(folder: Home, patch: pytest.MonkeyPatch) -> None:
    """It is the end of a world's data from here on, or what it was where there are none."""
    end = clock.end_of_data(folder)
    if end is not None:
        patch.setenv(clock.NOW, end.isoformat())


@pytest.fixture
def running_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time goes on, in a world that is over: for events of now. To be asked for after the world."""
    monkeypatch.delenv(clock.NOW, raising=False)


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Home], None]) -> Home:
    """A data folder that whichever worker comes first makes, while the others wait."""
    shared = _shared_folder(factory)
    folder = Home(shared / name)
    with (shared / f"{name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        done = shared / f"{name}.done"
        if not done.exists():
            make(folder)
            done.touch()
    return folder


def _shared_folder(factory: pytest.TempPathFactory) -> Path:
    base = factory.getbasetemp()
    return base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base


def apply(folder: Home) -> None:
    """In a process of its own: definitions read the data folder's place when they are imported."""
    environment = {**os.environ, "REFRAIN_HOME": str(folder.root)}
    call = [sys.executable, "-m", "feature_repo", "apply"]
    subprocess.run(call, env=environment, check=True, capture_output=True)


def _make_world(folder: Home) -> None:
    from feature_repo.materialize import materialize
    from training.models.recommendation.run import Settings, run
    from training.registry import promote
    from transforms.batch.build import build
    from transforms.raw.simulate.run import simulate
    from transforms.raw.simulate.world import Size

    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Feast's and MLflow's own
        patch.setenv("REFRAIN_HOME", str(folder.root))
        simulate(folder, Size(users=150, tracks=400, days=35, plays=30_000), seed=3)
        stop_clock(folder, patch)
        build(folder)
        apply(folder)
        run(folder, Settings(folds=3, users_per_fold=60, users_measured=100))
        promote(folder, "recommendation")
        materialize(folder, None, say=lambda text: None)


def _make_telemetry(folder: Home) -> None:
    from feature_repo.materialize import materialize
    from training.registry import promote
    from training.train import train
    from transforms.batch.build import build
    from transforms.raw.simulate.telemetry.run import simulate_telemetry
    from transforms.raw.simulate.telemetry.schedule import TelemetrySize

    size = TelemetrySize(hosts=2, endpoints=2, rate=8.0, accounts=40, masters=140, days=8, quiet_days=5, incidents=3)
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Feast's and MLflow's own
        patch.setenv("REFRAIN_HOME", str(folder.root))
        simulate_telemetry(folder, size, seed=5)
        stop_clock(folder, patch)
        build(folder)
        apply(folder)
        for target in ("system", "performance", "security", "audio_quality"):
            train(folder, f"{target}_anomaly_detector")
            promote(folder, f"{target}_anomaly_detector")
        materialize(folder, None, say=lambda text: None)


def _make_written(folder: Home) -> None:
    from feature_repo.materialize import materialize
    from training.registry import promote
    from training.train import train
    from transforms.batch.build import build
    from transforms.raw.simulate.run import simulate
    from transforms.raw.simulate.world import Size

    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Feast's and MLflow's own
        patch.setenv("REFRAIN_HOME", str(folder.root))
        simulate(folder, Size(users=80, tracks=900, days=20, plays=3_000), seed=4)
        stop_clock(folder, patch)
        apply(folder)
        for name in ("sentiment_model", "emotion_model", "text_embedder"):
            train(folder, name)
            promote(folder, name)
        build(folder)
        train(folder, "metadata_tagger")
        promote(folder, "metadata_tagger")
        materialize(folder, None, say=lambda text: None)


def _make_sounding(folder: Home) -> None:
    from feature_repo.materialize import materialize
    from training.registry import promote
    from training.train import train
    from transforms.batch.build import build
    from transforms.raw.simulate.sound.run import simulate_sound

    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Feast's and MLflow's own
        patch.setenv("REFRAIN_HOME", str(folder.root))
        simulate_sound(folder, songs=144, seconds=6.0, seed=2)
        stop_clock(folder, patch)
        build(folder)
        apply(folder)
        train(folder, "audio_classifier")
        promote(folder, "audio_classifier")
        materialize(folder, None, say=lambda text: None)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Stop the Redis of the worlds that were made once, when all workers are done."""
    if os.environ.get("PYTEST_XDIST_WORKER"):
        return
    factory = getattr(session.config, "_tmp_path_factory", None)
    if factory is not None:
        for name in ("world", "telemetry", "written", "sounding"):
            redis_server.stop(Home(factory.getbasetemp() / name))
