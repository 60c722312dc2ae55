"""Data folders that clean up after themselves, and the real data where they are."""

import gc
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import prometheus_client  # before Feast's server, whose import would have every process count in files  # noqa: F401
import pytest

if os.environ.get("PYTEST_XDIST_WORKER"):  # as many processes as cores: one thread each. With -n 0 all threads work.
    os.environ.update(POLARS_MAX_THREADS="1", OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

from feature_repo import clock
from feature_repo.home import REPOSITORY, Home
from feature_repo.stores import redis_server
from tests import order, worlds

# A worker holds millions of objects (Feast, torch, MLflow). Searching them for garbage as often as by default takes a
# fifth of its time; what a file has left is not searched again.
gc.set_threshold(100_000, 20, 20)

# No test reaches further than loopback, and none reports home.
os.environ.update(DO_NOT_TRACK="true", MLFLOW_DISABLE_TELEMETRY="true", FEAST_USAGE="False")


@pytest.fixture(scope="session", autouse=True)
def no_configuration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keys that the user of this machine pins or signs with count in no test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("configuration")))
        for name in [
            name for name in os.environ if name.startswith("REFRAIN_SIGNING") or name == "REFRAIN_TRUSTED_KEYS"
        ]:
            patch.delenv(name)
        yield


@pytest.fixture(scope="session", autouse=True)
def crowded_heap() -> Iterator[None]:
    """A stream reader in a worker leaves garbage alone when it loads its state: most objects there are not its own."""
    with pytest.MonkeyPatch.context() as patch:
        idle = SimpleNamespace(collect=lambda generation=2: 0, freeze=lambda: None, unfreeze=lambda: None)
        patch.setattr("transforms.stream.reader.gc", idle)
        yield


@pytest.fixture(scope="module", autouse=True)
def small_heap() -> Iterator[None]:
    """A library that collects garbage itself (statsmodels) takes milliseconds for it, not seconds."""
    gc.collect()
    gc.freeze()
    yield


@pytest.fixture(autouse=True)
def counts_of_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers count in memory, also after a test that imported Feast's server."""
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """An empty data folder that the environment points at; its Redis is stopped afterwards."""
    folder = Home(tmp_path / "home")
    monkeypatch.setenv("REFRAIN_HOME", str(folder.root))
    worlds.stop_clock(folder, monkeypatch)
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
def world(request: pytest.FixtureRequest) -> Home:
    """A small simulated world, built, applied, trained, promoted and online; made once for all workers. Read only."""
    return worlds.made_once(request, "world", worlds.make_world)


@pytest.fixture
def own_world(world: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A copy of the small world that a test may change, what is online included."""
    yield from worlds.copied(world, Home(tmp_path / "world"), monkeypatch)


@pytest.fixture(scope="session")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a folder of each format, and in it ``expected.json``: what a correct reader finds."""
    data = Path(os.environ.get("REFRAIN_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    program = data.parent / "exports" / "make_exports.py"
    if not program.is_file():
        pytest.skip(f"no {program}; set REFRAIN_TEST_DATA to the folder beside it")
    folder = tmp_path_factory.mktemp("exports")
    subprocess.run([sys.executable, str(program), str(folder)], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def alone(request: pytest.FixtureRequest) -> Home:
    """One listener alone, built, applied, trained, promoted and online; made once for all workers. Read only."""
    return worlds.made_once(request, "alone", worlds.make_alone)


@pytest.fixture(scope="session")
def telemetry(request: pytest.FixtureRequest) -> Home:
    """A small simulated service, its detectors trained, promoted and online; made once for all workers. Read only."""
    return worlds.made_once(request, "telemetry", worlds.make_telemetry)


@pytest.fixture(scope="session")
def written(request: pytest.FixtureRequest) -> Home:
    """A small world whose models of texts are trained, promoted, built with and online; made once. Read only."""
    return worlds.made_once(request, "written", worlds.make_written)


@pytest.fixture
def own_written(written: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A copy of the world of texts that a test may change; nothing of it is online."""
    folder = Home(tmp_path / "written")
    shutil.copytree(written.root, folder.root, ignore=shutil.ignore_patterns("redis*", "start.lock"))
    monkeypatch.setenv("REFRAIN_HOME", str(folder.root))
    worlds.stop_clock(folder, monkeypatch)
    return folder


@pytest.fixture(scope="session")
def sounding(request: pytest.FixtureRequest) -> Home:
    """Songs whose truth is known, analysed, their model trained, promoted and online; made once. Read only."""
    return worlds.made_once(request, "sounding", worlds.make_sounding)


def _pointing_at(name: str) -> Callable[..., Home]:
    @pytest.fixture(name=f"in_{name}")
    def fixture(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Home:
        """The world, with the environment pointing at it."""
        folder: Home = request.getfixturevalue(name)
        monkeypatch.setenv("REFRAIN_HOME", str(folder.root))
        worlds.stop_clock(folder, monkeypatch)
        return folder

    return fixture


in_world, in_alone, in_telemetry, in_written, in_sounding = map(
    _pointing_at, ("world", "alone", "telemetry", "written", "sounding")
)


@pytest.fixture
def running_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time goes on, in a world that is over: for events of now. To be asked for after the world."""
    monkeypatch.delenv(clock.NOW, raising=False)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow files start early."""
    order.sort(items)


_seconds: Counter[str] = Counter()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add up the seconds of each test file."""
    _seconds[report.location[0]] += report.duration


def pytest_sessionfinish(session: pytest.Session) -> None:
    """When all workers are done, keep the seconds for ``tests/changed.py`` and stop the Redis of shared worlds."""
    if os.environ.get("PYTEST_XDIST_WORKER"):
        return
    before = session.config.cache.get("refrain/seconds", {})
    longest = {file: round(max(seconds, before.get(file, 0.0)), 2) for file, seconds in _seconds.items()}
    session.config.cache.set("refrain/seconds", {**before, **longest})
    factory = getattr(session.config, "_tmp_path_factory", None)
    if factory is not None:
        for done in factory.getbasetemp().glob("*.done"):
            redis_server.stop(Home(done.with_suffix("")))
