"""Search parameters with Optuna (Akiba et al. 2019), and say what came of it on test.

A trial is asked about one past period after the other, each learned from what came before it; one that is behind the
median after a period is pruned. What is learned from is pulled once (``training.models.problem``); processes share it
and a study in SQLite, which the next search of the same goes on with. The test is looked at once, by the best of the
study and by the default.
"""

import multiprocessing
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.urls import sqlite_url
from training.models.base import Model
from training.models.find import models
from training.models.problem import Problem
from training.pipeline.models import run_model
from training.threads import one_thread_each
from training.validation.bootstrap import Interval, interval
from transforms.processes import end_with_parent

if TYPE_CHECKING:
    import optuna

FIT = "fit_seconds"
"""Of a trial: spent in fits and predictions alone."""
CHOICE = "parameters"
"""Of a trial: as the model's ``run`` takes them."""
PROBLEM, STUDY = "problem.joblib", "study.db"


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes:
        model: whose.
        trials: that were finished or pruned, of this search and those before it.
        pruned: of them.
        parameters: of the best.
        validation: its mean loss over the past periods.
        default: that of the model as it is declared.
        gain: of the best over the default on test, unit by unit.
        version: that was registered of it; None where it is no better.
        overhead: share of the trials' time that was not spent in fits.
        seconds: of the search.
    """

    model: str
    trials: int
    pruned: int
    parameters: dict[str, Any]
    validation: float
    default: float
    gain: Interval
    version: int | None
    overhead: float
    seconds: float

    def lines(self) -> Iterator[str]:
        """For a terminal."""
        yield f"{self.trials} trials, {self.pruned} of them pruned; {self.seconds:.0f} s, {self.overhead:.1%} overhead"
        told = ", ".join(f"{name}={_short(value)}" for name, value in self.parameters.items())
        yield f"best on past periods: {told}: {self.validation:.5f}, the default {self.default:.5f}"
        yield f"on test: {self.gain.mean:+.5f} ({self.gain.low:+.5f} to {self.gain.high:+.5f}) better than the default"
        if self.version is None:
            yield "It does not beat the default on test: nothing is registered"
        else:
            yield f"registered: {self.model} {self.version}. Next: python -m training compare {self.model}"


def search(
    home: Home,
    name: str,
    *,
    minutes: float = 5.0,
    jobs: int = 2,
    learners: Sequence[str] = (),
    without: Sequence[str] = (),
    progress: Progress = silent,
) -> Found:
    """Search for so many minutes, register the best if it beats the default on test.

    Args:
        home: the data folder.
        name: of a model that has parameters to search.
        minutes: to search, from when its training set is pulled.
        jobs: processes.
        learners: among which, for a model of rows; all if empty.
        without: features or views that such a model does not eat.
        progress: told of seconds.

    Raises:
        InputError: it has nothing to search, there is no such learner, or there are too few past periods.
    """
    import joblib

    model = _model(name)
    problem = model.narrowed(learners=learners, without=without).problem(home, progress=progress)
    if not problem.folds:
        raise InputError(
            expected=f"past periods of {name} with both answers, to search on",
            found="none",
            next_command="python -m transforms import FORMAT PATH  (events over more days)",
        )
    started = time.perf_counter()
    folder = home.pipeline / "searches" / name / joblib.hash(problem)[:16]
    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(problem, folder / PROBLEM)
    study = _study(folder)
    for told in problem.first:
        study.enqueue_trial(told, skip_if_exists=True)
    context = multiprocessing.get_context("spawn")
    call = (folder, time.time() + 60 * minutes)
    workers = [context.Process(target=_work, args=(*call, number), daemon=True) for number in range(jobs)]
    with one_thread_each():  # processes take over what this one's environment says
        for worker in workers:
            worker.start()
    while any(worker.is_alive() for worker in workers):
        time.sleep(0.2)
        progress(min(60 * minutes, time.perf_counter() - started), 60 * minutes, _note(study))
    if any(worker.exitcode for worker in workers):
        raise InputError(
            expected=f"{jobs} searching processes that end well",
            found=f"exit codes {[worker.exitcode for worker in workers]}; the trials so far are kept",
            next_command=f"python -m training tune {name} --jobs 1",
        )
    return _conclude(home, model, problem, study, started)


def _model(name: str) -> Model:
    model = models().get(name)
    if model is None or not model.searchable:
        tunable = sorted(one.name for one in models().values() if one.searchable)
        raise InputError(
            expected=f"a model that has parameters to search, one of {tunable}",
            found=f"{name!r}, which chooses for itself on validation" if model else repr(name),
            next_command=f"python -m training tune {tunable[0]}" if tunable else "python -m training list --all",
        )
    return model


def _study(folder: Path, seed: int = 0) -> "optuna.Study":
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = optuna.storages.RDBStorage(sqlite_url(folder / STUDY), engine_kwargs={"connect_args": {"timeout": 60}})
    return optuna.create_study(
        study_name="search",
        storage=storage,
        load_if_exists=True,
        direction="minimize",
        sampler=optuna.samplers.TPESampler(seed=seed, constant_liar=True),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=8, n_warmup_steps=0),
    )


def _work(folder: Path, deadline: float, number: int) -> None:
    """One process: trials until the deadline."""
    end_with_parent()
    import joblib
    import optuna

    problem: Problem = joblib.load(folder / PROBLEM, mmap_mode="r")  # arrays are mapped, not copied

    def objective(trial: optuna.Trial) -> float:
        parameters = problem.suggest(trial)
        trial.set_user_attr(CHOICE, parameters)
        losses, spent = [], 0.0
        for fold in range(problem.folds):
            began = time.perf_counter()
            losses.append(problem.loss(fold, parameters))
            spent += time.perf_counter() - began
            if fold + 1 < problem.folds:
                trial.report(float(np.mean(losses)), fold)
                if trial.should_prune():
                    trial.set_user_attr(FIT, spent)
                    raise optuna.TrialPruned
        trial.set_user_attr(FIT, spent)
        return float(np.mean(losses))

    _study(folder, seed=number).optimize(objective, timeout=max(deadline - time.time(), 0.1))


def _note(study: "optuna.Study") -> str:
    import optuna

    done = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    best = min((one.value for one in done if one.value is not None), default=float("nan"))
    return f"{len(done)} trials, best {best:.5f}"


def _conclude(home: Home, model: Model, problem: Problem, study: "optuna.Study", started: float) -> Found:
    import optuna

    states = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    trials = study.get_trials(deepcopy=False, states=states)
    complete = [one for one in trials if one.state == states[0]]
    if not complete:
        raise InputError(
            expected="time for one trial at the least",
            found=f"none of {len(trials)} was finished",
            next_command=f"python -m training tune {model.name} --minutes 10",
        )
    best = min(complete, key=lambda one: float(one.value or 0))
    parameters, default = best.user_attrs[CHOICE], problem.default
    own = [one for one in complete if one.user_attrs[CHOICE] == default]
    theirs, clusters = problem.test(default)
    mine = theirs if parameters == default else problem.test(parameters)[0]
    gain = interval(theirs - mine, clusters)
    version = None
    if gain.mean > 0 and parameters != default:
        version = run_model(home, model, parameters=parameters).version
    spent = sum(float(one.user_attrs.get(FIT, 0.0)) for one in trials)
    whole = sum(one.duration.total_seconds() for one in trials if one.duration)
    return Found(
        model.name,
        len(trials),
        len(trials) - len(complete),
        parameters,
        float(best.value or 0),
        float(own[0].value or 0) if own else float("nan"),
        gain,
        version,
        1 - spent / whole if whole else 0.0,
        time.perf_counter() - started,
    )


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
