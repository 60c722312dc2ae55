"""MLflow on SQLite in the data folder: runs and registered bundles.

A bundle is registered when it passes the checks of every bundle (``training.checks``), together with the decision
whether it may serve (``training.validation.gates``). ``training.promotions`` says which version serves, and
``training.version_files`` reads what is stored with the versions.
"""

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feature_repo.bundle import CHAMPION, MANIFEST
from feature_repo.errors import BundleError
from feature_repo.home import Home
from feature_repo.signing.bundles import sign_bundle
from feature_repo.signing.private_key import has_private_key
from feature_repo.urls import file_url
from training.bundle import BundleManifest
from training.datasets.sample import Sample
from training.fairness.figure import Figure, read
from training.fairness.gate import check_limits, with_limits
from training.fairness.lists import Lists
from training.fairness.measure import measure
from training.fairness.settings import settings_of
from training.mlflow_client import client, registration_lock, translate_errors
from training.mlflow_paths import ARTIFACTS
from training.models.base import Gates
from training.registered_files import add_files, tags_of
from training.tenant_versions import TENANT, alias_of, own_versions
from training.validation.check import Check
from training.validation.evidence import Evidence
from training.validation.gates import Decision, decide
from training.validation.suspicions import describe_near_perfect
from training.validation.training_data import check_training_sets
from training.version_files import (
    champion_of,
    decision_of,
    evidence_of,
    learned_from,
    lineage_of,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHALLENGER, SHADOW = "challenger", "shadow"
REPORT = "report.html"
"""File of a bundle with a report; the MLflow run links to it."""
ARTIFACT = "bundle"
_WRITING = ".writing-"


@dataclass(frozen=True)
class Version:
    """One registered bundle.

    Attributes:
        name: name of the model.
        version: version number.
        aliases: aliases of the version, sorted.
        created: when the version was registered.
        metrics: metrics of its run.
        present: whether the bundle's folder exists.
        may_serve: decision of the gates; None if there is none.
        answer: answer of the gates: ``pass``, ``fail`` or ``undecided``; empty if there is none.
    """

    name: str
    version: int
    aliases: tuple[str, ...]
    created: datetime
    metrics: dict[str, float]
    present: bool
    may_serve: bool | None = None
    answer: str = ""


def register(
    home: Home,
    name: str,
    *,
    parameters: dict[str, Any],
    metrics: dict[str, float],
    write: Callable[[Path, int], BundleManifest],
    evidence: Evidence | None = None,
    gates: Gates | None = None,
    training_sets: Sequence[Sample] = (),
    shown: Lists | None = None,
) -> int:
    """Logs a run with its bundle, registers the bundle as the next version and gives it the alias ``challenger``.

    Args:
        home: the data folder.
        name: name of the model.
        parameters: parameters of the run.
        metrics: metrics of the run.
        write: function that writes the bundle of a given version number into a given folder.
        evidence: figures of the test by unit; without them a person must approve the version.
        gates: gates to check; those that the model declares if None.
        training_sets: samples of the training sets.
        shown: lists of the units of the evidence, of a model that shows lists; for the figures of fairness.

    Returns:
        The version.

    Raises:
        BundleError: the bundle fails a check; nothing is registered.
        StoreError: MLflow cannot be reached.
    """
    settings = settings_of(home, name)
    figures = measure(evidence, settings, shown)
    limits = check_limits(figures, settings)
    with translate_errors(home), registration_lock(home):
        gates = gates or _gates(home, name)
        return _register(home, name, parameters, metrics, write, evidence, gates, training_sets, figures, limits)


def _register(
    home: Home,
    name: str,
    parameters: Mapping[str, Any],
    metrics: Mapping[str, float],
    write: Callable[[Path, int], BundleManifest],
    evidence: Evidence | None,
    gates: Gates,
    training_sets: Sequence[Sample],
    figures: Sequence[Figure],
    limits: Sequence[Check],
) -> int:
    from training.checks import check_bundle

    mlflow = client(home)
    experiment = mlflow.get_experiment_by_name(name)
    experiment_id = (
        experiment.experiment_id
        if experiment
        else mlflow.create_experiment(name, artifact_location=file_url(home.mlflow / ARTIFACTS / name))
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
        for leftover in home.bundles(name).glob(f"{_WRITING}*"):  # of a killed process: only one registers at a time
            shutil.rmtree(leftover, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=home.bundles(name), prefix=_WRITING) as scratch:
            folder = Path(scratch) / ARTIFACT
            manifest = write(folder, version)
            decision = _decide(home, name, evidence, gates, training_sets, limits)
            add_files(folder, manifest, evidence, decision, training_sets, figures)
            check_bundle(folder, home)
            if has_private_key():
                sign_bundle(folder, home, name, version)
            for key, tag in tags_of(manifest, decision, training_sets).items():
                mlflow.set_tag(run.info.run_id, key, tag)
            mlflow.log_artifacts(run.info.run_id, str(folder), ARTIFACT)
            if (folder / REPORT).is_file():
                link = f"{run.info.artifact_uri}/{ARTIFACT}/{REPORT}"
                mlflow.set_tag(run.info.run_id, "mlflow.note.content", f"[Report]({link}), among the artifacts, too")
            bundle_folder = home.bundles(name) / str(version)
            shutil.rmtree(bundle_folder, ignore_errors=True)
            folder.rename(bundle_folder)
        source = f"{run.info.artifact_uri}/{ARTIFACT}"
        registered = mlflow.create_model_version(name, source, run.info.run_id, tags={TENANT: home.tenant})
        mlflow.set_registered_model_alias(name, alias_of(home, CHALLENGER), registered.version)
    except BaseException:
        mlflow.set_terminated(run.info.run_id, "FAILED")
        raise
    mlflow.set_terminated(run.info.run_id)
    return int(registered.version)


def _gates(home: Home, name: str) -> Gates:
    """Returns the gates that a model declares, or the default gates."""
    from training.models.find import models

    model = models(home).get(name)
    return Gates() if model is None else model.gates


def _decide(
    home: Home,
    name: str,
    evidence: Evidence | None,
    gates: Gates,
    training_sets: Sequence[Sample],
    limits: Sequence[Check],
) -> Decision:
    """Checks the gates of a new version, compared with the champion if that has evidence."""
    champion = champion_of(home, name)
    champion_evidence = evidence_of(home, name, champion) if champion else None
    previous = learned_from(home, name, champion) if champion else None
    # where chances were tested, what features tell together shows in the test
    searches_joint = evidence is None or not len(evidence.chance) or bool(describe_near_perfect(evidence))
    data = check_training_sets(training_sets, gates, previous, searches_joint=searches_joint)
    return decide(evidence, gates, champion=champion_evidence, version=champion or 0, data=data, fairness=limits)


def challenger_of(home: Home, name: str) -> int | None:
    """Returns the version that was registered last, or None."""
    mlflow = client(home)
    for model in mlflow.search_registered_models(f"name = '{name}'"):
        version = model.aliases.get(alias_of(home, CHALLENGER))
        if version is not None and int(version) in version_numbers(mlflow, home, name):
            return int(version)
    return None


def trained_with(home: Home, name: str, key: str) -> int | None:
    """Finds the version that a run with this key registered; None if there is none."""
    if not home.bundles(name).is_dir():
        return None
    registered = set(version_numbers(client(home), home, name))
    numbers = sorted((int(path.name) for path in home.bundles(name).iterdir() if path.name.isdigit()), reverse=True)
    for version in numbers:
        if version in registered and lineage_of(home, name, version).get("key") == key:
            return version
    return None


def decide_again(home: Home, name: str, version: int) -> Decision | None:
    """Returns the decision on a version, made again if the champion or the limits of fairness have changed since."""
    decision, champion = decision_now(home, name, version), champion_of(home, name)
    if decision is None or champion in (None, decision.champion, version):
        return decision
    data = [check for check in decision.checks if check.of_data]
    champion_evidence = evidence_of(home, name, champion) if champion else None
    evidence = evidence_of(home, name, version)
    gates = decision.gates or _gates(home, name)
    limits = check_limits(figures_of(home, name, version), settings_of(home, name))
    return decide(evidence, gates, champion=champion_evidence, version=champion or 0, data=data, fairness=limits)


def decision_now(home: Home, name: str, version: int) -> Decision | None:
    """Returns the decision on a version with the limits of fairness that are declared now; None if it has none."""
    decision = decision_of(home, name, version)
    if decision is None:
        return None
    settings = settings_of(home, name)
    return with_limits(decision, figures_of(home, name, version) if settings.limits else [], settings)


def figures_of(home: Home, name: str, version: int) -> list[Figure]:
    """Returns the figures of fairness of a version; computed from its evidence if they are not stored."""
    stored = read(home.bundles(name) / str(version))
    return list(stored) if stored is not None else measure(evidence_of(home, name, version), settings_of(home, name))


def _create_registered_model(mlflow: "MlflowClient", name: str) -> list[int]:
    """Creates the model's entry if there is none, and returns its versions so far."""
    if not mlflow.search_registered_models(f"name = '{name}'"):
        mlflow.create_registered_model(name)
    return [int(version.version) for version in mlflow.search_model_versions(f"name = '{name}'")]


def version_numbers(mlflow: "MlflowClient", home: Home, name: str) -> list[int]:
    """Returns the versions of one model of a tenant, newest first, without their runs."""
    return [int(version.version) for version in own_versions(mlflow, home, name)]


def versions(home: Home) -> list[Version]:
    """Lists all registered bundles, by name, newest first."""
    mlflow = client(home)
    registered = []
    for model in mlflow.search_registered_models():
        aliases = mlflow.get_registered_model(model.name).aliases
        for model_version in own_versions(mlflow, home, model.name):
            number = int(model_version.version)
            run = mlflow.get_run(str(model_version.run_id))
            decision = decision_of(home, model.name, number)
            registered.append(
                Version(
                    name=model.name,
                    version=number,
                    aliases=tuple(
                        alias
                        for alias in sorted((CHALLENGER, CHAMPION, SHADOW))
                        if str(aliases.get(alias_of(home, alias))) == str(number)
                    ),
                    created=datetime.fromtimestamp(model_version.creation_timestamp / 1_000, UTC),
                    metrics=dict(run.data.metrics),
                    present=(home.bundles(model.name) / str(number) / MANIFEST).is_file(),
                    may_serve=None if decision is None else decision.may_serve,
                    answer="" if decision is None else decision.answer,
                )
            )
    return sorted(registered, key=lambda model_version: (model_version.name, -model_version.version))


def remove(home: Home, name: str, version: int, artifacts: Sequence[Path] = ()) -> None:
    """Removes a version that does not serve: its files, then its entry in MLflow; repeated, it removes what is left.

    Args:
        home: the data folder.
        name: name of the model.
        version: the version.
        artifacts: folders of runs that hold its bundle.

    Raises:
        BundleError: it is the champion.
    """
    if champion_of(home, name) == version:
        raise BundleError(
            expected=f"a version of {name!r} that does not serve",
            found=f"its champion, {version}",
            next_command=f"refrain model demote {name}",
        )
    with translate_errors(home), registration_lock(home):
        for folder in (*artifacts, home.bundles(name) / str(version)):
            shutil.rmtree(folder, ignore_errors=True)
        mlflow = client(home)
        if version in version_numbers(mlflow, home, name):
            run_id = str(mlflow.get_model_version(name, str(version)).run_id)
            mlflow.delete_model_version(name, str(version))
            mlflow.delete_run(run_id)
