"""MLflow on SQLite in the data folder: runs, registered bundles, and the aliases that say which one serves.

A bundle is registered when it passes the checks of every bundle (``training.checks``), with the decision whether it may
serve (``training.validation.gates``). Serving reads no MLflow: ``promote`` also writes ``aliases.json`` beside the
bundles, and ``promotions.jsonl``, which ``rollback`` goes back by.
"""

import fcntl
import json
import logging
import os
import shutil
import sqlite3
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from feature_repo.bundle import ALIASES, CHAMPION, MANIFEST
from feature_repo.errors import BundleError, StoreError
from feature_repo.home import Home
from feature_repo.urls import file_url, sqlite_url
from training.bundle import SAMPLE, BundleManifest, amend
from training.datasets.sample import Sample, kept, read
from training.mlflow_paths import ARTIFACTS, DATABASE, bring_home
from training.models.base import Gates
from training.validation.evidence import EVIDENCE, Evidence
from training.validation.gates import Decision, decide
from training.validation.training_data import looked_at

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHALLENGER, SHADOW = "challenger", "shadow"
DECISION = "decision.json"
"""Of a bundle: the gates it was put to."""
PROMOTIONS = "promotions.jsonl"
"""Beside the versions of a model: which was champion since when, and why."""
LINEAGE = "lineage.json"
"""Of a bundle: key of the run, and manifests of the training sets, with digests of what these were pulled from."""
RUN: ContextVar[Mapping[str, Any]] = ContextVar("RUN", default=MappingProxyType({}))
"""What whoever runs a model says of the run: its ``key`` and ``parameters``, ``rows`` of the raw tables; kept with its
lineage."""
REPORT = "report.html"
"""Of a bundle that has one: the run links it."""
_ARTIFACT = "bundle"
_WRITING = ".writing-"

_DRIVER = "sqlite+pysqlite"
"""SQLite, by a name under which MLflow does not make the folder of an address's text, escaped as it is there."""


@dataclass(frozen=True)
class Version:
    """One registered bundle."""

    name: str
    version: int
    aliases: tuple[str, ...]
    created: datetime
    metrics: dict[str, float]
    present: bool
    may_serve: bool | None = None


def client(home: Home) -> "MlflowClient":
    """MLflow's client on this data folder, wherever it lay when MLflow wrote its paths down."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    from mlflow import MlflowClient

    for chatty in ("alembic", "mlflow"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message="The ``noload`` loader strategy is deprecated")  # MLflow's own
    home.ensure().mlflow.mkdir(exist_ok=True)
    address = sqlite_url(home.mlflow / DATABASE, driver=_DRIVER)
    with _reachable(home):
        bring_home(home)
        return MlflowClient(tracking_uri=address, registry_uri=address)


@contextmanager
def _alone(home: Home) -> Iterator[None]:
    """One process registers at a time: versions are counted up, and SQLite takes one writer."""
    home.ensure().mlflow.mkdir(exist_ok=True)
    with (home.mlflow / ".registering").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def _reachable(home: Home) -> Iterator[None]:
    """An MLflow that cannot be reached is one clear error."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, sqlite3.DatabaseError) as error:
        told = str(error).partition("\n")[0]
        if not any(word in str(error).lower() for word in ("locked", "disk", "malformed", "not a database", "unable")):
            raise
        raise StoreError(
            expected=f"MLflow's database {home.mlflow / DATABASE}, free to be written",
            found=told[:200],
            next_command="stop what else writes it (lsof mlflow.db), or bring it back; then the same again",
        ) from error


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
) -> int:
    """Log a run with its bundle, register the bundle as the next version and give it the alias ``challenger``.

    Args:
        home: the data folder.
        name: of the model.
        parameters: of the run.
        metrics: of the run.
        write: puts the bundle of a given version number into a given folder.
        evidence: of its test, unit by unit; without it a person must say that it may serve.
        gates: that it is put to; those that the model declares if None.
        training_sets: that it learned from.

    Returns:
        The version.

    Raises:
        BundleError: the bundle fails a check; nothing is registered.
        StoreError: MLflow cannot be reached.
    """
    with _reachable(home), _alone(home):
        return _registered(home, name, parameters, metrics, write, evidence, gates or _gates(name), training_sets)


def _registered(
    home: Home,
    name: str,
    parameters: Mapping[str, Any],
    metrics: Mapping[str, float],
    write: Callable[[Path, int], BundleManifest],
    evidence: Evidence | None,
    gates: Gates,
    training_sets: Sequence[Sample],
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
        for left in home.bundles(name).glob(f"{_WRITING}*"):  # by one that was killed: one registers at a time
            shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=home.bundles(name), prefix=_WRITING) as scratch:
            folder = Path(scratch) / _ARTIFACT
            manifest = write(folder, version)
            decision = _decided(home, name, evidence, gates, training_sets)
            _complete(folder, manifest, evidence, decision, training_sets)
            check_bundle(folder, home)
            for key, told in _tags(manifest, decision, training_sets).items():
                mlflow.set_tag(run.info.run_id, key, told)
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


def _gates(name: str) -> Gates:
    """What the model of that name declares; the usual ones if nothing does."""
    from training.models.find import models

    model = models().get(name)
    return Gates() if model is None else model.gates


def _decided(
    home: Home, name: str, evidence: Evidence | None, gates: Gates, training_sets: Sequence[Sample]
) -> Decision:
    """Beside the champion, if there is one whose evidence is there."""
    version = champion_of(home, name)
    theirs = evidence_of(home, name, version) if version else None
    data = looked_at(training_sets, gates, learned_from(home, name, version) if version else None)
    return decide(evidence, gates, champion=theirs, version=version or 0, data=data)


def _complete(
    folder: Path,
    manifest: BundleManifest,
    evidence: Evidence | None,
    decision: Decision,
    training_sets: Sequence[Sample],
) -> None:
    """What every bundle has besides: evidence, decision, lineage, some rows of its training sets, and its card."""
    from training.card import CARD, draw

    began = RUN.get().get("began")
    took = {} if began is None else {"seconds": round(time.time() - began, 1)}
    lineage = [dict(one.manifest) for one in training_sets]
    told = {**RUN.get(), **took, "training_sets": lineage}
    files = {DECISION: decision.to_json().encode(), LINEAGE: json.dumps(told, indent=1).encode()}
    if evidence is not None:
        files[EVIDENCE] = evidence.to_bytes()
    if training_sets:
        files[SAMPLE] = kept(training_sets)
    files[CARD] = draw(folder, manifest, evidence, decision, lineage).encode()
    amend(folder, files)


def _tags(manifest: BundleManifest, decision: Decision, training_sets: Sequence[Sample]) -> dict[str, str]:
    """What a run says of where it came from."""
    return {
        "family": manifest.family,
        "feature_service": manifest.feature_service,
        "fingerprint": manifest.fingerprint,
        "training_set": manifest.training_set,
        "cutoff": manifest.cutoff,
        "code_revision": manifest.code_revision,
        "may_serve": str(decision.may_serve).lower(),
        "reasons": "; ".join(decision.reasons)[:4_000],
        "key": str(RUN.get().get("key", "")),
        "lineage": json.dumps([one.manifest.get("sources") for one in training_sets])[:4_000],
    }


def champion_of(home: Home, name: str) -> int | None:
    """Version that serves; None if none does."""
    try:
        return int(json.loads((home.bundles(name) / ALIASES).read_text())[CHAMPION])
    except (OSError, ValueError, KeyError):
        return None


def challenger_of(home: Home, name: str) -> int | None:
    """The version that was registered last; None if none was."""
    found = client(home).search_registered_models(f"name = '{name}'")
    return next((int(at) for model in found for alias, at in model.aliases.items() if alias == CHALLENGER), None)


def evidence_of(home: Home, name: str, version: int) -> Evidence | None:
    """What a version kept of its test; None where nothing is."""
    try:
        return Evidence.from_bytes((home.bundles(name) / str(version) / EVIDENCE).read_bytes())
    except (OSError, ValueError, KeyError):
        return None


def lineage_of(home: Home, name: str, version: int) -> dict[str, Any]:
    """Key of the run, rows of raw tables and training sets of a version; empty for one that kept none."""
    try:
        return dict(json.loads((home.bundles(name) / str(version) / LINEAGE).read_text()))
    except (OSError, ValueError):
        return {}


def learned_from(home: Home, name: str, version: int) -> dict[str, dict[str, np.ndarray]] | None:
    """Service → feature → values in some rows of what a version learned from; None where nothing is kept."""
    try:
        return read((home.bundles(name) / str(version) / SAMPLE).read_bytes())
    except (OSError, ValueError):
        return None


def trained_with(home: Home, name: str, key: str) -> int | None:
    """The version that a run with a key registered; None if none did."""
    if not home.bundles(name).is_dir():
        return None
    registered = set(_numbers(client(home), name))
    numbers = sorted((int(path.name) for path in home.bundles(name).iterdir() if path.name.isdigit()), reverse=True)
    for number in numbers:
        if number in registered and lineage_of(home, name, number).get("key") == key:
            return number
    return None


def decision_of(home: Home, name: str, version: int) -> Decision | None:
    """What was decided on a version; None for one that was registered without."""
    return Decision.read(home.bundles(name) / str(version) / DECISION)


def decide_again(home: Home, name: str, version: int) -> Decision | None:
    """The decision on a version beside the champion of now, where that was another when it was registered."""
    known, now = decision_of(home, name, version), champion_of(home, name)
    if known is None or now in (None, known.champion, version):
        return known
    data = [check for check in known.checks if check.of_data]
    theirs = evidence_of(home, name, now) if now else None
    return decide(evidence_of(home, name, version), _gates(name), champion=theirs, version=now or 0, data=data)


def promote_by_itself(home: Home, name: str, version: int, decision: Decision | None, reason: str) -> str:
    """Promote a version if it passed its gates and nobody went back from it; what was done, in words."""
    now = champion_of(home, name)
    if now == version:
        return f"kept {version}: it was trained of the same code and data"
    if decision is None or not decision.may_serve:
        told = "; ".join(decision.reasons) if decision else "nothing was decided"
        return f"kept {now}: version {version} may not serve: {told}"
    if version in rolled_back(home, name):
        return f"kept {now}: somebody went back from version {version}"
    promote(home, name, version, reason=reason)
    return f"promoted {version}"


def _create_registered_model(mlflow: "MlflowClient", name: str) -> list[int]:
    """Versions of the model so far, its entry made if there is none."""
    if not mlflow.search_registered_models(f"name = '{name}'"):
        mlflow.create_registered_model(name)
    return _numbers(mlflow, name)


def _numbers(mlflow: "MlflowClient", name: str) -> list[int]:
    """Versions of one model, newest first, without their runs."""
    return sorted((int(item.version) for item in mlflow.search_model_versions(f"name = '{name}'")), reverse=True)


def versions(home: Home) -> list[Version]:
    """All registered bundles, newest first."""
    mlflow = client(home)
    found = []
    for model in mlflow.search_registered_models():
        aliases = mlflow.get_registered_model(model.name).aliases
        for item in mlflow.search_model_versions(f"name = '{model.name}'"):
            number = int(item.version)
            run = mlflow.get_run(str(item.run_id))
            decision = decision_of(home, model.name, number)
            found.append(
                Version(
                    name=model.name,
                    version=number,
                    aliases=tuple(sorted(alias for alias, at in aliases.items() if int(at) == number)),
                    created=datetime.fromtimestamp(item.creation_timestamp / 1_000, UTC),
                    metrics=dict(run.data.metrics),
                    present=(home.bundles(model.name) / str(number) / MANIFEST).is_file(),
                    may_serve=None if decision is None else decision.may_serve,
                )
            )
    return sorted(found, key=lambda item: (item.name, -item.version))


def promote(
    home: Home,
    name: str,
    version: int | None = None,
    *,
    alias: str = CHAMPION,
    reason: str = "by hand",
    undoes: int | None = None,
) -> int:
    """Make a version the champion: the one that serves.

    Args:
        home: the data folder.
        name: of the model.
        version: the challenger's if None.
        alias: that it gets: ``champion``, ``challenger`` or ``shadow``.
        reason: kept with the promotion.
        undoes: version that is rolled back by this.

    Returns:
        The version.

    Raises:
        BundleError: there is no such version.
    """
    mlflow = client(home)
    known = _numbers(mlflow, name)
    chosen = version or challenger_of(home, name)
    if chosen not in known:
        raise BundleError(
            expected=f"a version of {name!r}, one of {known}",
            found=str(version or "no challenger"),
            next_command=f"python -m training run {name}  (python -m training list shows what there is)",
        )
    assert chosen is not None
    _restore(mlflow, home, name, chosen)
    mlflow.set_registered_model_alias(name, alias, str(chosen))
    if alias != CHAMPION:
        return chosen
    before = champion_of(home, name)
    folder = home.bundles(name)
    partial = folder / f".aliases.{os.getpid()}.tmp"
    partial.write_text(json.dumps({CHAMPION: chosen}) + "\n")
    partial.replace(folder / ALIASES)
    if before != chosen:
        told = {"version": chosen, "before": before, "at": datetime.now(UTC).isoformat(), "reason": reason}
        told |= {} if undoes is None else {"undoes": undoes}
        with (folder / PROMOTIONS).open("a") as file:
            file.write(json.dumps(told) + "\n")
    return chosen


def promotions(home: Home, name: str) -> list[dict[str, Any]]:
    """Which version was champion since when, and why; the newest last."""
    try:
        return [json.loads(line) for line in (home.bundles(name) / PROMOTIONS).read_text().splitlines() if line]
    except FileNotFoundError:
        return []


def rolled_back(home: Home, name: str) -> set[int]:
    """Versions that somebody went back from, and did not promote by hand since: nothing promotes them by itself."""
    found: set[int] = set()
    for told in promotions(home, name):
        found.discard(told["version"])
        if "undoes" in told:
            found.add(int(told["undoes"]))
    return found


def rollback(home: Home, name: str, *, reason: str = "rolled back by hand") -> int:
    """Make the version champion again that was it before; returns it.

    Raises:
        BundleError: none was.
    """
    now = champion_of(home, name)
    # a rollback undoes a promotion: going back twice goes back two
    undone: list[int] = []
    for told in promotions(home, name):
        if undone and told["version"] == undone[-1]:
            undone.pop()
        elif told["before"] is not None:
            undone.append(int(told["before"]))
    if now is None or not undone:
        raise BundleError(
            expected=f"a champion of {name!r} before the one that serves",
            found="none",
            next_command=f"python -m training promote {name} VERSION  (python -m training list shows what there is)",
        )
    return promote(home, name, undone[-1], reason=reason, undoes=now)


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
