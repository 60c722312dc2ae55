"""``MLPipeline``: the quick start, from a data source to promoted models that are watched."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from feature_repo import clock
from feature_repo.bundle import ALIASES
from feature_repo.command_line import PARENT, Progress, silent
from feature_repo.days import files_in
from feature_repo.errors import BundleError, InputError, StoreError
from feature_repo.home import REPOSITORY, Home
from training import registry
from training.deployment import Target, target
from training.mlflow_paths import ARTIFACTS
from training.models.base import FamilyModel, Model
from training.models.find import named
from training.pipeline import triggers
from training.pipeline.digests import Digests, code, key
from training.pipeline.models import Outcome, in_order, run_model
from training.pipeline.stage import Stage, Stages

SIMULATED = ("simulate", "simulate-telemetry", "simulate-sound")


@dataclass(frozen=True)
class Run:
    """What a run of the pipeline did.

    Attributes:
        experiment: its name.
        stages: in order, with seconds.
        outcomes: of each model.
        deployed: model → version that serves now because of it.
        watched: what the triggers say of each champion; empty where monitoring is off.
        mlflow_run: identifier of its record.
    """

    experiment: str
    stages: tuple[Stage, ...]
    outcomes: tuple[Outcome, ...]
    deployed: dict[str, int]
    watched: tuple[triggers.Watched, ...]
    mlflow_run: str


@dataclass(frozen=True)
class MLPipeline:
    """All stages from raw data to serving.

    Attributes:
        data_source: ``simulate``; a format and a path, such as ``movielens:/data/ml-100k``; or None for what the data
            folder holds already.
        feature_store: the data folder; that of ``REFRAIN_HOME`` if None.
        model_registry: address of the MLflow that the record of the run goes to, too; that of the data folder alone if
            None.
        deployment_target: ``local`` for the servers on this data folder, ``container:PATH`` or ``kubernetes:PATH`` for
            a folder to build and apply, or None.
        models: names, families or ``all``.

    >>> pipeline = MLPipeline(data_source="simulate", deployment_target="local")
    >>> pipeline.run(experiment_name="nightly", auto_deploy=True, monitoring_enabled=True)  # doctest: +SKIP
    """

    data_source: str | None = None
    feature_store: str | Path | Home | None = None
    model_registry: str | None = None
    deployment_target: str | None = "local"
    models: Sequence[str] = field(default=("all",))

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
        """Do what is left to do: a second run with nothing changed does nothing, a killed one is gone on with.

        Args:
            experiment_name: of the record in MLflow.
            auto_deploy: promote what passes its gates.
            monitoring_enabled: look at the champions afterwards: age, volume, drift and decay.
            again: do every stage in any case.
            progress: told how far it has come.
            say: told of each stage that ends.

        Raises:
            InputError: the data source or a model is unknown.
            StoreError: a stage failed; what was done before it is kept.
        """
        home = self._home()
        chosen = in_order(list({model.name: model for what in self.models for model in named(what)}.values()))
        where = target(self.deployment_target, home)
        stages = Stages(home, again=again, say=say)
        total = 5 + len(chosen)

        def step(note: str) -> None:
            progress(len(stages.done), total, note)

        step("ingest")
        self._ingest(home, stages)
        with clock.stopped(self._moment(home)):
            self._features(home, stages, step)
            outcomes: list[Outcome] = []
            deployed: dict[str, int] = {}
            fed = False
            for model in chosen:
                if fed and not model.feeds:  # what the promoted feeders make is there before anybody eats it
                    self._features(home, stages, step)
                    fed = False
                step(f"train {model.name}")
                outcome = self._train(home, stages, model, again)
                outcomes.append(outcome)
                if auto_deploy and outcome.version is not None:
                    why = f"{experiment_name}: passed its gates"
                    told = registry.promote_by_itself(home, model.name, outcome.version, outcome.decision, why)
                    fed = fed or (bool(model.feeds) and told.startswith("promoted"))
                    if registry.champion_of(home, model.name) == outcome.version:
                        deployed[model.name] = outcome.version
            if fed:
                self._features(home, stages, step)
            step("deploy")
            self._deploy(home, stages, where)
            watched: tuple[triggers.Watched, ...] = ()
            if monitoring_enabled:
                step("monitor")
                found: list[triggers.Watched] = []
                stages.run("monitor", "", lambda: _told(found, triggers.watch(home, chosen)), always=True)
                watched = tuple(found)
            recorded = self._record(home, experiment_name, stages.done, outcomes, deployed, watched)
            progress(total, total, "done")
            return Run(experiment_name, tuple(stages.done), tuple(outcomes), deployed, watched, recorded)

    def _moment(self, home: Home) -> datetime | None:
        """The end of a simulated world, where its time stands; None where the clock counts."""
        is_simulated = self.data_source is not None and self.data_source.partition(":")[0] == "simulate"
        return clock.end_of_data(home) if is_simulated and clock.hint(home) else None

    def _home(self) -> Home:
        if isinstance(self.feature_store, Home):
            return self.feature_store
        if self.feature_store is None:
            return Home.from_env()
        return Home(Path(self.feature_store), Home.from_env().tenant)

    def _ingest(self, home: Home, stages: Stages) -> None:
        if self.data_source is None:
            return
        kind, _, path = self.data_source.partition(":")
        if kind == "simulate":
            calls: list[tuple[str, ...]] = [("transforms", name) for name in SIMULATED]
        elif path:
            calls = [("transforms", "import", kind, str(Path(path).expanduser().absolute()))]
        else:
            raise InputError(
                expected="a data source: simulate, or FORMAT:PATH such as movielens:/data/ml-100k",
                found=repr(self.data_source),
                next_command="python -m transforms import --help",
            )
        there = any(files_in(folder) for folder in home.root.glob("raw/*/*"))
        made_of = key(source=self.data_source, files=_listing(Path(path)) if path else "seeded")
        stages.run("ingest", made_of, lambda: _commands(home, calls), always=not there)

    def _features(self, home: Home, stages: Stages, step: Callable[[str], None]) -> None:
        """Build, apply: each a command of its own, as a person would type it."""
        digests = Digests(home)
        raw = {folder.name: digests.raw(folder.name) for folder in sorted((home.root / "raw").glob("*"))}
        digests.save()
        feeding = {model.name for model in named("all") if model.feeds}
        feeders = {name: text for name, text in _champions(home).items() if name in feeding}
        sources = code(("feature_repo", "transforms"))
        made_of = key(raw=raw, code=sources, feeders=feeders, day=str(clock.now().date()))  # rows fall due by the clock
        step("features")
        stages.run("features", made_of, lambda: _commands(home, [("transforms", "build")]))
        step("apply")
        contract, there = key(code=code(("feature_repo",))), home.manifest.is_file()
        stages.run("apply", contract, lambda: _commands(home, [("feature_repo", "apply")]), always=not there)

    @staticmethod
    def _train(home: Home, stages: Stages, model: Model, again: bool) -> Outcome:
        found: list[Outcome] = []

        def work() -> str:
            try:
                outcome = run_model(home, model, again=again)
            except (InputError, StoreError, BundleError) as error:
                outcome = Outcome(model, error=error)
            found.append(outcome)
            if outcome.error is not None:
                return f"not trained: {outcome.error.expected}; found {outcome.error.found}"
            serve = outcome.decision is not None and outcome.decision.may_serve
            reasons = "" if serve or outcome.decision is None else f": {'; '.join(outcome.decision.reasons)}"
            kept = " as before" if outcome.cached else ""
            return f"version {outcome.version}{kept}, {'may serve' if serve else 'may not serve'}{reasons}"

        stages.run(f"train {model.name}", "", work, always=True)
        return found[0]

    @staticmethod
    def _deploy(home: Home, stages: Stages, where: Target | None) -> None:
        champions, digests = _champions(home), Digests(home)
        every = named("all")
        written = {view for model in every for view in model.writes}  # these follow from the champions
        folders = sorted(path for path in (home.root / "features").glob("*") if path.name not in written)
        tables = {folder.name: digests.view(folder.name) for folder in folders}
        digests.save()
        speaks = any(model.name in champions for model in every if isinstance(model, FamilyModel) and model.forecast)
        calls = [*([("training", "forecast")] if speaks else []), ("feature_repo", "materialize")]
        sources, day = code(("feature_repo",)), str(clock.now().date())
        made_of = key(champions=champions, tables=tables, target=str(where), code=sources, day=day)

        def work() -> str:
            told = _commands(home, calls)
            return told if where is None else f"{told}; {where.deploy(home, champions)}"

        stages.run("deploy", made_of, work)

    def _record(
        self,
        home: Home,
        experiment: str,
        stages: Sequence[Stage],
        outcomes: Sequence[Outcome],
        deployed: dict[str, int],
        watched: Sequence[triggers.Watched],
    ) -> str:
        """One run in MLflow: parameters, seconds of each stage, figure of each model, and all of it as a file."""
        told = {
            "experiment": experiment,
            "at": datetime.now(UTC).isoformat(),
            "stages": [asdict(stage) for stage in stages],
            "models": {
                one.model.name: {
                    "version": one.version,
                    "cached": one.cached,
                    "metric": one.metric,
                    "figure": None if one.figure is None else asdict(one.figure),
                    "may_serve": one.decision.may_serve if one.decision else None,
                    "error": None if one.error is None else str(one.error),
                    "training_sets": registry.lineage_of(home, one.model.name, one.version or 0).get(
                        "training_sets", []
                    ),
                }
                for one in outcomes
            },
            "deployed": deployed,
            "watched": [asdict(one) for one in watched],
        }
        clients = [registry.client(home)]
        if self.model_registry:
            from mlflow import MlflowClient

            clients.append(MlflowClient(tracking_uri=self.model_registry, registry_uri=self.model_registry))
        places = [str(home.mlflow / ARTIFACTS / experiment), None]
        runs = [_log(mlflow, place, experiment, self, told) for mlflow, place in zip(clients, places, strict=False)]
        return runs[0]


def _log(mlflow: Any, artifacts: str | None, experiment: str, pipeline: MLPipeline, told: dict[str, Any]) -> str:
    known = mlflow.get_experiment_by_name(experiment)
    number = known.experiment_id if known else mlflow.create_experiment(experiment, artifact_location=artifacts)
    run = mlflow.create_run(number, tags={"mlflow.runName": f"{experiment} {told['at'][:19]}"})
    for name in ("data_source", "deployment_target"):
        mlflow.log_param(run.info.run_id, name, getattr(pipeline, name))
    for stage in told["stages"]:
        mlflow.log_metric(run.info.run_id, f"seconds_{stage['name']}".replace(" ", "_"), stage["seconds"])
    for name, model in told["models"].items():
        if model["figure"]:
            mlflow.log_metric(run.info.run_id, f"{model['metric']}_{name}", model["figure"]["mean"])
    mlflow.log_dict(run.info.run_id, told, "run.json")
    mlflow.set_terminated(run.info.run_id)
    return str(run.info.run_id)


def _champions(home: Home) -> dict[str, str]:
    """Model → its aliases, as they are written."""
    return {path.parent.name: path.read_text() for path in sorted(home.bundles("any").parent.glob(f"*/{ALIASES}"))}


def _told(found: list[triggers.Watched], watched: Sequence[triggers.Watched]) -> str:
    found.extend(watched)
    due = [one.model for one in watched if one.due]
    return f"{len(watched)} champions looked at; {f'to train again: {chr(44).join(due)}' if due else 'none is due'}"


def _commands(home: Home, calls: Sequence[Sequence[str]]) -> str:
    """Run ``python -m …`` on the data folder, one after the other; the last line that each says.

    Raises:
        StoreError: one failed; what it said.
    """
    environment = {
        **os.environ,
        "REFRAIN_HOME": str(home.root),
        "REFRAIN_TENANT": home.tenant,
        PARENT: str(os.getpid()),
    }
    told = []
    for call in calls:
        command = [sys.executable, "-W", "ignore", "-m", *call]
        done = subprocess.run(command, env=environment, cwd=REPOSITORY, capture_output=True, text=True, check=False)
        if done.returncode:
            said = [line for line in done.stderr.strip().splitlines() if line.strip()]
            raise StoreError(
                expected=f"'python -m {' '.join(call)}' to end well; what was done before it is kept",
                found=" | ".join(said[-3:])[:500] or f"exit code {done.returncode}",
                next_command=f"python -m {' '.join(call)}",
            )
        told.append((done.stdout.strip().splitlines() or [""])[-1])
    return "; ".join(told)


def _listing(path: Path) -> list[tuple[str, int, int]]:
    files = [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.is_file())
    return [(str(one.relative_to(path.parent)), one.stat().st_size, one.stat().st_mtime_ns) for one in files]
