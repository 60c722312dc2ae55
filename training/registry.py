"""MLflow on SQLite in the data folder: runs, registered bundles, and the aliases that say which one serves.

Serving reads no MLflow: ``promote`` also writes ``aliases.json`` beside the bundles.
"""

import json
import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feature_repo.bundle import ALIASES, CHAMPION, MANIFEST
from feature_repo.errors import BundleError
from feature_repo.home import Home
from training.bundle import BundleManifest

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHALLENGER = "challenger"
REPORT = "report.html"
"""Of a bundle that has one: the run links it."""
_ARTIFACT = "bundle"


@dataclass(frozen=True)
class Version:
    """One registered bundle."""

    name: str
    version: int
    aliases: tuple[str, ...]
    created: datetime
    metrics: dict[str, float]
    present: bool


def client(home: Home) -> "MlflowClient":
    """MLflow's client on this data folder."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    from mlflow import MlflowClient

    for chatty in ("alembic", "mlflow"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message="The ``noload`` loader strategy is deprecated")  # MLflow's own
    home.ensure().mlflow.mkdir(exist_ok=True)
    address = f"sqlite:///{home.mlflow / 'mlflow.db'}"
    return MlflowClient(tracking_uri=address, registry_uri=address)


def register(
    home: Home,
    name: str,
    *,
    parameters: dict[str, Any],
    metrics: dict[str, float],
    write: Callable[[Path, int], BundleManifest],
) -> int:
    """Log a run with its bundle, register the bundle as the next version and give it the alias ``challenger``.

    Args:
        home: the data folder.
        name: of the model.
        parameters: of the run.
        metrics: of the run.
        write: puts the bundle of a given version number into a given folder.

    Returns:
        The version.
    """
    mlflow = client(home)
    experiment = mlflow.get_experiment_by_name(name)
    experiment_id = (
        experiment.experiment_id
        if experiment
        else mlflow.create_experiment(name, artifact_location=str(home.mlflow / "artifacts" / name))
    )
    run = mlflow.create_run(experiment_id)
    try:
        for key, value in parameters.items():
            mlflow.log_param(run.info.run_id, key, value)
        for key, number in metrics.items():
            mlflow.log_metric(run.info.run_id, key, number)
        versions = _create_registered_model(mlflow, name)
        version = 1 + max(versions, default=0)
        home.bundles(name).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home.bundles(name), prefix=".writing-") as scratch:
            folder = Path(scratch) / _ARTIFACT
            write(folder, version)
            mlflow.log_artifacts(run.info.run_id, str(folder), _ARTIFACT)
            if (folder / REPORT).is_file():
                link = f"{run.info.artifact_uri}/{_ARTIFACT}/{REPORT}"
                mlflow.set_tag(run.info.run_id, "mlflow.note.content", f"[Report]({link}), among the artifacts, too")
            target = home.bundles(name) / str(version)
            shutil.rmtree(target, ignore_errors=True)
            folder.rename(target)
        source = f"{run.info.artifact_uri}/{_ARTIFACT}"
        registered = mlflow.create_model_version(name, source, run.info.run_id)
        mlflow.set_registered_model_alias(name, CHALLENGER, registered.version)
    except BaseException:
        mlflow.set_terminated(run.info.run_id, "FAILED")
        raise
    mlflow.set_terminated(run.info.run_id)
    return int(registered.version)


def _create_registered_model(mlflow: "MlflowClient", name: str) -> list[int]:
    """Versions of the model so far, its entry made if there is none."""
    if not mlflow.search_registered_models(f"name = '{name}'"):
        mlflow.create_registered_model(name)
    return [int(item.version) for item in mlflow.search_model_versions(f"name = '{name}'")]


def versions(home: Home) -> list[Version]:
    """All registered bundles, newest first."""
    mlflow = client(home)
    found = []
    for model in mlflow.search_registered_models():
        aliases = mlflow.get_registered_model(model.name).aliases
        for item in mlflow.search_model_versions(f"name = '{model.name}'"):
            number = int(item.version)
            run = mlflow.get_run(str(item.run_id))
            found.append(
                Version(
                    name=model.name,
                    version=number,
                    aliases=tuple(sorted(alias for alias, at in aliases.items() if int(at) == number)),
                    created=datetime.fromtimestamp(item.creation_timestamp / 1_000, UTC),
                    metrics=dict(run.data.metrics),
                    present=(home.bundles(model.name) / str(number) / MANIFEST).is_file(),
                )
            )
    return sorted(found, key=lambda item: (item.name, -item.version))


def promote(home: Home, name: str, version: int | None = None) -> int:
    """Make a version the champion: the one that serves.

    Args:
        home: the data folder.
        name: of the model.
        version: the challenger's if None.

    Returns:
        The version.

    Raises:
        BundleError: there is no such version.
    """
    mlflow = client(home)
    known = [item for item in versions(home) if item.name == name]
    chosen = version or next((item.version for item in known if CHALLENGER in item.aliases), None)
    if chosen not in [item.version for item in known]:
        raise BundleError(
            expected=f"a version of {name!r}, one of {[item.version for item in known]}",
            found=str(version or "no challenger"),
            next_command=f"python -m training run {name}  (python -m training list shows what there is)",
        )
    assert chosen is not None
    _restore(mlflow, home, name, chosen)
    mlflow.set_registered_model_alias(name, CHAMPION, str(chosen))
    folder = home.bundles(name)
    partial = folder / f".aliases.{os.getpid()}.tmp"
    partial.write_text(json.dumps({CHAMPION: chosen}) + "\n")
    partial.replace(folder / ALIASES)
    return chosen


def _restore(mlflow: "MlflowClient", home: Home, name: str, version: int) -> None:
    """Fetch the bundle from MLflow if its folder is gone."""
    folder = home.bundles(name) / str(version)
    if (folder / MANIFEST).is_file():
        return
    run_id = str(mlflow.get_model_version(name, str(version)).run_id)
    with tempfile.TemporaryDirectory(dir=home.bundles(name), prefix=".fetching-") as scratch:
        fetched = Path(mlflow.download_artifacts(run_id, _ARTIFACT, scratch))
        shutil.rmtree(folder, ignore_errors=True)
        fetched.rename(folder)
