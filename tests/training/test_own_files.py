"""Views over user-defined Parquet files: digests depend on these files, and errors name a command that helps."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from feast import Entity, FeatureService, FeatureStore, FeatureView, Field, FileSource, ValueType
from feast import types as t

from feature_repo.compile_manifest import compile_manifest
from feature_repo.errors import StoreError
from feature_repo.home import Home
from feature_repo.store import FOLDER, config_file, silence_feast
from tests.feature_repo.offline.folders import at, write
from training.datasets import training_set
from training.pipeline.digests import Digests

DAY = datetime(2026, 4, 1, tzinfo=UTC)
SPINE = pl.DataFrame({"tree_id": ["1"], "event_timestamp": [DAY + timedelta(days=1)]})


def declare(home: Home, path: str) -> None:
    """Applies a separate Feast project in the data folder, without Refrain's definitions."""
    silence_feast()
    store = FeatureStore(repo_path=str(FOLDER), fs_yaml_file=config_file(home))
    source = FileSource(
        name="trees_files",
        path=path,
        timestamp_field="event_timestamp",
        created_timestamp_column="created_timestamp",
    )
    tree = Entity(name="tree", join_keys=["tree_id"], value_type=ValueType.STRING)
    fields = [Field(name="height", dtype=t.Float64)]
    trees = FeatureView(name="trees", entities=[tree], schema=fields, source=source, ttl=timedelta(0))
    store.apply([tree, trees, FeatureService(name="trees_v1", features=[trees])])
    compile_manifest(store, home)


@pytest.mark.parametrize("pattern", ["", "a.parquet", "*.parquet", "**/*.parquet"])
def test_a_changed_file_changes_every_digest(home: Home, tmp_path: Path, pattern: str) -> None:
    folder = tmp_path / "trees"
    write(folder / "a.parquet", tree_id=["1"], height=[2.0], **at(DAY))
    declare(home, str(folder / pattern))
    before, digest = training_set("trees_v1", SPINE, home=home).manifest, Digests(home).view("trees")
    assert training_set("trees_v1", SPINE, home=home).manifest["sources"] == before["sources"]
    assert Digests(home).view("trees") == digest
    write(folder / "a.parquet", tree_id=["1"], height=[3.0], **at(DAY))
    after = training_set("trees_v1", SPINE, home=home).manifest
    assert after["sources"]["trees"] != before["sources"]["trees"]
    assert Digests(home).view("trees") != digest


def test_missing_files_advise_what_helps(home: Home, tmp_path: Path) -> None:
    path = tmp_path / "trees" / "a.parquet"
    write(path, tree_id=["1"], height=[2.0], **at(DAY))
    declare(home, str(path))
    path.unlink()
    with pytest.raises(StoreError, match="the files of the view trees") as error:
        training_set("trees_v1", SPINE, home=home)
    assert "refrain build" not in error.value.next_command
    assert "apply" in error.value.next_command


def test_what_lies_elsewhere_is_never_the_same(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.ensure()
    monkeypatch.setattr("training.pipeline.digests.load_sources", lambda home: {"far": None})
    home.manifest.write_text("{}")
    assert Digests(home).view("far") != Digests(home).view("far")
