"""``MLPipeline``: the quick start, from a data source to promoted models that are watched."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from feature_repo import clock
from feature_repo.bundle import ALIASES
from feature_repo.command_line import PARENT, Progress, silent
from feature_repo.days import files_in
from feature_repo.errors import BundleError, InputError, StoreError
from feature_repo.forgotten import erasures_done
from feature_repo.home import IS_WORKING_COPY, REPOSITORY, Home
from feature_repo.project import PROJECT
from training import promotions, version_files
from training.deployment import Target, target
from training.deployment.container import PACKAGES
from training.mlflow_client import client
from training.mlflow_paths import ARTIFACTS
from training.models.base import FamilyModel, Model
from training.models.find import select
from training.pipeline import forgetting, triggers
from training.pipeline.digests import Digests, code, key, project_code
from training.pipeline.models import Outcome, in_order, run_model
from training.pipeline.stage import Stage, Stages

SIMULATED = ("simulate", "simulate-telemetry", "simulate-sound")


@dataclass(frozen=True)
class Run:
    """The result of one run of the pipeline.

    Attributes:
        experiment: name of the experiment.
        stages: stages in order, with their wall times.
        outcomes: training result of each model.
        deployed: model → version that serves because of this run.
        watched: status of each champion; empty if monitoring is off.
        mlflow_run: identifier of the run in MLflow.
    """

    experiment: str
    stages: tuple[Stage, ...]
    outcomes: tuple[Outcome, ...]
    deployed: dict[str, int]
    watched: tuple[triggers.ChampionStatus, ...]
    mlflow_run: str


@dataclass(frozen=True)
class MLPipeline:
    """All stages from raw data to serving.

    Attributes:
        data_source: ``simulate``; a format and a path, such as ``movielens:/data/ml-100k``; or None to use the data
            that the data folder has already.
        feature_store: the data folder; that of ``REFRAIN_HOME`` if None.
        model_registry: address of a second MLflow that also records the run; only the data folder's own if None.
        deployment_target: ``local`` for the servers on this data folder, ``container:PATH`` or ``kubernetes:PATH`` for
            a folder to build and apply, or None.
        models: names, families or ``all``.
        image_registry: registry of images for the last two targets, such as ``registry.example.org/music``.

    >>> pipeline = MLPipeline(data_source="simulate", deployment_target="local")
    >>> pipeline.run(experiment_name="nightly", auto_deploy=True, monitoring_enabled=True)  # doctest: +SKIP
    """

    data_source: str | None = None
    feature_store: str | Path | Home | None = None
    model_registry: str | None = None
    deployment_target: str | None = "local"
    models: Sequence[str] = field(default=("all",))
    image_registry: str = ""

    def run(
        self,
        experiment_name: str = "lifecycle",
        *,
        auto_deploy: bool = False,
        monitoring_enabled: bool = True,
        again: bool = False,
        progress: Progress = silent,
        say: Callable[[Stage], None] = lambda stage: None,
    ) -> Run:
        """Runs the stages that are not up to date. If nothing changed it does nothing; a killed run is resumed.

        Args:
            experiment_name: name of the experiment in MLflow.
            auto_deploy: whether to promote the versions that pass their gates.
            monitoring_enabled: whether to check the champions afterwards for age, volume, drift and decay.
            again: whether to run every stage in any case.
            progress: callback for the progress.
            say: callback for each finished stage.

        Raises:
            InputError: the data source or a model is unknown.
            StoreError: a stage failed; the results of earlier stages are kept.
        """
        home = self._home()
        chosen = {model.name: model for name in self.models for model in select(name, home)}
        models_to_train = in_order(list(chosen.values()))
        deploy_target = target(self.deployment_target, home, self.image_registry)
        stages = Stages(home, again=again, say=say)
        total = 5 + len(models_to_train)

        def step(note: str) -> None:
            progress(len(stages.done), total, note)

        step("ingest")
        self._ingest(home, stages)
        with clock.stopped(self._moment(home)):
            self._features(home, stages, step)
            outcomes: list[Outcome] = []
            deployed: dict[str, int] = {}
            features_stale = False
            for model in models_to_train:
                if features_stale and not model.feeds:  # features of promoted models come before their users
                    self._features(home, stages, step)
                    features_stale = False
                step(f"train {model.name}")
                outcome = self._train(home, stages, model, again)
                outcomes.append(outcome)
                if auto_deploy and outcome.version is not None:
                    reason = f"{experiment_name}: passed its gates"
                    message = promotions.promote_by_itself(home, model.name, outcome.version, outcome.decision, reason)
                    features_stale = features_stale or (bool(model.feeds) and message.startswith("promoted"))
                    if version_files.champion_of(home, model.name) == outcome.version:
                        deployed[model.name] = outcome.version
            if features_stale:
                self._features(home, stages, step)
            if erasures_done(home):
                same = {f"{each.model.name}:{each.version}" for each in outcomes if each.cached}
                stages.run("forget", "", lambda: forgetting.settle(home, same), always=True)
            step("deploy")
            self._deploy(home, stages, deploy_target)
            statuses: tuple[triggers.ChampionStatus, ...] = ()
            if monitoring_enabled:
                step("monitor")
                champion_statuses: list[triggers.ChampionStatus] = []
                stages.run(
                    "monitor",
                    "",
                    lambda: _add_statuses(champion_statuses, triggers.watch(home, models_to_train)),
                    always=True,
                )
                statuses = tuple(champion_statuses)
            mlflow_run = self._record(home, experiment_name, stages.done, outcomes, deployed, statuses)
            progress(total, total, "done")
            return Run(experiment_name, tuple(stages.done), tuple(outcomes), deployed, statuses, mlflow_run)

    def _moment(self, home: Home) -> datetime | None:
        """Returns the end of a simulated world, at which its clock stands still; None if the real clock counts."""
        is_simulated = self.data_source is not None and self.data_source.partition(":")[0] == "simulate"
        return clock.end_of_data(home) if is_simulated and clock.hint(home) else None

    def _home(self) -> Home:
        if isinstance(self.feature_store, Home):
            return self.feature_store
        if self.feature_store is None:
            return Home.from_env()
        return replace(Home.from_env(), root=Path(self.feature_store))

    def _ingest(self, home: Home, stages: Stages) -> None:
        if self.data_source is None:
            return
        kind, _, path = self.data_source.partition(":")
        if kind == "simulate":
            calls: list[tuple[str, ...]] = [(name,) for name in SIMULATED]
        elif path:
            calls = [("import", kind, str(Path(path).expanduser().absolute()))]
        else:
            raise InputError(
                expected="a data source: simulate, or FORMAT:PATH such as movielens:/data/ml-100k",
                found=repr(self.data_source),
                next_command="refrain import --help",
            )
        has_raw_data = any(files_in(folder) for folder in home.root.glob("raw/*/*"))
        stage_key = key(source=self.data_source, files=_list_files(Path(path)) if path else "seeded")
        stages.run("ingest", stage_key, lambda: _commands(home, calls), always=not has_raw_data)

    def _features(self, home: Home, stages: Stages, step: Callable[[str], None]) -> None:
        """Builds the features and applies the definitions, each by its own command, as a user would run it."""
        digests = Digests(home)
        raw = {folder.name: digests.raw(folder.name) for folder in sorted((home.root / "raw").glob("*"))}
        digests.save()
        feeding_models = {model.name for model in select("all", home) if model.feeds}
        feeding_champions = {name: text for name, text in _champions(home).items() if name in feeding_models}
        sources = code(("feature_repo", "transforms")) + project_code(home)
        # some rows depend on the date
        stage_key = key(raw=raw, code=sources, feeders=feeding_champions, day=str(clock.now().date()))
        step("features")
        stages.run("features", stage_key, lambda: _commands(home, [("build",)]))
        step("apply")
        contract_key = key(code=code(("feature_repo",)) + project_code(home))
        is_applied = home.manifest.is_file()
        stages.run("apply", contract_key, lambda: _commands(home, [("apply",)]), always=not is_applied)

    @staticmethod
    def _train(home: Home, stages: Stages, model: Model, again: bool) -> Outcome:
        outcomes: list[Outcome] = []

        def work() -> str:
            try:
                outcome = run_model(home, model, again=again)
            except (InputError, StoreError, BundleError) as error:
                outcome = Outcome(model, error=error)
            outcomes.append(outcome)
            if outcome.error is not None:
                return f"not trained: {outcome.error.expected}; found {outcome.error.found}"
            may_serve = outcome.decision is not None and outcome.decision.may_serve
            reasons = "" if may_serve or outcome.decision is None else f": {'; '.join(outcome.decision.reasons)}"
            suffix = " as before" if outcome.cached else ""
            return f"version {outcome.version}{suffix}, {'may serve' if may_serve else 'may not serve'}{reasons}"

        stages.run(f"train {model.name}", "", work, always=True)
        return outcomes[0]

    @staticmethod
    def _deploy(home: Home, stages: Stages, deploy_target: Target | None) -> None:
        champions, digests = _champions(home), Digests(home)
        all_models = select("all", home)
        written_views = {view for model in all_models for view in model.writes}  # derived from the champions
        folders = sorted(path for path in (home.root / "features").glob("*") if path.name not in written_views)
        tables = {folder.name: digests.view(folder.name) for folder in folders} | digests.sources()
        digests.save()
        has_forecasts = any(
            model.name in champions for model in all_models if isinstance(model, FamilyModel) and model.forecast
        )
        calls = [*([("model", "forecast")] if has_forecasts else []), ("materialize",)]
        sources = code((*PACKAGES, "training/deployment")) + project_code(home)
        day = str(clock.now().date())
        stage_key = key(champions=champions, tables=tables, target=str(deploy_target), code=sources, day=day)

        def work() -> str:
            output = _commands(home, calls)
            return output if deploy_target is None else f"{output}; {deploy_target.deploy(home, champions)}"

        stages.run("deploy", stage_key, work)

    def _record(
        self,
        home: Home,
        experiment: str,
        stages: Sequence[Stage],
        outcomes: Sequence[Outcome],
        deployed: dict[str, int],
        watched: Sequence[triggers.ChampionStatus],
    ) -> str:
        """Records the run in MLflow: parameters, seconds of each stage, figure of each model, and all as one file."""
        record = {
            "experiment": experiment,
            "at": datetime.now(UTC).isoformat(),
            "stages": [asdict(stage) for stage in stages],
            "models": {
                outcome.model.name: {
                    "version": outcome.version,
                    "cached": outcome.cached,
                    "metric": outcome.metric,
                    "figure": None if outcome.figure is None else asdict(outcome.figure),
                    "may_serve": outcome.decision.may_serve if outcome.decision else None,
                    "error": None if outcome.error is None else str(outcome.error),
                    "training_sets": version_files.lineage_of(home, outcome.model.name, outcome.version or 0).get(
                        "training_sets", []
                    ),
                }
                for outcome in outcomes
            },
            "deployed": deployed,
            "watched": [asdict(status) for status in watched],
        }
        clients = [client(home)]
        if self.model_registry:
            from mlflow import MlflowClient

            clients.append(MlflowClient(tracking_uri=self.model_registry, registry_uri=self.model_registry))
        artifact_folders = [str(home.mlflow / ARTIFACTS / experiment), None]
        runs = [
            _log(mlflow, artifact_folder, experiment, self, record)
            for mlflow, artifact_folder in zip(clients, artifact_folders, strict=False)
        ]
        return runs[0]


def _log(mlflow: Any, artifacts: str | None, experiment: str, pipeline: MLPipeline, record: dict[str, Any]) -> str:
    known_experiment = mlflow.get_experiment_by_name(experiment)
    experiment_id = (
        known_experiment.experiment_id
        if known_experiment
        else mlflow.create_experiment(experiment, artifact_location=artifacts)
    )
    run = mlflow.create_run(experiment_id, tags={"mlflow.runName": f"{experiment} {record['at'][:19]}"})
    for name in ("data_source", "deployment_target"):
        mlflow.log_param(run.info.run_id, name, getattr(pipeline, name))
    for stage in record["stages"]:
        mlflow.log_metric(run.info.run_id, f"seconds_{stage['name']}".replace(" ", "_"), stage["seconds"])
    for name, model in record["models"].items():
        if model["figure"]:
            mlflow.log_metric(run.info.run_id, f"{model['metric']}_{name}", model["figure"]["mean"])
    mlflow.log_dict(run.info.run_id, record, "run.json")
    mlflow.set_terminated(run.info.run_id)
    return str(run.info.run_id)


def _champions(home: Home) -> dict[str, str]:
    """Returns the content of each champion's alias file: model → text."""
    files = sorted(home.bundles("any").parent.glob(f"*/{ALIASES}"))
    promoted = [path for path in files if version_files.champion_of(home, path.parent.name) is not None]
    return {path.parent.name: path.read_text() for path in promoted}


def _add_statuses(statuses: list[triggers.ChampionStatus], watched: Sequence[triggers.ChampionStatus]) -> str:
    """Adds the checked champions to ``statuses``, and says which are due."""
    statuses.extend(watched)
    due = [status.model for status in watched if status.due]
    return f"{len(watched)} champions checked; {f'to train again: {chr(44).join(due)}' if due else 'none is due'}"


def _commands(home: Home, calls: Sequence[Sequence[str]]) -> str:
    """Runs commands of ``refrain`` on the data folder in order. Returns the last line of each.

    Raises:
        StoreError: a command failed; with its last error lines.
    """
    environment = {
        **os.environ,
        "REFRAIN_HOME": str(home.root),
        "REFRAIN_TENANT": home.tenant,
        PARENT: str(os.getpid()),
    }
    if home.project_folder is not None:  # otherwise searched from the working directory
        environment[PROJECT] = str(home.project_folder)
    folder = REPOSITORY if IS_WORKING_COPY else None  # the packages of a working copy may be nowhere on the path
    last_lines = []
    for call in calls:
        command = [sys.executable, "-W", "ignore", "-m", "refrain", *call]
        process = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
        if process.returncode:
            error_lines = [line for line in process.stderr.strip().splitlines() if line.strip()]
            raise StoreError(
                expected=f"'refrain {' '.join(call)}' to end well; what was done before it is kept",
                found=" | ".join(error_lines[-3:])[:500] or f"exit code {process.returncode}",
                next_command=f"refrain {' '.join(call)}",
            )
        last_lines.append((process.stdout.strip().splitlines() or [""])[-1])
    return "; ".join(last_lines)


def _list_files(path: Path) -> list[tuple[str, int, int]]:
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    return [(str(file.relative_to(path.parent)), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
