"""URLs made from paths lead back to those paths."""

from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from feature_repo.home import Home
from feature_repo.store import config_file
from feature_repo.stores import ownership
from feature_repo.urls import file_url, sqlite_file, sqlite_url

NAMES = ["plain", "a b", "50%20", "what?x=1", "n#1", "{x}", "it's", "é", "a;b", "u@h:1", "$HOME", "a&b+c"]


@pytest.mark.parametrize("name", NAMES)
def test_a_database_lies_where_its_address_says(tmp_path: Path, name: str) -> None:
    path = tmp_path / name / "x.db"
    path.parent.mkdir()
    engine = create_engine(sqlite_url(path))
    with engine.connect() as connection:
        connection.execute(text("create table t (a)"))
    engine.dispose()
    assert path.is_file()
    assert sqlite_file(sqlite_url(path)) == path
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", NAMES)
def test_the_registry_belongs_to_its_folder(tmp_path: Path, name: str) -> None:
    from feast.repo_config import load_repo_config

    home = Home(tmp_path / name)
    config = load_repo_config(tmp_path, config_file(home))
    assert config.offline_store.data_folder == str(home.root)
    assert ownership._owner(home, config) == ownership.HERE
    assert ownership._owner(Home(tmp_path / "other"), config) == str(home.registry)


def test_what_names_no_file() -> None:
    assert not any(map(sqlite_file, ("sqlite://", "sqlite:///:memory:", "postgresql://u:p@h/d")))
    assert sqlite_file("sqlite:///file:/a%2520b.db?uri=true") == Path("/a b.db")
    assert (file_url(Path("/a b")), file_url(Path("/a?"))) == ("/a b", "file:///a%3F")
