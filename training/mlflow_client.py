"""Access to MLflow on SQLite in the data folder: its client, its errors in plain words, one registration at a time."""

import fcntl
import logging
import os
import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from feature_repo.errors import StoreError
from feature_repo.home import Home
from feature_repo.urls import sqlite_url
from training.mlflow_paths import DATABASE, correct_paths

if TYPE_CHECKING:
    from mlflow import MlflowClient

_DRIVER = "sqlite+pysqlite"
"""SQLite driver. With the plain name MLflow would create a folder named after the escaped text of the address."""


def client(home: Home) -> "MlflowClient":
    """Opens MLflow's client on this data folder, even if the folder was moved since MLflow stored its paths."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    from mlflow import MlflowClient

    for logger_name in ("alembic", "mlflow"):
        logging.getLogger(logger_name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message="The ``noload`` loader strategy is deprecated")  # MLflow's own
    home.ensure().mlflow.mkdir(exist_ok=True)
    address = sqlite_url(home.mlflow / DATABASE, driver=_DRIVER)
    with translate_errors(home):
        correct_paths(home)
        return MlflowClient(tracking_uri=address, registry_uri=address)


@contextmanager
def translate_errors(home: Home) -> Iterator[None]:
    """Turns the errors of an unreachable MLflow into one clear error."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, sqlite3.DatabaseError) as error:
        message = str(error).partition("\n")[0]
        if not any(word in str(error).lower() for word in ("locked", "disk", "malformed", "not a database", "unable")):
            raise
        raise StoreError(
            expected=f"MLflow's database {home.mlflow / DATABASE}, free to be written",
            found=message[:200],
            next_command="stop what else writes it (lsof mlflow.db), or bring it back; then the same again",
        ) from error


@contextmanager
def registration_lock(home: Home) -> Iterator[None]:
    """Lets one process register at a time: version numbers are counted up, and SQLite takes one writer."""
    home.ensure().mlflow.mkdir(exist_ok=True)
    with (home.mlflow / ".registering").open("w") as lock_file:
        fcntl.flock(lock_file, fcntl.LOCK_EX)
        yield
