"""MLflow's paths in a data folder that was copied or moved: they name the folder in use again.

MLflow keeps the place of every experiment and run as an absolute path. In a copy of a data folder these would still
name the original, and runs of the copy would write into it.
"""

import re
import sqlite3
from contextlib import closing

from feature_repo.home import Home
from feature_repo.urls import file_url

DATABASE, ARTIFACTS = "mlflow.db", "artifacts"
"""In the folder of MLflow."""

_PLACES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
    ("logged_models", "artifact_location"),
    ("tags", "value"),  # links in descriptions
)
"""Tables and columns that hold a path, or a text with one."""

_LOCAL = re.compile(rf"(?P<folder>(?P<scheme>file://)?/.*)/{ARTIFACTS}/[^/]+")


def bring_home(home: Home) -> int:
    """Correct the paths of a data folder that lies elsewhere than when they were written.

    What a person put elsewhere, such as in an object store, stays.

    Returns:
        How many places were corrected.

    Raises:
        sqlite3.DatabaseError: the database is locked or damaged.
    """
    path = home.mlflow / DATABASE
    if not path.is_file():
        return 0
    with closing(sqlite3.connect(path, timeout=30)) as database:
        known = {name for (name,) in database.execute("select name from sqlite_master where type = 'table'")}
        if "experiments" not in known:
            return 0
        locations = database.execute("select artifact_location from experiments where artifact_location is not null")
        found = [matched for (location,) in locations if (matched := _LOCAL.fullmatch(location))]
        here = file_url(home.mlflow)
        old = {one["folder"] for one in found if one["folder"].endswith(f"/{home.mlflow.name}")} - {here}
        old -= {here.removeprefix("file://"), f"file://{here}"}
        changed = 0
        with database:
            for folder in sorted(old, key=lambda text: not text.startswith("file:")):  # which hold the others
                before, after = f"{folder}/{ARTIFACTS}/", f"{here}/{ARTIFACTS}/"
                for table, column in (place for place in _PLACES if place[0] in known):
                    statement = f"update {table} set {column} = replace({column}, ?, ?) where instr({column}, ?) > 0"
                    changed += database.execute(statement, (before, after, before)).rowcount
        return changed
