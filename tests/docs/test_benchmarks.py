"""Every benchmark of public data says which data set it misses, and where it was expected, before any work."""

import importlib
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import NAMES, ON_REQUEST
from benchmarks.surroundings import TEST_DATA, data_set
from feature_repo.home import REPOSITORY

FOLDER = REPOSITORY / "benchmarks"
WITH_DATA = sorted(
    path.stem for path in FOLDER.glob("*.py") if path.stem != "surroundings" and "data_set(" in path.read_text()
)


def test_only_one_module_knows_where_the_data_sets_are() -> None:
    literal = f'"{TEST_DATA}"'
    assert [path.name for path in FOLDER.rglob("*.py") if literal in path.read_text()] == ["surroundings.py"]
    assert set(WITH_DATA) <= {*NAMES, *ON_REQUEST}
    assert len(WITH_DATA) >= 12


@pytest.mark.parametrize("name", WITH_DATA)
def test_a_data_set_that_is_not_there_is_one_error(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TEST_DATA, str(tmp_path))
    monkeypatch.setenv("REFRAIN_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(sys, "argv", [f"{FOLDER / name}.py"])
    with pytest.raises(SystemExit) as error:
        importlib.import_module(f"benchmarks.{name}").main()
    message = str(error.value)
    assert message.startswith("expected the public data set ")
    assert str(tmp_path) in message
    assert f"next: {TEST_DATA}=FOLDER python -m benchmarks.{name}" in message


def test_an_empty_folder_is_no_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TEST_DATA, str(tmp_path))
    (tmp_path / "nab").mkdir()
    with pytest.raises(SystemExit, match="nothing there"):
        data_set("nab")
    (tmp_path / "nab" / "labels.json").touch()
    assert data_set("nab") == tmp_path / "nab"
    assert data_set("m4", root=tmp_path.parent, given=tmp_path / "nab") == tmp_path / "nab"
