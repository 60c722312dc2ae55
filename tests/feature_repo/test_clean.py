"""Files that `clean` removes, and files that it never touches."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from feature_repo.__main__ import app
from feature_repo.clean import clean
from feature_repo.errors import HomeError
from feature_repo.home import Home
from feature_repo.store import config_file
from feature_repo.stores import redis_server


def fill_data_folder(home: Home) -> None:
    """Writes a file in every folder that Refrain uses."""
    config_file(home)
    redis_server.ensure(home).set("key", "value")
    folders = [
        getattr(home, name)("x") for name in ("raw", "features", "tiles", "quarantine", "bundles", "lookups", "audits")
    ]
    folders += [home.impressions, home.audit_log, home.predictions, home.exposures, home.reports, home.pipeline]
    for folder in [
        *folders,
        home.training_sets,
        home.mlflow,
        home.root / "simulated",
        home.root / "anomaly" / "default",
        home.root / "rights",
    ]:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "part-0.parquet").touch()
    for file in (home.registry, home.manifest, home.keys, home.experiments, home.root / ".apply.lock"):
        file.parent.mkdir(exist_ok=True)
        file.touch()
    (home.root / "features" / ".built-default").touch()


def test_all_that_refrain_writes_is_removed(home: Home) -> None:
    fill_data_folder(home)
    removed, kept = clean(home)
    assert kept == []
    assert home.registry in removed
    assert not home.root.exists()
    assert not redis_server.running(home)
    assert clean(home) == ([], [])


def test_what_is_a_persons_stays(home: Home) -> None:
    fill_data_folder(home)
    own_files = [
        home.root / "notes.txt",
        home.root / "models" / "mine.onnx",
        home.root / "raw" / "plays" / "listing.csv",
    ]
    for file in own_files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    elsewhere = home.root.with_name("elsewhere")
    (elsewhere / "tenant=default").mkdir(parents=True)
    (home.root / "features" / "far").mkdir()
    (home.root / "features" / "far" / "tenant=default").symlink_to(elsewhere / "tenant=default")
    result = CliRunner().invoke(app, ["clean"])
    assert result.exit_code == 0
    assert f"kept    {own_files[0]}" in result.output
    assert all(file.exists() for file in own_files)
    assert (elsewhere / "tenant=default").is_dir()
    assert sorted(home.root.rglob("*")) == sorted(
        {*own_files, *(file.parent for file in own_files[1:]), home.root / "raw"}
    )


def test_another_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "tenant=default").touch()
    with pytest.raises(HomeError, match="a data folder of Refrain"):
        clean(Home(tmp_path))
    assert (tmp_path / "models" / "tenant=default").exists()
