"""Data folders: a copied or moved folder uses its own files, and a Redis server belongs to one registry."""

import contextlib
import io
import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from feast import Entity, FeatureService, FeatureStore, Field, RepoConfig, ValueType
from feast import types as t

from feature_repo.compile_manifest import compile_manifest
from feature_repo.errors import StoreError
from feature_repo.home import REPOSITORY, Home
from feature_repo.sources import feature_table
from feature_repo.store import FOLDER, config_file, contract_lock, open_store, silence_feast
from feature_repo.stores import ownership, redis_server
from feature_repo.stores.source_path import PLACE, located
from tests.feature_repo.offline.folders import at, write

DAY = datetime(2026, 4, 1, tzinfo=UTC)
SPINE = pl.DataFrame({"tree_id": ["1"], "event_timestamp": [DAY + timedelta(days=1)]})


def declare(home: Home) -> FeatureStore:
    """Applies one feature table, declared the way ``feature_repo`` declares its own."""
    silence_feast()
    store = FeatureStore(repo_path=str(FOLDER), fs_yaml_file=config_file(home))
    tree = Entity(name="tree", join_keys=["tree_id"], value_type=ValueType.STRING)
    fields = [Field(name="height", dtype=t.Float64)]
    trees = feature_table("trees", entities=[tree], schema=fields, description="", can_be_pushed=True)
    store.apply([tree, trees, FeatureService(name="trees_v1", features=[trees])])
    compile_manifest(store, home)
    return store


def write_height(home: Home, height: float) -> None:
    write(home.features("trees") / "part-0.parquet", tree_id=["1"], height=[height], **at(DAY))


def height_of(home: Home) -> float:
    from training.datasets import training_set

    return training_set("trees_v1", SPINE, home=home).data["trees__height"][0]


def materialize(home: Home) -> None:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        open_store(home).materialize(DAY - timedelta(days=1), DAY, feature_views=["trees"])


def online(home: Home) -> Any:
    return open_store(home).get_online_features(["trees:height"], {"tree_id": ["1"]}).to_dict()["height"]


@pytest.fixture
def copy(home: Home, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that copies the data folder and points the environment at the copy; stops the copy's Redis."""
    copied_home = Home(home.root.with_name("copy"))

    def make() -> Home:
        shutil.copytree(home.root, copied_home.root, ignore=shutil.ignore_patterns("redis.sock"))
        monkeypatch.setenv("REFRAIN_HOME", str(copied_home.root))
        return copied_home

    yield make
    redis_server.stop(copied_home)


def test_a_copy_reads_its_own_files(home: Home, copy: Any) -> None:
    declare(home)
    write_height(home, 2.0)
    materialize(home)
    copied_home = copy()
    write_height(copied_home, 52.0)
    assert (height_of(home), height_of(copied_home)) == (2.0, 52.0)
    materialize(copied_home)
    assert online(copied_home) == [52.0]
    write_height(home, 3.0)  # the copy does not change
    assert height_of(copied_home) == 52.0


def test_a_push_into_a_copy_stays_there(home: Home, copy: Any) -> None:
    import pandas as pd
    from feast.data_source import PushMode

    declare(home)
    write_height(home, 2.0)
    copied_home = copy()
    rows = {"tree_id": ["1"], "height": [7.0], "event_timestamp": [DAY + timedelta(hours=1)]}
    rows["created_timestamp"] = rows["event_timestamp"]
    open_store(copied_home).push("trees_push", pd.DataFrame(rows), to=PushMode.OFFLINE)
    assert (height_of(home), height_of(copied_home)) == (2.0, 7.0)


def test_a_moved_folder_goes_on_without_apply(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(home)
    write_height(home, 2.0)
    materialize(home)
    moved_home = Home(tmp_path / ("a longer name than a socket may have " * 3).replace(" ", "_"))
    home.root.rename(moved_home.root)  # while its Redis is running
    monkeypatch.setenv("REFRAIN_HOME", str(moved_home.root))
    try:
        assert height_of(moved_home) == 2.0
        assert online(moved_home) == [2.0]
    finally:
        redis_server.stop(moved_home)


def test_plain_feast_reads_where_the_configuration_says(home: Home, copy: Any) -> None:
    """Feast reads the copy's configuration, which was written when the copy was first opened."""
    declare(home)
    write_height(home, 2.0)
    copied_home = copy()
    write_height(copied_home, 52.0)
    store = FeatureStore(repo_path=str(FOLDER), fs_yaml_file=config_file(copied_home))
    values = store.get_historical_features(entity_df=SPINE.to_pandas(), features=["trees:height"]).to_df()
    assert values["height"].to_list() == [52.0]


def test_a_source_of_ones_own_stays_where_it_is(home: Home) -> None:
    from feast import FileSource

    config = open_configuration(home, home.root / "own.db", data_folder=str(home.root))
    own_source = FileSource(name="own", path="/somewhere/else.parquet", timestamp_field="event_timestamp")
    assert located(own_source, config) is own_source
    refrain_source = FileSource(
        name="ours", path="/old/features/x", timestamp_field="event_timestamp", tags={PLACE: "features/x"}
    )
    assert located(refrain_source, config).path == str(home.root / "features/x")
    assert refrain_source.path == "/old/features/x"
    assert located(refrain_source, open_configuration(home, home.root / "own.db")) is refrain_source


def open_configuration(home: Home, registry: Path | str, project: str = "orchard", **offline: str) -> RepoConfig:
    home.ensure()
    return RepoConfig(
        project=project,
        provider="local",
        registry=str(registry),
        offline_store={"type": "feature_repo.stores.offline.AsOfOfflineStore", **offline},
        online_store={"type": "feature_repo.stores.online.PackedRedisOnlineStore"},
        batch_engine={"type": "feature_repo.stores.engine.PackedComputeEngine"},
        entity_key_serialization_version=3,
    )


def test_two_projects_of_one_name_do_not_share_a_server(home: Home, tmp_path: Path) -> None:
    for name in ("north", "south"):
        (tmp_path / name).mkdir()
    tree = Entity(name="tree", join_keys=["tree_id"], value_type=ValueType.STRING)
    store = FeatureStore(config=open_configuration(home, tmp_path / "north" / "registry.db"))
    store.apply([tree])
    with pytest.raises(StoreError, match=r"south.*found the registry .*north"):
        FeatureStore(config=open_configuration(home, tmp_path / "south" / "registry.db")).apply([tree])
    FeatureStore(config=open_configuration(home, tmp_path / "south" / "registry.db", "meadow")).apply([tree])
    store.apply([tree])
    assert ownership.release(home, "orchard")
    assert not ownership.release(home, "orchard")
    ownership.claim(home, open_configuration(home, tmp_path / "south" / "registry.db"))
    with pytest.raises(StoreError, match="refrain redis release orchard"):
        ownership.claim(home, open_configuration(home, tmp_path / "north" / "registry.db"))


def test_a_project_whose_registry_is_gone_is_taken_over(home: Home, tmp_path: Path) -> None:
    (tmp_path / "old.db").touch()
    ownership.claim(home, open_configuration(home, tmp_path / "old.db"))
    (tmp_path / "old.db").rename(tmp_path / "new.db")  # the registry was moved
    ownership.claim(home, open_configuration(home, tmp_path / "new.db"))


def test_a_copied_folder_owns_its_own_server(home: Home, copy: Any) -> None:
    home.ensure()
    (home.root / "registry.db").touch()
    ownership.claim(home, open_configuration(home, home.root / "registry.db"))
    copied_home = copy()
    ownership.claim(copied_home, open_configuration(copied_home, f"sqlite:///{copied_home.root}/registry.db"))
    assert json.loads((copied_home.redis / ownership.OWNERS).read_text()) == {"orchard": "."}


def test_a_password_is_not_written_down(home: Home) -> None:
    ownership.claim(home, open_configuration(home, "s3://me:secret@bucket/registry.db"))
    assert "secret" not in (home.redis / ownership.OWNERS).read_text()


def test_an_apply_waits_for_another(home: Home) -> None:
    script = "from feature_repo.home import Home; from feature_repo.store import contract_lock\n"
    script += "with contract_lock(Home.from_env()): print('in')"
    with contract_lock(home):
        process = subprocess.Popen([sys.executable, "-c", script], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
        with pytest.raises(subprocess.TimeoutExpired):
            process.communicate(timeout=1)
    assert process.communicate(timeout=30)[0] == "in\n"


def test_apply_works_again_after_a_teardown(home: Home) -> None:
    store = declare(home)
    store.teardown()
    store = declare(home)
    assert [view.name for view in store.list_feature_views()] == ["trees"]


def test_what_an_older_teardown_left_is_forgotten(home: Home) -> None:
    import sqlite3

    from feature_repo.stores.feast_registry import forget_versions

    store = declare(home)
    assert forget_versions(store.config, of_views_that_are_gone=True) == 0
    with contextlib.closing(sqlite3.connect(home.registry)) as registry, registry:
        registry.execute("delete from feature_views")
    assert forget_versions(store.config, of_views_that_are_gone=True) == 1
    declare(home)
