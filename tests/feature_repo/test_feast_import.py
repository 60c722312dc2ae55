"""Refrain imports Feast without run-time type checks and without PyTorch; other packages keep both."""

import subprocess
import sys
from pathlib import Path

from feature_repo.home import REPOSITORY

SCRIPT = """
import sys
import feature_repo
assert not {"feast", "typeguard"} & set(sys.modules), "a process without Feast imports nothing for it"
import feast
import own_checked
from feast.torch_wrapper import get_torch
assert "torch" not in sys.modules
feast.Entity(name=5, join_keys=None)  # typeguard would refuse a name that is no text
for call in (own_checked.bare, own_checked.with_options):
    try:
        call("a")
    except own_checked.TypeCheckError:
        pass
    else:
        raise AssertionError(call)
sys.modules["torch"] = own_checked
assert get_torch() is own_checked
"""
CHECKED = """
from typeguard import CollectionCheckStrategy, TypeCheckError, typechecked


@typechecked
def bare(number: int) -> int:
    return number


@typechecked(collection_check_strategy=CollectionCheckStrategy.ALL_ITEMS)
def with_options(number: int) -> int:
    return number
"""


def test_feast_alone_is_imported_without_checks_and_torch(tmp_path: Path) -> None:
    (tmp_path / "own_checked.py").write_text(CHECKED)
    environment = {"PYTHONPATH": f"{REPOSITORY}:{tmp_path}", "PATH": ""}
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_without_feast_it_is_feast_that_is_missing() -> None:
    script = f"""
import sys
sys.path.insert(0, {str(REPOSITORY)!r})
import feature_repo
try:
    import feast
except ModuleNotFoundError as error:
    print(error.name)
"""
    done = subprocess.run([sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout == "feast\n", done.stderr
