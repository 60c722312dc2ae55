"""Searches parameters with Optuna (Akiba et al. 2019), and compares the best with the default on the test.

A trial is evaluated on one past period after the other, each trained on the rows before it; a trial that is behind the
median after a period is pruned. The training set is pulled once (``training.models.problem``). Processes share it
(``shared_problem``) for the time of the search, and a study in SQLite, which the next search of the same problem
resumes. The test is used once, for the best trial and the default.
"""

import multiprocessing
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from feature_repo.child_process import end_with_parent
from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.temporary import temporary_folder
from feature_repo.urls import sqlite_url
from training.models.base import Model
from training.models.find import models
from training.models.problem import Problem
from training.pipeline.models import run_model
from training.threads import one_thread_each
from training.tuning.shared_problem import digest, with_arrays, without_arrays
from training.validation.bootstrap import Interval, interval

if TYPE_CHECKING:
    import optuna

FIT = "fit_seconds"
"""Attribute of a trial: seconds in fits and predictions."""
CHOICE = "parameters"
"""Attribute of a trial: parameters of the model's ``run``."""
STUDY = "study.db"


@dataclass(frozen=True)
class SearchResult:
    """The result of a search.

    Attributes:
        model: name of the model.
        trials: trials finished or pruned, by this search and earlier ones.
        pruned: trials that were pruned.
        parameters: parameters of the best trial.
        validation: mean loss of the best trial over the past periods.
        default: mean loss of the default over the past periods.
        gain: gain of the best over the default on the test, unit by unit.
        version: version registered from the best; None if it is no better.
        overhead: share of the trials' time outside of fits.
        seconds: wall time of the search.
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
        """Yields the result as lines for a terminal."""
        yield f"{self.trials} trials, {self.pruned} of them pruned; {self.seconds:.0f} s, {self.overhead:.1%} overhead"
        parameters = ", ".join(f"{name}={_format(value)}" for name, value in self.parameters.items())
        yield f"best on past periods: {parameters}: {self.validation:.5f}, the default {self.default:.5f}"
        yield f"on test: {self.gain.mean:+.5f} ({self.gain.low:+.5f} to {self.gain.high:+.5f}) better than the default"
        if self.version is None:
            yield "It does not beat the default on test: nothing is registered"
        else:
            yield f"registered: {self.model} {self.version}. Next: refrain model compare {self.model}"


def search(
    home: Home,
    name: str,
    *,
    minutes: float = 5.0,
    jobs: int = 2,
    learners: Sequence[str] = (),
    without: Sequence[str] = (),
    progress: Progress = silent,
) -> SearchResult:
    """Searches for so many minutes, and registers the best if it beats the default on the test.

    Args:
        home: the data folder.
        name: name of a model that has parameters to search.
        minutes: minutes of search after the training set is pulled.
        jobs: number of processes.
        learners: learners to search, for a model of rows; all if empty.
        without: features or views to leave out, for a model of rows.
        progress: callback for the seconds.

    Raises:
        InputError: there is nothing to search, no such learner, or there are too few past periods.
    """
    model = _model(home, name)
    problem = model.narrowed(learners=learners, without=without).problem(home, progress=progress)
    if not problem.folds:
        raise InputError(
            expected=f"past periods of {name} with both answers, to search on",
            found="none",
            next_command="refrain import FORMAT PATH  (events over more days)",
        )
    started = time.perf_counter()
    folder = home.pipeline / "searches" / name / digest(problem)
    folder.mkdir(parents=True, exist_ok=True)
    for pickled in folder.parent.glob("*/problem.joblib"):  # of searches before arrays were files of NumPy
        pickled.unlink(missing_ok=True)
    study = _study(folder)
    for parameters in problem.first:
        study.enqueue_trial(parameters, skip_if_exists=True)
    context = multiprocessing.get_context("spawn")
    with temporary_folder(folder) as arrays:
        arguments = (folder, without_arrays(problem, arrays), time.time() + 60 * minutes)
        workers = [context.Process(target=_work, args=(*arguments, number), daemon=True) for number in range(jobs)]
        with one_thread_each():  # processes inherit this environment
            for worker in workers:
                worker.start()
        while any(worker.is_alive() for worker in workers):
            time.sleep(0.2)
            progress(min(60 * minutes, time.perf_counter() - started), 60 * minutes, _note(study))
    if any(worker.exitcode for worker in workers):
        raise InputError(
            expected=f"{jobs} searching processes that end well",
            found=f"exit codes {[worker.exitcode for worker in workers]}; the trials so far are kept",
            next_command=f"refrain model tune {name} --jobs 1",
        )
    return _conclude(home, model, problem, study, started)


def _model(home: Home, name: str) -> Model:
    model = models(home).get(name)
    if model is None or not model.searchable:
        tunable = sorted(candidate.name for candidate in models(home).values() if candidate.searchable)
        raise InputError(
            expected=f"a model that has parameters to search, one of {tunable}",
            found=f"{name!r}, which chooses for itself on validation" if model else repr(name),
            next_command=f"refrain model tune {tunable[0]}" if tunable else "refrain model list --all",
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


def _work(folder: Path, shared: Problem, deadline: float, number: int) -> None:
    """Runs trials until the deadline, in one process."""
    end_with_parent()
    import optuna

    problem = with_arrays(shared)

    def objective(trial: optuna.Trial) -> float:
        parameters = problem.suggest(trial)
        trial.set_user_attr(CHOICE, parameters)
        losses, fit_seconds = [], 0.0
        for fold in range(problem.folds):
            started = time.perf_counter()
            losses.append(problem.loss(fold, parameters))
            fit_seconds += time.perf_counter() - started
            if fold + 1 < problem.folds:
                trial.report(float(np.mean(losses)), fold)
                if trial.should_prune():
                    trial.set_user_attr(FIT, fit_seconds)
                    raise optuna.TrialPruned
        trial.set_user_attr(FIT, fit_seconds)
        return float(np.mean(losses))

    _study(folder, seed=number).optimize(objective, timeout=max(deadline - time.time(), 0.1))


def _note(study: "optuna.Study") -> str:
    import optuna

    complete = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    best = min((trial.value for trial in complete if trial.value is not None), default=float("nan"))
    return f"{len(complete)} trials, best {best:.5f}"


def _conclude(home: Home, model: Model, problem: Problem, study: "optuna.Study", started: float) -> SearchResult:
    import optuna

    states = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    trials = study.get_trials(deepcopy=False, states=states)
    complete = [trial for trial in trials if trial.state == states[0]]
    if not complete:
        raise InputError(
            expected="time for one trial at the least",
            found=f"none of {len(trials)} was finished",
            next_command=f"refrain model tune {model.name} --minutes 10",
        )
    best = min(complete, key=lambda trial: float(trial.value or 0))
    parameters, default = best.user_attrs[CHOICE], problem.default
    default_trials = [trial for trial in complete if trial.user_attrs[CHOICE] == default]
    default_losses, clusters = problem.test(default)
    losses = default_losses if parameters == default else problem.test(parameters)[0]
    gain = interval(default_losses - losses, clusters)
    version = None
    if gain.mean > 0 and parameters != default:
        version = run_model(home, model, parameters=parameters).version
    fit_seconds = sum(float(trial.user_attrs.get(FIT, 0.0)) for trial in trials)
    total_seconds = sum(trial.duration.total_seconds() for trial in trials if trial.duration)
    return SearchResult(
        model.name,
        len(trials),
        len(trials) - len(complete),
        parameters,
        float(best.value or 0),
        float(default_trials[0].value or 0) if default_trials else float("nan"),
        gain,
        version,
        1 - fit_seconds / total_seconds if total_seconds else 0.0,
        time.perf_counter() - started,
    )


def _format(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
