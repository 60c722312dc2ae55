"""Search learners and parameters with Optuna (Akiba et al. 2019), and say what came of it on test.

Trials are asked about consecutive past periods, each learned from what came before it (``cross_validation.forward``);
a trial that is behind the median after a period is pruned. The rows are pulled once; processes share them and a study
in SQLite, which the next search of the same rows goes on with. The test is looked at once, by the best of the study and
by the default.
"""

import json
import multiprocessing
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from feature_repo.home import Home
from training.estimators import LEARNERS
from training.estimators import learner as find_learner
from training.models.find import models
from training.models.tabular import TabularModel
from training.pipeline.digests import key
from training.pipeline.models import run_model
from training.validation.bootstrap import Interval, interval
from transforms.tabular.layout import Layout

if TYPE_CHECKING:
    import optuna

FIT = "fit_seconds"
"""Of a trial: spent in fits and predictions alone."""


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes:
        model: whose.
        trials: that were finished or pruned, of this search and those before it.
        pruned: of them.
        learner: of the best.
        parameters: of the best.
        validation: its mean loss over the past periods.
        default: that of the model as it is declared.
        gain: of the best over the default on test, row by row.
        version: that was registered of it; None where it is no better.
        overhead: share of the trials' time that was not spent in fits.
        seconds: of the search.
    """

    model: str
    trials: int
    pruned: int
    learner: str
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
        yield f"best on past periods: {self.learner} with {told}: {self.validation:.5f}, the default {self.default:.5f}"
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
        name: of a model of rows.
        minutes: to search.
        jobs: processes.
        learners: among which; all if empty.
        without: features or views that the model does not eat.
        progress: told of seconds.

    Raises:
        InputError: it is no model of rows, there is no such learner, or there are too few past periods.
    """
    started = time.perf_counter()
    model = _model(name).leaving_out(without)
    among = tuple(learners) or tuple(LEARNERS)
    for learner in among:
        model.choice({"learner": learner})
    rows = model.pull(home)
    learned, asked = model.split(rows)
    train, test = rows.take(learned), rows.take(asked)
    layout, folds = Layout.fit(train.features), model.periods(train)
    if not folds:
        raise InputError(
            expected=f"past periods of {name} with both answers, to search on",
            found="none",
            next_command="python -m transforms import FORMAT PATH  (events over more days)",
        )
    folder = home.pipeline / "searches" / name / key(rows=rows.pulled["digest"], layout=layout.as_json())[:16]
    folder.mkdir(parents=True, exist_ok=True)
    _share(folder, layout.matrix(train.features), train.labels, folds)
    study = _study(folder, among)
    _enqueue(study, model, among)
    deadline = time.time() + 60 * minutes
    context = multiprocessing.get_context("spawn")
    call = (folder, among, name, deadline)
    workers = [context.Process(target=_work, args=(*call, number)) for number in range(jobs)]
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
    return _conclude(home, model, study, train, test, layout, time.perf_counter() - started)


def _model(name: str) -> TabularModel:
    model = models().get(name)
    if not isinstance(model, TabularModel):
        tunable = sorted(one.name for one in models().values() if isinstance(one, TabularModel))
        raise InputError(
            expected=f"a model of rows, one of {tunable}",
            found=f"{name!r}, which chooses for itself on validation" if model else repr(name),
            next_command=f"python -m training tune {tunable[0]}" if tunable else "python -m training list --all",
        )
    return model


def _share(
    folder: Path, inputs: np.ndarray, labels: np.ndarray, folds: Sequence[tuple[np.ndarray, np.ndarray]]
) -> None:
    """Rows and periods for the processes; the matrix is mapped, not copied."""
    np.save(folder / "inputs.npy", inputs)
    np.save(folder / "labels.npy", labels)
    parts = {
        f"{side}{number}": part for number, fold in enumerate(folds) for side, part in zip("la", fold, strict=True)
    }
    np.savez(folder / "folds.npz", **parts)  # type: ignore[arg-type]


def _study(folder: Path, among: Sequence[str], seed: int = 0) -> "optuna.Study":
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = optuna.storages.RDBStorage(
        f"sqlite:///{folder / 'study.db'}", engine_kwargs={"connect_args": {"timeout": 60}}
    )
    return optuna.create_study(
        study_name="+".join(sorted(among)),
        storage=storage,
        load_if_exists=True,
        direction="minimize",
        sampler=optuna.samplers.TPESampler(seed=seed, constant_liar=True),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=8, n_warmup_steps=0),
    )


def _enqueue(study: "optuna.Study", model: TabularModel, among: Sequence[str]) -> None:
    """The defaults first, the model's own before all."""
    for learner in sorted(among, key=lambda one: one != model.learner):
        told = {f"{learner}_{name}": value for name, value in model.choice({"learner": learner})[1].items()}
        study.enqueue_trial({"learner": learner, **told}, skip_if_exists=True)


def _work(folder: Path, among: Sequence[str], name: str, deadline: float, number: int) -> None:
    """One process: trials until the deadline."""
    import optuna

    model = _model(name)
    study = _study(folder, among, seed=number)
    inputs = np.load(folder / "inputs.npy", mmap_mode="r")
    labels = np.load(folder / "labels.npy")
    with np.load(folder / "folds.npz") as told:
        folds = [(told[f"l{place}"], told[f"a{place}"]) for place in range(len(told.files) // 2)]
    parts = [
        (np.ascontiguousarray(inputs[one]), labels[one], np.ascontiguousarray(inputs[two]), labels[two])
        for one, two in folds
    ]

    def objective(trial: optuna.Trial) -> float:
        learner = trial.suggest_categorical("learner", sorted(among))
        way = find_learner(learner)
        parameters = way.suggest(_Prefixed(trial, f"{learner}_"))  # type: ignore[arg-type]
        losses, spent = [], 0.0
        for place, (seen, answers, asked, truth) in enumerate(parts):
            began = time.perf_counter()
            fitted = way.fit(seen, answers, model.kind, parameters, model.seed)
            losses.append(float(model.loss(fitted.predict(asked), truth).mean()))
            spent += time.perf_counter() - began
            if place + 1 < len(parts):
                trial.report(float(np.mean(losses)), place)
                if trial.should_prune():
                    trial.set_user_attr(FIT, spent)
                    raise optuna.TrialPruned
        trial.set_user_attr(FIT, spent)
        return float(np.mean(losses))

    study.optimize(objective, timeout=max(deadline - time.time(), 0.1))


class _Prefixed:
    """A trial whose parameters have names of their own for each learner.

    Args:
        trial: Optuna's.
        prefix: of the names.
    """

    def __init__(self, trial: "optuna.Trial", prefix: str) -> None:
        self._trial, self._prefix = trial, prefix

    def suggest_int(self, name: str, low: int, high: int, **how: Any) -> int:
        """As Optuna has it."""
        return self._trial.suggest_int(self._prefix + name, low, high, **how)

    def suggest_float(self, name: str, low: float, high: float, **how: Any) -> float:
        """As Optuna has it."""
        return self._trial.suggest_float(self._prefix + name, low, high, **how)


def _note(study: "optuna.Study") -> str:
    import optuna

    done = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    best = min((one.value for one in done if one.value is not None), default=float("nan"))
    return f"{len(done)} trials, best {best:.5f}"


def _conclude(
    home: Home, model: TabularModel, study: "optuna.Study", train: Any, test: Any, layout: Layout, seconds: float
) -> Found:
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
    learner, parameters = _plain(best.params)
    default_learner, default = model.choice(None)
    own = [one for one in complete if _plain(one.params) == (default_learner, default)]
    losses = {}
    for who, (kind, told) in {"best": (learner, parameters), "default": (default_learner, default)}.items():
        fitted = model.fit(train, layout, kind, told)
        losses[who] = model.loss(fitted.predict(layout.matrix(test.features)), test.labels)
    gain = interval(losses["default"] - losses["best"], test.clusters)
    version, left_out = None, {"without": list(model.without)} if model.without else {}
    if gain.mean > 0 and (learner, parameters) != (default_learner, default):
        version = run_model(home, model, parameters={"learner": learner, **parameters, **left_out}).version
    spent = sum(float(one.user_attrs.get(FIT, 0.0)) for one in trials)
    whole = sum(one.duration.total_seconds() for one in trials if one.duration)
    found = Found(
        model.name,
        len(trials),
        len(trials) - len(complete),
        learner,
        parameters,
        float(best.value or 0),
        float(own[0].value or 0) if own else float("nan"),
        gain,
        version,
        1 - spent / whole if whole else 0.0,
        seconds,
    )
    (home.pipeline / "searches" / model.name / "best.json").write_text(
        json.dumps({"learner": learner, "parameters": parameters, "validation": found.validation, "gain": gain.mean})
    )
    return found


def _plain(told: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    learner = str(told["learner"])
    mine = {name.removeprefix(f"{learner}_"): value for name, value in told.items() if name != "learner"}
    return learner, mine


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
