"""Every command of docs/contracts.md runs, and its contract and its settings are valid."""

import re
import shlex
import warnings
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from feature_repo.home import REPOSITORY, Home
from feature_repo.project import PROJECT, Project
from refrain.cli import app
from transforms.data_contracts.binding import path_of

PAGE = (REPOSITORY / "docs" / "contracts.md").read_text()


def blocks(language: str) -> list[str]:
    """The blocks of code of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.M | re.S)


def _run(line: str) -> Any:
    words = shlex.split(line, comments=True)
    assert words[0] == "refrain", line
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return CliRunner().invoke(app, words[1:])


@pytest.fixture
def project(in_world: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A project around a data folder with the raw rows and models of the small world."""
    settings = "".join(blocks("toml"))
    (tmp_path / "refrain.toml").write_text(f'name = "refrain"\nextends = ["music"]\n{settings}')
    data = tmp_path / "data"
    data.mkdir()
    for name in ("raw", "features"):
        (data / name).symlink_to(in_world.root / name)  # read only
    for path in sorted(in_world.root.glob("models/*/recommendation/1/*")):
        copy = data / path.relative_to(in_world.root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    (data / "version.json").write_bytes((in_world.root / "version.json").read_bytes())
    monkeypatch.setenv("REFRAIN_HOME", str(data))
    monkeypatch.setenv(PROJECT, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return Home(data, project_folder=tmp_path)


def test_the_commands_run(project: Home) -> None:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    assert len(lines) >= 10
    for line in lines:
        result = _run(line)
        assert result.exit_code == 0, (line, result.output)
    assert (project.root.parent / "report.html").is_file()
    assert "Ann Lee" in (project.root.parent / "annex_iv.md").read_text()
    assert Project.load(project.project_folder).owner_of("orders") == "Ann Lee"


def test_the_contract_of_the_page_is_checked(project: Home) -> None:
    (shown,) = blocks("yaml")
    path = path_of(project, "raw", "plays")
    path.parent.mkdir(parents=True)
    path.write_text("apiVersion: v3.1.0\nkind: DataContract\nid: page\nversion: '1'\nstatus: active\n" + shown)
    result = _run("refrain contract check plays --all")
    checks = {line.split(":")[0].split()[-1] for line in result.output.splitlines() if line.startswith("    ")}
    assert {"freshness", "retention", "frequency", "metric", "volume", "nulls", "ranges", "drift"} <= checks
    assert yaml.safe_load(shown)["schema"][0]["name"] == "plays"
