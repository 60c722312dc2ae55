"""A temporary data folder with an embedded Redis of its own; nothing of the project's data or servers is touched."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from feature_repo.environment import changed_environment
from feature_repo.home import Home
from feature_repo.project import PROJECT
from feature_repo.stores import redis_server
from feature_repo.temporary import temporary_folder

KEPT = ("REFRAIN_THREADS",)
"""Variables of Refrain that stay as they are; the others could name engines, servers, clocks or logs of the project."""


@contextmanager
def workplace(project_folder: Path | None) -> Iterator[Home]:
    """Points this process at an empty temporary data folder of the project; afterwards all is as before.

    Args:
        project_folder: folder of the project; None for the bundled one.
    """
    others = {name: None for name in os.environ if name.startswith("REFRAIN_") and name not in KEPT}
    with temporary_folder() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Feast's own, and about no person's definitions
        home = Home(folder / "data", project_folder=project_folder)
        embedded = {"REFRAIN_HOME": str(home.root), "REFRAIN_PROFILE": ""}
        project = {} if project_folder is None else {PROJECT: str(project_folder)}
        with changed_environment(others | embedded | project):
            try:
                yield home
            finally:
                redis_server.stop(home)
