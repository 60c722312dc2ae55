"""Bills of materials: by the schema of CycloneDX, complete, with the hashes of the lock, and the same each time."""

import json
import re
from importlib import metadata
from pathlib import Path

import pytest
from typer.testing import CliRunner

from feature_repo.bill_of_materials.document import document
from feature_repo.bill_of_materials.packages import Package, installed, locked, with_hashes
from feature_repo.errors import InputError
from feature_repo.home import REPOSITORY, Home
from refrain.cli import app
from training.deployment.container import LOCK

LOCKS = [REPOSITORY / "requirements.lock", REPOSITORY / "deploy" / "work.lock", LOCK]


def test_what_is_installed_is_in_it() -> None:
    text = document(installed(), "refrain", "0.1.0")
    listed = {one["name"]: one for one in json.loads(text)["components"]}
    assert listed["numpy"]["version"] == metadata.version("numpy")
    assert listed["numpy"]["purl"] == f"pkg:pypi/numpy@{metadata.version('numpy')}"
    assert sum("licenses" in one for one in listed.values()) > 0.9 * len(listed)
    assert text == document(installed(), "refrain", "0.1.0")
    assert text != document(installed()[:-1], "refrain", "0.1.0")


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_every_line_of_a_lock_is_in_it_with_its_hashes(path: Path) -> None:
    packages = locked(path)
    text = path.read_text()
    assert len(packages) == len(re.findall(r"^[a-z0-9.-]+==", text, re.M))
    assert sum(len(package.hashes) for package in packages) == text.count("--hash=sha256:")
    assert all(package.hashes for package in packages)


def test_hashes_are_those_of_the_same_version() -> None:
    here = (Package("a", "1"), Package("b", "1"))
    lock = (Package("a", "1", hashes=("0" * 64,)), Package("b", "2", hashes=("1" * 64,)))
    assert [package.hashes for package in with_hashes(here, lock)] == [("0" * 64,), ()]


DOCUMENTS = {
    "nothing": lambda: document([], "refrain", "0"),
    "installed": lambda: document(installed(), "refrain", "0.1.0"),
    "locked": lambda: document(locked(LOCK), "refrain", "0.1.0", kind="container"),
    "odd version": lambda: document([Package("a", "1!2+local.2", "MIT OR Apache-2.0", True)], "m", "3"),
    "odd licence": lambda: document([Package("a", "1", "a name, <of> one's own")], "m", "3"),
    "hashes": lambda: document(
        [Package("a", "1", hashes=("0" * 64, "1" * 64))], "model", "3", kind="machine-learning-model"
    ),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_are_in_the_form(name: str) -> None:
    """By the schema that the library of CycloneDX brings."""
    schema = pytest.importorskip("cyclonedx.schema", reason="cyclonedx-python-lib is not installed")
    validation = pytest.importorskip("cyclonedx.validation.json")
    problem = validation.JsonStrictValidator(schema.SchemaVersion.V1_6).validate_str(DOCUMENTS[name]())
    assert problem is None, problem


def test_the_command_writes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFRAIN_HOME", str(Home(tmp_path).root))
    result = CliRunner().invoke(app, ["bom", "--lock", str(LOCK), "--out", str(tmp_path / "bom.json")])
    assert result.exit_code == 0
    assert len(json.loads((tmp_path / "bom.json").read_text())["components"]) == len(locked(LOCK))
    shown = CliRunner().invoke(app, ["bom"]).stdout
    assert {one["name"] for one in json.loads(shown)["components"]} == {package.name for package in installed()}


@pytest.mark.parametrize("content", [None, "", "# nothing\n", "numpy>=2\n"])
def test_what_is_no_lock_is_an_error(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "requirements.lock"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError):
        locked(path)
