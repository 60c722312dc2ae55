"""Opens Feast on a data folder."""

import fcntl
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from feature_repo.errors import HomeError, StoreError
from feature_repo.home import DEFAULT_ROOT, Home
from feature_repo.project import Project
from feature_repo.registered_views import views_of
from feature_repo.urls import sqlite_url
from feature_repo.whole_files import write_whole

if TYPE_CHECKING:
    from feast import FeatureStore

FOLDER = Path(__file__).resolve().parent

_DOLLAR = "\ue000"
"""Placeholder for a literal dollar sign, because Feast substitutes variables in the text of the configuration."""


def config_file(home: Home) -> Path:
    """Writes the Feast configuration of a data folder and returns its path.

    It is ``feature_store.yaml``, or the profile that the environment or the project names, with the registry and the
    project of this folder and tenant. ``REFRAIN_MEMORY_LIMIT``, such as ``4GB``, limits the memory of a training set.

    Raises:
        HomeError: the folder cannot be written.
        StoreError: the profile does not exist, or needs a variable that is not set.
    """
    import yaml

    profile = home.profile
    template = FOLDER / "profiles" / f"{profile}.yaml" if profile else FOLDER / "feature_store.yaml"
    if not template.is_file():
        names = sorted(path.stem for path in (FOLDER / "profiles").glob("*.yaml"))
        is_named, file = bool(os.environ.get("REFRAIN_PROFILE")), Project.load(home.project_folder).file
        raise StoreError(
            expected=f"{'REFRAIN_PROFILE' if is_named else f'profile in {file}'} to be unset or one of {names}",
            found=repr(profile),
            next_command="unset REFRAIN_PROFILE" if is_named else f"correct {file}",
        )
    text = template.read_text()
    if "${REFRAIN_REDIS}" in text and not os.environ.get("REFRAIN_REDIS"):
        raise StoreError(
            expected=f"REFRAIN_REDIS for the profile {profile!r}",
            found="it is not set",
            next_command="export REFRAIN_REDIS=localhost:6379",
        )
    config = yaml.safe_load(text)
    config["project"] = home.project
    config["registry"]["path"] = sqlite_url(home.registry)
    if config["offline_store"]["type"].startswith("feature_repo."):  # other stores lack this option
        config["offline_store"]["data_folder"] = str(home.root).replace("$", _DOLLAR)
    if os.environ.get("REFRAIN_MEMORY_LIMIT") and "AsOf" in config["offline_store"]["type"]:
        config["offline_store"]["memory_limit"] = os.environ["REFRAIN_MEMORY_LIMIT"]
    target = home.ensure().root / f"feature_store-{home.tenant}.yaml"
    rendered = yaml.safe_dump(config, sort_keys=False).replace("\\uE000", "\\x24")
    if not target.is_file() or target.read_text() != rendered:
        write_whole(target, rendered)
    return target


@contextmanager
def contract_lock(home: Home) -> Iterator[None]:
    """Locks the registry and the manifest of a data folder for changes; other processes wait.

    Raises:
        HomeError: the folder cannot be written.
    """
    with (home.ensure().root / ".apply.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def open_store(home: Home) -> "FeatureStore":
    """Opens Feast's ``FeatureStore`` on a data folder.

    Raises:
        StoreError: no definitions were applied to its registry yet.
    """
    from feast import FeatureStore

    silence_feast()
    store = FeatureStore(repo_path=str(FOLDER), fs_yaml_file=config_file(home))
    if not store.list_feature_services() and not views_of(store):
        raise StoreError(
            expected="definitions in the registry",
            found=f"none in {home.registry}",
            next_command="refrain apply",
        )
    return store


def silence_feast() -> None:
    """Suppresses unavoidable warnings of Feast 0.67. Call it after importing Feast."""
    warnings.filterwarnings("ignore", message="fetch_(arrow_table|record_batch)", category=DeprecationWarning)
    for kind in ("On demand feature view is an", "Stream feature views are"):
        warnings.filterwarnings("ignore", message=f"{kind} experimental", category=RuntimeWarning)
    logging.getLogger("feast.infra.offline_stores.file_source").addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a log record is no warning of ``feast apply`` about a table that is not built yet, or is encrypted."""
    text = record.getMessage()
    return "Could not validate FileSource path" not in text and "no decryption found" not in text


def refuse_other_home() -> None:
    """Rejects plain ``feast`` if the environment selects another data folder than Feast's configuration.

    Raises:
        HomeError: ``REFRAIN_HOME``, ``REFRAIN_TENANT`` or ``REFRAIN_PROFILE`` is set, but Feast ignores it.
    """
    home = Home.from_env()
    is_default = home == Home(DEFAULT_ROOT) and not home.profile
    if not is_default and os.environ.get("FEAST_FS_YAML_FILE_PATH") != str(config_file(home)):
        raise HomeError(
            expected=f"plain `feast` to work on {DEFAULT_ROOT}",
            found=f"an environment that asks for {home.root}, tenant {home.tenant}",
            next_command="refrain feast …  (the same command line on that folder)",
        )
