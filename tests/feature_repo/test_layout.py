"""The version of data folders: who checks it, what older and newer folders get, and upgrades that are disturbed."""

import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import feature_repo.__main__
import inference.__main__
import refrain.cli
import training.__main__
import transforms.__main__
from feature_repo import layout
from feature_repo.errors import HomeError
from feature_repo.home import REPOSITORY, Home
from feature_repo.stores import redis_server
from feature_repo.version import version
from inference import RecommendationEngine
from inference.api.app import create_app
from inference.features import OnlineFeatures
from training.datasets import all_keys, training_set
from transforms.batch.build import build

CURRENT = layout.Stamp(layout.current(), version(), layout.REVISIONS.get(layout.current(), 1))

COUNTING = """
import pathlib, time
ABOUT = "counts"
IS_QUICK = {is_quick}
def is_needed(home):
    return (home.root / "raw").is_dir()
def plan(home, progress):
    return ["count"]
def upgrade(home, progress):
    with (home.root / "log").open("a") as file:
        file.write("{number} begun\\n")
    while (home.root / "wait").exists():
        time.sleep(0.01)
    with (home.root / "log").open("a") as file:
        file.write("{number} done\\n")
    return ["counted"]
"""

PATCHED = """
import sys
from pathlib import Path
sys.path.insert(0, {place!r})
from feature_repo import layout
from feature_repo.home import Home
layout._MIGRATIONS = "migrations_of_a_test"
print("began", flush=True)
print(*layout.upgrade(Home(Path({root!r})), layout._silent), sep="\\n", flush=True)
"""
"""A process that upgrades a folder with the migrations of a test."""


@pytest.fixture
def migrations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Replaces the migrations by files that are written with the returned function: number, whether it is quick."""
    package = tmp_path / "migrations_of_a_test"
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(layout, "_MIGRATIONS", package.name)
    monkeypatch.setattr(layout, "REVISIONS", {})

    def add(number: int, is_quick: bool) -> None:
        (package / f"v{number}.py").write_text(COUNTING.format(number=number, is_quick=is_quick))
        layout.migrations.cache_clear()

    layout.migrations.cache_clear()
    yield add
    layout.migrations.cache_clear()
    for name in [name for name in sys.modules if name.startswith(package.name)]:
        del sys.modules[name]


@pytest.fixture
def old(home: Home) -> Home:
    """A folder without ``version.json``, with raw data."""
    (home.root / "raw").mkdir(parents=True)
    return home


def log(home: Home) -> list[str]:
    file = home.root / "log"
    return file.read_text().splitlines() if file.exists() else []


def test_a_new_folder_has_the_current_layout(home: Home) -> None:
    Home.from_env()
    assert not home.root.exists()
    home.ensure()
    assert layout.read(home.root) == CURRENT
    assert home.version_file.is_file()


def test_a_folder_of_today_with_nothing_to_migrate_gets_the_current_layout(old: Home) -> None:
    assert layout.of(old) == 1
    Home.from_env()
    assert layout.read(old.root) == CURRENT


def test_who_wrote_last_is_kept(home: Home) -> None:
    home.ensure()
    document = json.loads(home.version_file.read_text())
    home.version_file.write_text(json.dumps({**document, "refrain": "0.0.1"}))
    home.check_layout()
    assert "0.0.1" in home.version_file.read_text()  # reading writes nothing
    home.ensure()
    assert layout.read(home.root) == CURRENT


def test_numbers_of_files_are_the_layouts(migrations: Callable[..., None], old: Home) -> None:
    assert layout.current() == 1
    for number in (10, 2):
        migrations(number, is_quick=True)
    assert list(layout.migrations()) == [2, 10]
    old.check_layout()
    assert log(old) == ["2 begun", "2 done", "10 begun", "10 done"]
    assert layout.of(old) == layout.current() == 10


def test_a_quick_migration_waits_for_one_that_is_not(migrations: Callable[..., None], old: Home) -> None:
    migrations(2, is_quick=True)
    migrations(3, is_quick=False)
    for _ in range(2):  # a refusal is not remembered as a check
        with pytest.raises(HomeError, match=r"layout 3.*found .*layout 1; next: refrain upgrade"):
            old.ensure()
    assert log(old) == []
    assert not old.version_file.exists()
    assert list(layout.plan(old, layout._silent)) == ["layout 2: counts", "count", "layout 3: counts", "count"]
    assert log(old) == []
    assert list(layout.upgrade(old, layout._silent)) == ["layout 2: counts", "counted", "layout 3: counts", "counted"]
    assert list(layout.upgrade(old, layout._silent)) == []
    old.ensure()
    assert layout.of(old) == 3


def test_a_layout_that_grew_before_its_release_is_brought_up_to_date(
    migrations: Callable[..., None], old: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (2, 3):
        migrations(number, is_quick=False)
    old.version_file.write_text('{"layout": 2, "refrain": "0.1.0"}')
    list(layout.upgrade(old, layout._silent))
    assert log(old) == ["3 begun", "3 done"]
    monkeypatch.setattr(layout, "REVISIONS", {3: 2})
    assert layout.read(old.root) == layout.Stamp(3, version(), 1)
    with pytest.raises(HomeError, match=r"layout 3, revision 2,.*layout 3, revision 1, .*refrain upgrade"):
        old.ensure()
    assert list(layout.upgrade(old, layout._silent)) == ["layout 3: counts", "counted"]
    assert list(layout.upgrade(old, layout._silent)) == []
    old.ensure()
    assert layout.read(old.root) == layout.Stamp(3, version(), 2)


def upgrading(home: Home, tmp_path: Path) -> subprocess.Popen[str]:
    script = PATCHED.format(place=str(tmp_path), root=str(home.root))
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)
    assert process.stdout is not None
    assert process.stdout.readline() == "began\n"
    return process


def wait_for(home: Home, lines: list[str]) -> None:
    end = time.monotonic() + 30
    while log(home) != lines:
        assert time.monotonic() < end, log(home)
        time.sleep(0.01)


def test_a_killed_upgrade_continues_with_the_migration_in_which_it_was(
    migrations: Callable[..., None], old: Home, tmp_path: Path
) -> None:
    for number in (2, 3):
        migrations(number, is_quick=False)
    (old.root / "wait").touch()
    process = upgrading(old, tmp_path)
    wait_for(old, ["2 begun"])
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert layout.of(old) == 1
    (old.root / "wait").unlink()
    with pytest.raises(HomeError, match="refrain upgrade"):
        old.check_layout()
    list(layout.upgrade(old, layout._silent))
    assert log(old) == ["2 begun", "2 begun", "2 done", "3 begun", "3 done"]
    assert layout.of(old) == 3
    assert sorted(path.name for path in old.root.glob("*.tmp")) == []


def test_a_migration_that_fails_leaves_the_layout_before(
    migrations: Callable[..., None], old: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (2, 3):
        migrations(number, is_quick=False)
    last = importlib.import_module("migrations_of_a_test.v3")
    monkeypatch.setattr(last, "upgrade", lambda home, progress: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        list(layout.upgrade(old, layout._silent))
    assert layout.of(old) == 2
    assert layout.UPGRADING not in os.environ
    with pytest.raises(HomeError, match=r"layout 2, written by .*refrain upgrade"):
        old.ensure()


def test_of_two_upgrades_at_once_one_waits(migrations: Callable[..., None], old: Home, tmp_path: Path) -> None:
    migrations(2, is_quick=False)
    (old.root / "wait").touch()
    processes = [upgrading(old, tmp_path) for _ in range(2)]
    wait_for(old, ["2 begun"])
    time.sleep(0.2)
    (old.root / "wait").unlink()
    outputs = sorted(process.communicate(timeout=30)[0].strip() for process in processes)
    assert outputs == ["", "layout 2: counts\ncounted"]
    assert log(old) == ["2 begun", "2 done"]


@pytest.mark.parametrize("has_work", [False, True])
def test_a_folder_that_cannot_be_written_is_read_if_nothing_has_to_change(
    migrations: Callable[..., None], home: Home, has_work: bool
) -> None:
    migrations(2, is_quick=True)
    (home.root / ("raw" if has_work else "features")).mkdir(parents=True)
    (home.root / layout.LOCK).mkdir()  # like a read-only disk, for root, too
    if has_work:
        with pytest.raises(HomeError, match=r"can be written.*next: refrain upgrade"):
            home.check_layout()
    else:
        home.check_layout()
    assert not home.version_file.exists()
    assert log(home) == []


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"layout": "two", "refrain": "0.1.0"}', "\x00"])
def test_a_damaged_file_is_reported(old: Home, content: str) -> None:
    old.version_file.write_text(content)
    with pytest.raises(HomeError, match="the layout of the data folder in"):
        Home.from_env()


def test_a_file_that_changes_is_checked_again(home: Home) -> None:
    home.ensure()
    home.check_layout()
    home.version_file.write_text(json.dumps({"layout": 99, "refrain": "7.0"}))
    with pytest.raises(HomeError, match=r"layout 99, written by Refrain 7.0; next: .*refrain>=7.0"):
        home.check_layout()


COMMANDS: dict[str, tuple[typer.Typer, list[str]]] = {
    "feature_repo": (feature_repo.__main__.app, ["lint"]),
    "transforms": (transforms.__main__.app, ["build"]),
    "training": (training.__main__.app, ["list"]),
    "inference": (inference.__main__.app, ["serve"]),
    "refrain": (refrain.cli.app, ["build"]),
    "refrain model": (refrain.cli.app, ["model", "list"]),
}

CALLS: dict[str, Callable[[Home], object]] = {
    "training_set": lambda home: training_set("listener_v1", {"user_id": ["u"]}, home=home),
    "all_keys": lambda home: all_keys("listener_v1", None, None, home=home),  # type: ignore[arg-type]
    "OnlineFeatures": lambda home: OnlineFeatures("listener_v1", home),
    "RecommendationEngine.load": lambda home: RecommendationEngine.load(home=home),
    "create_app": lambda home: create_app(home=home),
    "build": build,
    "redis": redis_server.ensure,
}


@pytest.fixture(params=["older", "newer"])
def unfit(request: pytest.FixtureRequest, home: Home) -> tuple[Home, str]:
    """A folder that has to be upgraded, or is of a newer Refrain; and what the error says to do."""
    home.root.mkdir()
    home.manifest.write_text('{"version": 3, "services": {}}')
    if request.param == "older":
        return home, "refrain upgrade"
    home.version_file.write_text(json.dumps({"layout": layout.current() + 1, "refrain": "99.1"}))
    return home, "pip install --upgrade 'refrain>=99.1'"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_line_refuses_another_layout(unfit: tuple[Home, str], name: str) -> None:
    app, words = COMMANDS[name]
    before = sorted(unfit[0].root.rglob("*"))
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 1, result.output
    assert f"Next      {'python -m ' if 'pip' in unfit[1] else ''}{unfit[1]}" in result.output
    assert sorted(unfit[0].root.rglob("*")) == before


@pytest.mark.parametrize("name", CALLS)
def test_every_call_refuses_another_layout(unfit: tuple[Home, str], name: str) -> None:
    with pytest.raises(HomeError) as error:
        CALLS[name](unfit[0])
    assert unfit[1] in error.value.next_command


@pytest.mark.parametrize("words", [["clean"], ["redis", "stop"], ["redis", "status"]])
def test_what_works_with_every_layout(home: Home, words: list[str]) -> None:
    home.ensure().registry.touch()
    home.version_file.write_text(json.dumps({"layout": layout.current() + 1, "refrain": "99.1"}))
    result = CliRunner().invoke(feature_repo.__main__.app, words)
    assert result.exit_code == 0, result.output
    assert home.root.exists() == (words != ["clean"])


def test_a_check_of_a_current_folder_imports_no_migration(home: Home) -> None:
    home.ensure()
    script = (
        "import sys; from feature_repo.home import Home; Home.from_env().ensure()\n"
        "print(*(name for name in sys.modules if name.startswith(('feature_repo.upgrades.', 'feast', 'pandas'))))"
    )
    environment = {**os.environ, "REFRAIN_HOME": str(home.root)}
    process = subprocess.run(
        [sys.executable, "-c", script], env=environment, cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert process.stdout.strip() == ""


def test_a_copy_of_a_folder_keeps_its_layout(home: Home, tmp_path: Path) -> None:
    home.ensure()
    shutil.copytree(home.root, tmp_path / "copy")
    assert layout.of(Home(tmp_path / "copy")) == layout.current()
