"""A project with the events of a shop."""

from pathlib import Path

import pytest

from feature_repo.home import Home
from tests.own_tables import make_project


@pytest.fixture(scope="session")  # a process imports the name of a package from one folder only
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("shop"), "own_tables_shop")


@pytest.fixture
def shop(project: Path, tmp_path: Path) -> Home:
    return Home(tmp_path / "home", project_folder=project)
