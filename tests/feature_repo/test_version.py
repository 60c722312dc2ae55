"""The version of Refrain: one for all, and in everything that it writes."""

import json
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

import feature_repo.version
import refrain
from feature_repo.bundle import MANIFEST
from feature_repo.home import REPOSITORY, Home
from feature_repo.version import UNKNOWN, version
from refrain.cli import app
from training.bundle import write_bundle
from transforms.pure import svg


def test_package_command_and_project_have_one_version() -> None:
    declared = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    assert refrain.__version__ == version() == declared
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.output) == (0, f"refrain {declared}\n")


def test_without_a_working_copy_the_installed_package_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_repo.version, "_PROJECT", tmp_path / "pyproject.toml")
    metadata = tmp_path / "refrain-3.2.1.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: refrain\nVersion: 3.2.1\n")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "another"\nversion = "9"\n')
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    assert version.__wrapped__() == "3.2.1"
    monkeypatch.setattr("sys.path", [])
    assert version.__wrapped__() == UNKNOWN


def test_pages_name_the_version() -> None:
    assert f"<meta name=generator content='Refrain {version()}'>" in svg.page("A title", "A body")


def test_bundles_name_the_version(home: Home) -> None:
    fields = ("name", "family", "feature_service", "fingerprint", "training_set", "cutoff")
    manifest = {**dict.fromkeys(fields, ""), "version": 1, "inputs": [], "outputs": [], "metrics": {}, "extra": {}}
    written = write_bundle(home.bundles("x") / "1", {}, manifest)
    assert written.refrain == version()
    assert json.loads((home.bundles("x") / "1" / MANIFEST).read_text())["refrain"] == version()
