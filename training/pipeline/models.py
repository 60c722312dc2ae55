"""Trains a model, a family or all, each only if its code, data or parameters have changed."""

import hashlib
import inspect
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, fields, is_dataclass
from functools import partial
from pathlib import Path
from typing import Any

from feature_repo.command_line import Progress, silent
from feature_repo.errors import BundleError, InputError, RefrainError, StoreError
from feature_repo.forgotten import erasures_done
from feature_repo.home import Home
from feature_repo.manifest import load_service
from feature_repo.purposes import CONSENTS
from feature_repo.store import open_store
from training.datasets.consent import people_left_out
from training.fairness.settings import check_names, settings_of
from training.models import find
from training.models.base import Model
from training.pipeline.digests import Digests, code, key, newest_event, project_code, rows
from training.pipeline.forgetting import clear_written
from training.promotions import promote
from training.registered_files import RUN
from training.registry import CHALLENGER, challenger_of, decide_again, trained_with
from training.threads import one_thread_each
from training.validation.bootstrap import Interval
from training.validation.gates import Decision
from training.version_files import evidence_of, lineage_of
from transforms.processes import worker_pool

PULLS = ("training set", "features")
"""Names of the stages in which models pull their training sets."""


@dataclass(frozen=True)
class Outcome:
    """The result of training one model.

    Attributes:
        model: the declaration that was trained.
        version: the registered version; None if it was not trained.
        cached: whether an earlier run with the same key is used.
        seconds: wall time of the run.
        stages: wall time in seconds by stage.
        metric: name of the metric.
        figure: figure of the model on the test.
        gain: gain over each baseline.
        decision: decision whether it may serve.
        error: error that kept it from being trained.
        lines: output of the run.
    """

    model: Model
    version: int | None = None
    cached: bool = False
    seconds: float = 0.0
    stages: Mapping[str, float] = field(default_factory=dict)
    metric: str = ""
    figure: Interval | None = None
    gain: Mapping[str, Interval] = field(default_factory=dict)
    decision: Decision | None = None
    error: RefrainError | None = None
    lines: tuple[str, ...] = ()

    @property
    def pull(self) -> float:
        """Seconds of pulling the training set."""
        return sum(seconds for stage, seconds in self.stages.items() if stage.endswith(PULLS))


def run_key(home: Home, model: Model, digests: Digests, parameters: Mapping[str, Any] | None = None) -> str:
    """Computes the key of a training run: digest of code, parameters, feature service, its tables and raw tables.

    Who is left out belongs to it, so that a model is trained anew after a withdrawal or a restriction. Views that
    training writes itself do not, as they follow from the rest.
    """
    # without a manifest the model itself raises the error
    services = {name: load_service(home, name) for name in model.services} if home.manifest.is_file() else {}
    views = {view.name for service in services.values() for view in service.views} - set(model.writes)
    return key(
        model=_declared(model),
        parameters=dict(parameters or {}),
        code=code() + project_code(home),
        services={name: service.fingerprint for name, service in services.items()},
        views={name: digests.view(name) for name in sorted(views)},
        raw={name: digests.raw(name) for name in sorted(model.raw)},
        **people_left_out(home, partial(digests.raw, CONSENTS)),
    )


def _declared(model: Model) -> dict[str, str]:
    """Describes a declaration: values by their repr, functions by the digest of their file, even outside Refrain."""
    return {attribute.name: _content(getattr(model, attribute.name)) for attribute in fields(model)}


def _content(value: Any) -> str:
    if is_dataclass(value):
        return repr({attribute.name: _content(getattr(value, attribute.name)) for attribute in fields(value)})
    source = inspect.getsourcefile(value) if inspect.isfunction(value) else None
    return hashlib.sha256(Path(source).read_bytes()).hexdigest() if source else repr(value)


def run_model(
    home: Home,
    model: Model,
    *,
    parameters: Mapping[str, Any] | None = None,
    again: bool = False,
    digests: Digests | None = None,
    progress: Progress = silent,
) -> Outcome:
    """Trains, measures, checks, decides on and registers one model, unless a version with the same key exists.

    Args:
        home: the data folder.
        model: the declaration.
        parameters: parameters that differ from its defaults.
        again: whether to train in any case.
        digests: digests of the data folder's files.
        progress: callback for the stages.

    Raises:
        RefrainError: it cannot be trained; nothing is registered.
    """
    started = time.perf_counter()
    check_names(home, {model.name, *find.models(home)})  # what a project declares is refused before hours of training
    settings_of(home, model.name)
    digests = digests or Digests(home)
    key_of_run = run_key(home, model, digests, parameters)
    digests.save()
    version = None if again else trained_with(home, model.name, key_of_run)
    stages: Mapping[str, float] = {}
    lines: tuple[str, ...] = ()
    cached = version is not None
    if version is not None:
        promote(home, model.name, version, alias=CHALLENGER)
    else:
        if home.manifest.is_file():
            open_store(home)  # import Feast here: it takes seconds, which would count as the first pull
        clear_written(home, model)
        newest_time = newest_event(home, model.raw)
        run = {
            "key": key_of_run,
            "parameters": dict(parameters or {}),
            "rows": {table: rows(home, table) for table in model.raw},
            "newest": newest_time and newest_time.isoformat(),
            "began": time.time(),
            "erasures": erasures_done(home),
        }
        token = RUN.set(run)
        try:
            result = model.run(home, parameters=parameters, progress=progress)
        finally:
            RUN.reset(token)
        version, stages, lines = result.version, result.seconds, tuple(result.lines())
    evidence = evidence_of(home, model.name, version)
    return Outcome(
        model,
        version,
        cached,
        time.perf_counter() - started,
        stages,
        evidence.metric if evidence else "",
        evidence.figure() if evidence else None,
        {baseline: evidence.gain(baseline) for baseline in evidence.baselines} if evidence else {},
        decide_again(home, model.name, version),
        lines=lines,
    )


def run_models(
    home: Home, models: Sequence[Model], *, again: bool = False, jobs: int = 1, progress: Progress = silent
) -> list[Outcome]:
    """Trains models in order, feeders first. A model without data gets an error, and the others go on.

    Args:
        home: the data folder.
        models: the declarations.
        again: whether to train in any case.
        jobs: number of processes; with more than one, each model has its own.
        progress: callback for the models at work.
    """
    ordered = in_order(models)
    if jobs > 1 and len(ordered) > 1:
        return _in_processes(home, ordered, again, jobs, progress)
    outcomes = []
    digests = Digests(home)
    for position, model in enumerate(ordered):
        progress(position, len(ordered), model.name)

        def report(
            done: float, total: float, note: str = "", *, position: int = position, name: str = model.name
        ) -> None:
            progress(position + done / max(total, 1), len(ordered), f"{name}: {note}")

        outcomes.append(_outcome(home, model, again, digests, report))
        progress(position + 1, len(ordered), model.name)
    return outcomes


def _outcome(
    home: Home, model: Model, again: bool, digests: Digests | None = None, progress: Progress = silent
) -> Outcome:
    """Trains one model, and returns its result or its error."""
    try:
        return run_model(home, model, again=again, digests=digests, progress=progress)
    except (InputError, StoreError, BundleError) as error:
        return Outcome(model, error=error)


def _outcome_of(home: Home, model: Model | str, again: bool) -> Outcome:
    """Trains one model in a worker process, by name if it is declared, as a declaration may not be picklable."""
    return _outcome(home, find.models(home)[model] if isinstance(model, str) else model, again)


def _in_processes(home: Home, ordered: Sequence[Model], again: bool, jobs: int, progress: Progress) -> list[Outcome]:
    """Trains models in processes, those with the longest last run first, so that none is left alone at the end."""
    seconds = {model.name: _expected_seconds(home, model) for model in ordered}
    declared = find.models(home)
    payloads = {model.name: model.name if declared.get(model.name) is model else model for model in ordered}
    with one_thread_each():  # processes inherit this environment
        outcomes = {} if again else _cached_outcomes(home, ordered)
        remaining = [model for model in ordered if model.name not in outcomes]
        for group in (
            [candidate for candidate in remaining if candidate.feeds],
            [candidate for candidate in remaining if not candidate.feeds],
        ):
            with worker_pool(jobs, tasks_per_child=1) as pool:
                started = {
                    pool.submit(_outcome_of, home, payloads[model.name], again): model
                    for model in sorted(group, key=lambda candidate: -seconds[candidate.name])
                }
                waiting = set(started)
                while waiting:
                    running = [started[future].name for future in waiting if future.running()]
                    progress(len(outcomes), len(ordered), ", ".join(running[:jobs]))
                    done, waiting = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
                    for future in done:
                        outcomes[started[future].name] = _result(future, started[future])
    return [outcomes[model.name] for model in ordered]


def _cached_outcomes(home: Home, models: Sequence[Model]) -> dict[str, Outcome]:
    """Returns the outcomes of models that need no process, as their key has not changed."""
    digests, outcomes = Digests(home), {}
    for model in models:
        try:
            key_of_run = run_key(home, model, digests)
        except StoreError:  # such as a missing service: the run itself raises it
            continue
        if trained_with(home, model.name, key_of_run) is not None:
            outcomes[model.name] = _outcome(home, model, False, digests)
    return outcomes


def _result(future: "Future[Outcome]", model: Model) -> Outcome:
    """Returns the result of a process, or the error that it died."""
    try:
        return future.result()
    except BrokenProcessPool:
        error = StoreError(
            expected=f"a process that trains {model.name} to its end",
            found="one was killed, as where memory runs out",
            next_command=f"refrain model run {model.name}",
        )
        return Outcome(model, error=error)


def _expected_seconds(home: Home, model: Model) -> float:
    """Seconds of the newest version's run; 60 if there is none."""
    newest_version = challenger_of(home, model.name)
    return float(lineage_of(home, model.name, newest_version).get("seconds", 60.0)) if newest_version else 60.0


def in_order(models: Sequence[Model]) -> list[Model]:
    """Orders models: those whose champions make features come before the others, otherwise as given."""
    feeders = [model for model in models if model.feeds]
    return [*feeders, *(model for model in models if not model.feeds)]
