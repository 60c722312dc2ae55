"""Deprecated names: what users see, and that no name outlives the version in which it ends."""

import ast
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.version import Version

from feature_repo.deprecation import warn_deprecated
from feature_repo.home import REPOSITORY
from feature_repo.version import version
from tests.repository import PACKAGES


def problems(path: Path, now: str) -> Iterator[str]:
    """Yields the calls of ``warn_deprecated`` in a file that should be gone, or whose end is not written out."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call) or ast.unparse(node.func).rpartition(".")[2] != warn_deprecated.__name__:
            continue
        ends = {word.arg: word.value for word in node.keywords}.get("ends")
        if not isinstance(ends, ast.Constant) or not isinstance(ends.value, str):
            yield f'{path}:{node.lineno} write the version out: ends="0.3.0"'
        elif Version(ends.value) <= Version(now):
            yield f"{path}:{node.lineno} ended with {ends.value}: remove it"


def test_no_deprecated_name_outlives_its_version() -> None:
    paths = [path for package in PACKAGES for path in (REPOSITORY / package).rglob("*.py")]
    assert not [problem for path in paths for problem in problems(path, version())]


@pytest.mark.parametrize(("ends", "is_over"), [("0.9", False), ("0.10.0", True), ("0.10.1", False), ("0.2.0", True)])
def test_what_is_over_is_found(tmp_path: Path, ends: str, is_over: bool) -> None:
    file = tmp_path / "module.py"
    file.write_text(f'def pull():\n    deprecation.warn_deprecated("pull", instead="x", ends="{ends}")\n')
    now = "0.10.0" if ends != "0.9" else "0.8.9"
    assert len(list(problems(file, now))) == is_over
    file.write_text("END = '1.0'\nwarn_deprecated('pull', instead='x', ends=END)\n")
    assert list(problems(file, now)) == [f'{file}:2 write the version out: ends="0.3.0"']


def old_name() -> None:
    warn_deprecated("refrain.pull", instead="refrain.training_set", ends="999.0.0")


def test_the_warning_names_the_successor_and_the_place_of_the_call() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        old_name()
    (warning,) = caught
    assert warning.category is DeprecationWarning
    assert str(warning.message) == "refrain.pull ends with Refrain 999.0.0; use refrain.training_set"
    assert warning.filename == __file__
