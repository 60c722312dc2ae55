"""Corrects MLflow's paths in a data folder that was copied or moved.

MLflow stores the place of every experiment and run as an absolute path. In a copy of a data folder these would still
name the original, and runs of the copy would write into it.
"""

import re
import sqlite3
from contextlib import closing

from feature_repo.home import Home
from feature_repo.urls import file_url

DATABASE, ARTIFACTS = "mlflow.db", "artifacts"
"""Names in the folder of MLflow."""

_PLACES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
    ("logged_models", "artifact_location"),
    ("tags", "value"),  # links in descriptions
)
"""Tables and columns with a path, or a text that contains one."""

_LOCAL = re.compile(rf"(?P<folder>(?P<scheme>file://)?/.*)/{ARTIFACTS}/[^/]+")


LOCK_SECONDS = 30.0
"""How long another process may keep MLflow's database locked."""


def correct_paths(home: Home) -> int:
    """Corrects the paths if the data folder lies elsewhere than when they were written.

    Other locations, such as in an object store, stay as they are.

    Returns:
        The number of corrected paths.

    Raises:
        sqlite3.DatabaseError: the database is locked or damaged.
    """
    path = home.mlflow / DATABASE
    if not path.is_file():
        return 0
    with closing(sqlite3.connect(path, timeout=LOCK_SECONDS)) as database:
        tables = {name for (name,) in database.execute("select name from sqlite_master where type = 'table'")}
        if "experiments" not in tables:
            return 0
        locations = database.execute("select artifact_location from experiments where artifact_location is not null")
        matches = [matched for (location,) in locations if (matched := _LOCAL.fullmatch(location))]
        new_folder = file_url(home.mlflow)
        old_folders = {match["folder"] for match in matches if match["folder"].endswith(f"/{home.mlflow.name}")} - {
            new_folder
        }
        old_folders -= {new_folder.removeprefix("file://"), f"file://{new_folder}"}
        changed = 0
        with database:
            # URLs first, as they contain plain paths
            for folder in sorted(old_folders, key=lambda text: not text.startswith("file:")):
                before, after = f"{folder}/{ARTIFACTS}/", f"{new_folder}/{ARTIFACTS}/"
                for table, column in (entry for entry in _PLACES if entry[0] in tables):
                    statement = f"update {table} set {column} = replace({column}, ?, ?) where instr({column}, ?) > 0"
                    changed += database.execute(statement, (before, after, before)).rowcount
        return changed
