"""An apply that fails changes nothing."""

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from feature_repo.home import Home
from feature_repo.project import PROJECT
from feature_repo.stores import redis_server
from tests.feature_repo.contract.packages import (
    ENTITIES,
    OTHER_NAME,
    SERVICE,
    package,
)
from tests.processes import run_python
from tests.projects import write_project


def tables_of(home: Home) -> dict[str, list[tuple]]:
    """All rows of the registry."""
    with sqlite3.connect(home.registry) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: sorted(connection.execute(f"SELECT * FROM {name}"), key=repr) for name in sorted(names)}


FAILING = {
    "a contradiction of ours": {"services": SERVICE.replace("facts: rating", "facts: stars")},
    "files that Feast cannot infer from": {
        "more_views": """
            from feast import FeatureView, FileSource

            from PACKAGE.entities import shop

            inferred = FeatureView(
                name="inferred",
                entities=[shop],
                source=FileSource(name="inferred_files", path="nowhere.parquet", timestamp_field="at"),
            )
            """
    },
    "a fault within Feast's writes": {
        "more_views": """
            from feast import FeatureService

            from PACKAGE.views import facts


            class Unwritable(FeatureService):
                def to_proto(self):
                    raise ValueError("no text for this service")


            unwritable = Unwritable(name="unwritable", features=[facts])
            """
    },
}


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project whose definitions are applied."""
    folder = write_project(tmp_path_factory.mktemp("applied"), package("applied"))
    assert apply(folder) == ""
    yield folder
    redis_server.stop(Home(folder / "data", project_folder=folder))


def apply(folder: Path) -> str:
    """Applies a project in a process of its own; returns the error output."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REFRAIN_")}
    process = run_python("-m", "feature_repo", "apply", environment=environment | {PROJECT: str(folder)})
    return process.stderr if process.returncode else ""


@pytest.mark.parametrize("case", FAILING)
def test_a_failed_apply_changes_nothing(case: str, applied: Path) -> None:
    home = Home(applied / "data", project_folder=applied)
    before, manifest = tables_of(home), home.manifest.read_bytes()
    entities = ENTITIES + OTHER_NAME.replace("STRING", "INT64")  # sound, but must not be registered alone
    files = package("applied", **FAILING[case], entities=entities)
    changed = {name: text for name, text in files.items() if name != "refrain.toml"}
    originals = {name: (applied / name).read_text() if (applied / name).exists() else None for name in changed}
    try:
        write_project(applied, changed)
        errors = apply(applied)
    finally:
        for name, text in originals.items():
            (applied / name).unlink() if text is None else (applied / name).write_text(text)
    assert errors.count("Expected") == 1, errors
    assert len(errors.splitlines()) <= 8, errors
    assert tables_of(home) == before
    assert home.manifest.read_bytes() == manifest
    assert apply(applied) == ""  # as it was, it applies


def test_a_first_apply_that_fails_leaves_no_registry(tmp_path: Path) -> None:
    folder = write_project(tmp_path, package("first_apply", **FAILING["a fault within Feast's writes"]))
    assert "no text for this service" in apply(folder)
    assert not list((folder / "data").glob("registry.db*"))
    assert not list((folder / "data").glob("manifest*"))
    redis_server.stop(Home(folder / "data", project_folder=folder))
