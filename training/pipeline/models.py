"""Train a model, a family or all, each only where something that it is made of has changed."""

import hashlib
import inspect
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

from feature_repo.command_line import Progress, silent
from feature_repo.errors import BundleError, InputError, RefrainError, StoreError
from feature_repo.home import Home
from feature_repo.manifest import load_service
from feature_repo.store import open_store
from training.models import find
from training.models.base import Model
from training.pipeline.digests import Digests, code, key, newest_event, rows
from training.registry import (
    CHALLENGER,
    RUN,
    challenger_of,
    decide_again,
    evidence_of,
    lineage_of,
    promote,
    trained_with,
)
from training.threads import one_thread_each
from training.validation.bootstrap import Interval
from training.validation.gates import Decision
from transforms.processes import worker_pool

PULLS = ("training set", "features")
"""Stages in which models pull their training sets."""


@dataclass(frozen=True)
class Outcome:
    """Of one model.

    Attributes:
        model: which.
        version: registered; None if it was not trained.
        cached: whether an earlier run had trained it of the same.
        seconds: that it took.
        stages: seconds by stage, of this run.
        metric: what was measured.
        figure: of the model on test.
        gain: over each baseline.
        decision: whether it may serve.
        error: why it was not trained.
        lines: what the run told.
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
        """Seconds in which the training set was pulled."""
        return sum(seconds for stage, seconds in self.stages.items() if stage.endswith(PULLS))


def run_key(home: Home, model: Model, digests: Digests, parameters: Mapping[str, Any] | None = None) -> str:
    """Of everything that a model is made of: code, parameters, feature service, its tables and raw tables.

    Views that training writes itself are left out, as they follow from the rest.
    """
    # without a contract the model itself says what is missing first
    services = {name: load_service(home, name) for name in model.services} if home.manifest.is_file() else {}
    views = {view.name for service in services.values() for view in service.views} - set(model.writes)
    return key(
        model=_declared(model),
        parameters=dict(parameters or {}),
        code=code(),
        services={name: service.fingerprint for name, service in services.items()},
        views={name: digests.view(name) for name in sorted(views)},
        raw={name: digests.raw(name) for name in sorted(model.raw)},
    )


def _declared(model: Model) -> dict[str, str]:
    """What its file says: values as they are, functions by the file that they stand in, which need not be ours."""
    return {part.name: _told(getattr(model, part.name)) for part in fields(model)}


def _told(value: Any) -> str:
    if is_dataclass(value):
        return repr({part.name: _told(getattr(value, part.name)) for part in fields(value)})
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
    """Train, measure, check, decide on and register one model, unless a version of the same is there.

    Args:
        home: the data folder.
        model: which.
        parameters: that differ from its defaults.
        again: train in any case.
        digests: of the data folder's files.
        progress: told of its stages.

    Raises:
        RefrainError: it cannot be trained; nothing is registered.
    """
    started = time.perf_counter()
    digests = digests or Digests(home)
    made_of = run_key(home, model, digests, parameters)
    digests.save()
    version = None if again else trained_with(home, model.name, made_of)
    stages: Mapping[str, float] = {}
    lines: tuple[str, ...] = ()
    cached = version is not None
    if version is not None:
        promote(home, model.name, version, alias=CHALLENGER)
    else:
        if home.manifest.is_file():
            open_store(home)  # Feast takes seconds to import, whoever pulls first
        newest = newest_event(home, model.raw)
        of_run = {
            "key": made_of,
            "parameters": dict(parameters or {}),
            "rows": {table: rows(home, table) for table in model.raw},
            "newest": newest and newest.isoformat(),
            "began": time.time(),
        }
        token = RUN.set(of_run)
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
        {who: evidence.gain(who) for who in evidence.baselines} if evidence else {},
        decide_again(home, model.name, version),
        lines=lines,
    )


def run_models(
    home: Home, models: Sequence[Model], *, again: bool = False, jobs: int = 1, progress: Progress = silent
) -> list[Outcome]:
    """Each in order, those that feed others first; one whose data are not there is told, and the others go on.

    Args:
        home: the data folder.
        models: which.
        again: train in any case.
        jobs: processes; with more than one, each model has one of its own.
        progress: told which are at work.
    """
    ordered = in_order(models)
    if jobs > 1 and len(ordered) > 1:
        return _in_processes(home, ordered, again, jobs, progress)
    outcomes = []
    digests = Digests(home)
    for place, model in enumerate(ordered):
        progress(place, len(ordered), model.name)

        def tell(done: float, total: float, note: str = "", *, place: int = place, name: str = model.name) -> None:
            progress(place + done / max(total, 1), len(ordered), f"{name}: {note}")

        outcomes.append(_outcome(home, model, again, digests, tell))
        progress(place + 1, len(ordered), model.name)
    return outcomes


def _outcome(
    home: Home, model: Model, again: bool, digests: Digests | None = None, progress: Progress = silent
) -> Outcome:
    """Of one model, or why there is none."""
    try:
        return run_model(home, model, again=again, digests=digests, progress=progress)
    except (InputError, StoreError, BundleError) as error:
        return Outcome(model, error=error)


def _outcome_of(home: Home, what: Model | str, again: bool) -> Outcome:
    """In a process of its own, which finds a model by its name: what it declares need not be fit to be sent."""
    return _outcome(home, find.models()[what] if isinstance(what, str) else what, again)


def _in_processes(home: Home, ordered: Sequence[Model], again: bool, jobs: int, progress: Progress) -> list[Outcome]:
    """The longest of the last run first, so that no process is left with one at the end."""
    seconds = {model.name: _took(home, model) for model in ordered}
    known = find.models()
    sent = {model.name: model.name if known.get(model.name) is model else model for model in ordered}
    with one_thread_each():  # processes take over what this one's environment says
        found = {} if again else _as_before(home, ordered)
        left = [model for model in ordered if model.name not in found]
        for part in ([one for one in left if one.feeds], [one for one in left if not one.feeds]):
            with worker_pool(jobs, tasks_per_child=1) as pool:
                started = {
                    pool.submit(_outcome_of, home, sent[model.name], again): model
                    for model in sorted(part, key=lambda one: -seconds[one.name])
                }
                waiting = set(started)
                while waiting:
                    running = [started[one].name for one in waiting if one.running()]
                    progress(len(found), len(ordered), ", ".join(running[:jobs]))
                    done, waiting = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
                    for one in done:
                        found[started[one].name] = _result(one, started[one])
    return [found[model.name] for model in ordered]


def _as_before(home: Home, models: Sequence[Model]) -> dict[str, Outcome]:
    """Of those that are registered of the same code and data: no process needs to start for them."""
    digests, found = Digests(home), {}
    for model in models:
        try:
            made_of = run_key(home, model, digests)
        except StoreError:  # such as a service that is gone: the run itself will tell
            continue
        if trained_with(home, model.name, made_of) is not None:
            found[model.name] = _outcome(home, model, False, digests)
    return found


def _result(ended: "Future[Outcome]", model: Model) -> Outcome:
    """What a process found, or that it died of it."""
    try:
        return ended.result()
    except BrokenProcessPool:
        error = StoreError(
            expected=f"a process that trains {model.name} to its end",
            found="one was killed, as where memory runs out",
            next_command=f"python -m training run {model.name}",
        )
        return Outcome(model, error=error)


def _took(home: Home, model: Model) -> float:
    """Seconds of the newest version's run; many for one that never was."""
    newest = challenger_of(home, model.name)
    return float(lineage_of(home, model.name, newest).get("seconds", 60.0)) if newest else 60.0


def in_order(models: Sequence[Model]) -> list[Model]:
    """Models whose champions make features come before those that eat them; else as they are given."""
    feeders = [model for model in models if model.feeds]
    return [*feeders, *(model for model in models if not model.feeds)]
