"""Declarations of experiments: population, variants and decision metric.

``inference.experiments`` assigns variants by these declarations, and ``training.experiments`` analyses the results.
Both read ``data/experiments-<tenant>.json``, one document with all experiments, which is replaced atomically.

**Units.** Listeners, by ``user_id``. A hash puts each listener into one of 10,000 buckets of a layer. Experiments of
one layer own disjoint ranges of buckets, so no listener is in two of them. Layers are independent of each other. The
``holdout`` is the share of all listeners who are in no experiment.
"""

import fcntl
import json
import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Literal

import msgspec

from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.whole_files import write_whole

BUCKETS = 10_000
METRICS: dict[str, str] = {
    "engagement": "user_listening__listening_ms_7d",
    "plays": "user_listening__plays_7d",
    "skip_rate": "user_listening__skip_rate_7d",
    "retention": "user_listening__plays_1d",
    "clicks": "user_feedback__clicks_7d",
    "satisfaction": "user_feedback__rating_7d",
    "conversion": "user_feedback__subscriptions_7d",
    "revenue": "user_feedback__revenue_cents_7d",
    "dislikes": "user_feedback__dislikes_7d",
    "cancellations": "user_feedback__cancellations_7d",
    "click_through": "",
}
"""Metric → feature that is read at the end of the seven days after the first exposure. ``click_through`` has none:
it is the share of shown items that were clicked or played."""
Direction = Literal["up", "down"]


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    pass


class Variant(_Strict, frozen=True):
    """One variant (arm) of an experiment.

    Attributes:
        name: name of the variant.
        weight: traffic weight relative to the other variants.
        settings: overrides among ``SETTINGS`` for its listeners; empty for the default behaviour.
    """

    name: str
    weight: float = 1.0
    settings: dict[str, Any] = {}


class Guardrail(_Strict, frozen=True):
    """A metric that must not get worse.

    Attributes:
        metric: one of ``METRICS``.
        worse: direction of change that is worse.
        margin: tolerated relative change.
    """

    metric: str
    worse: Direction = "down"
    margin: float = 0.02


class Experiment(_Strict, frozen=True):
    """One experiment.

    Attributes:
        name: name of the experiment.
        variants: the variants; the first is the control.
        layer: name of the layer; experiments of one layer share no listener.
        buckets: range of the layer's buckets that the experiment owns: first, and last + 1.
        share: share of the buckets' listeners who take part, 0 to 1. Raising it adds listeners and moves none.
        mode: ``fixed`` for constant weights, ``bandit`` for weights that follow the rewards.
        metric: decision metric, one of ``METRICS``.
        guardrails: metrics that must not get worse.
        state: ``draft``, ``running`` or ``stopped``. Only a running experiment changes what listeners get.
        started: time of the first start.
        stopped: time of the stop.
        reason: reason for the stop.
    """

    name: str
    variants: tuple[Variant, ...]
    layer: str = "recommendation"
    buckets: tuple[int, int] = (0, BUCKETS)
    share: float = 1.0
    mode: Literal["fixed", "bandit"] = "fixed"
    metric: str = "engagement"
    guardrails: tuple[Guardrail, ...] = ()
    state: Literal["draft", "running", "stopped"] = "draft"
    started: datetime | None = None
    stopped: datetime | None = None
    reason: str = ""

    def variant(self, name: str) -> Variant:
        """Returns the variant with a name."""
        return next(variant for variant in self.variants if variant.name == name)


class Experiments(_Strict, frozen=True):
    """All experiments of one tenant.

    Attributes:
        holdout: share of all listeners who are in no experiment.
        experiments: name → experiment.
    """

    holdout: float = 0.0
    experiments: dict[str, Experiment] = {}


class _Problem(Exception):
    def __init__(self, expected: str, found: str) -> None:
        super().__init__(expected, found)
        self.expected, self.found = expected, found


def read(home: Home) -> Experiments:
    """Reads the experiments file; no experiments if it does not exist.

    Raises:
        InputError: the file is damaged, or an experiment is invalid.
    """
    try:
        content = home.experiments.read_bytes()
    except FileNotFoundError:
        return Experiments()
    return parse(content, str(home.experiments))


def parse(content: bytes, location: str) -> Experiments:
    """Parses and validates experiments in JSON.

    Raises:
        InputError: the JSON or an experiment is invalid.
    """
    try:
        experiments = msgspec.json.decode(content, type=Experiments)
        _check(experiments)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _input_error("experiments as JSON", f"{location}: {error}") from error
    except _Problem as problem:
        raise _input_error(problem.expected, f"{location}: {problem.found}") from problem
    return experiments


@contextmanager
def changing(home: Home) -> Iterator[list[Experiments]]:
    """Locks the file and yields a one-element list whose element the caller replaces, then validates and writes it.

    Raises:
        InputError: the new experiments are invalid.
    """
    home.ensure()
    file = home.experiments
    with (home.root / f".{file.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        document = [read(home)]
        yield document
        try:
            _check(document[0])
        except _Problem as problem:
            raise _input_error(problem.expected, problem.found) from problem
        write_whole(file, json.dumps(msgspec.to_builtins(document[0]), indent=1) + "\n")


def add(home: Home, experiment: Experiment) -> None:
    """Adds an experiment, or replaces one that never ran.

    Raises:
        InputError: the experiment is invalid, or one with this name has run already.
    """
    with changing(home) as document:
        existing = document[0].experiments.get(experiment.name)
        if existing is not None and existing.started is not None:
            raise _input_error("a new name", f"{experiment.name!r}, which has run since {existing.started:%Y-%m-%d}")
        document[0] = _with_experiment(document[0], experiment)


def start(home: Home, name: str, now: datetime, share: float | None = None) -> Experiment:
    """Starts an experiment, or ramps it up to ``share`` of its listeners.

    Raises:
        InputError: the name is unknown, the experiment was stopped, or the share would shrink.
    """
    with changing(home) as document:
        current = one(document[0], name)
        if current.state == "stopped":
            raise _input_error("an experiment that was not stopped", f"{name!r}, stopped: {current.reason}")
        if share is not None and current.state == "running" and share < current.share:
            raise _input_error(f"a share of {current.share:g} or more", f"{share:g}: who was in would be out")
        started = msgspec.structs.replace(
            current, state="running", started=current.started or now, share=current.share if share is None else share
        )
        document[0] = _with_experiment(document[0], started)
    return started


def stop(home: Home, name: str, now: datetime, reason: str) -> Experiment:
    """Stops an experiment permanently; all listeners get the default behaviour again.

    Raises:
        InputError: the name is unknown.
    """
    with changing(home) as document:
        current = one(document[0], name)
        if current.state == "stopped":
            return current
        stopped = msgspec.structs.replace(current, state="stopped", stopped=now, reason=reason[:200])
        document[0] = _with_experiment(document[0], stopped)
    return stopped


def hold_out(home: Home, share: float) -> None:
    """Sets the share of listeners who are in no experiment.

    Raises:
        InputError: the share is not from 0 to below 1.
    """
    with changing(home) as document:
        document[0] = msgspec.structs.replace(document[0], holdout=share)


def one(document: Experiments, name: str) -> Experiment:
    """Returns the experiment with a name.

    Raises:
        InputError: the name is unknown.
    """
    if name not in document.experiments:
        raise _input_error(f"an experiment, one of {sorted(document.experiments)}", repr(name))
    return document.experiments[name]


def _with_experiment(experiments: Experiments, experiment: Experiment) -> Experiments:
    return msgspec.structs.replace(experiments, experiments={**experiments.experiments, experiment.name: experiment})


def _check(document: Experiments) -> None:
    if not 0 <= document.holdout < 1:
        raise _Problem("a holdout from 0 to below 1", f"{document.holdout:g}")
    buckets_by_layer: dict[str, list[tuple[int, int, str]]] = {}
    for key, experiment in document.experiments.items():
        if key != experiment.name:
            raise _Problem("the name of an experiment as its key", f"{key!r} for {experiment.name!r}")
        _check_experiment(experiment)
        if experiment.state == "running":
            low, high = experiment.buckets
            for other_low, other_high, other in buckets_by_layer.setdefault(experiment.layer, []):
                if low < other_high and other_low < high:
                    raise _Problem(
                        "experiments of one layer that share no bucket",
                        f"{key!r} and {other!r} in the layer {experiment.layer!r}",
                    )
            buckets_by_layer[experiment.layer].append((low, high, key))


def _check_experiment(experiment: Experiment) -> None:
    of_experiment = f"of {experiment.name!r}"
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,47}", experiment.name):
        raise _Problem("a name of lower-case letters, digits and _", repr(experiment.name))
    first, end = experiment.buckets
    if not 0 <= first < end <= BUCKETS:
        raise _Problem(f"buckets within 0 to {BUCKETS:,} {of_experiment}", f"{first} to {end}")
    if not 0 <= experiment.share <= 1:
        raise _Problem(f"a share from 0 to 1 {of_experiment}", f"{experiment.share:g}")
    names = [variant.name for variant in experiment.variants]
    if len(names) < 2 or len(set(names)) < len(names) or len(names) > 20:
        raise _Problem(f"2 to 20 variants with names of their own {of_experiment}", repr(names))
    for variant in experiment.variants:
        if not re.fullmatch(r"[a-z0-9_]{1,32}", variant.name):
            raise _Problem(f"names of variants of lower-case letters, digits and _ {of_experiment}", repr(variant.name))
        if not (math.isfinite(variant.weight) and variant.weight > 0):
            raise _Problem(f"a weight above 0 {of_experiment}", f"{variant.weight:g}")
        unknown = sorted(set(variant.settings) - set(SETTINGS))
        if unknown:
            raise _Problem(f"settings among {', '.join(SETTINGS)} {of_experiment}", repr(unknown[0]))
        for setting, value in variant.settings.items():
            expected, holds = _VALID_SETTINGS[setting]
            if not holds(value):
                raise _Problem(f"{setting} as {expected} {of_experiment}", repr(value))
    for metric in (experiment.metric, *(rail.metric for rail in experiment.guardrails)):
        if metric not in METRICS:
            raise _Problem(f"metrics among {', '.join(METRICS)} {of_experiment}", repr(metric))


def _is_share(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


_VALID_SETTINGS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "model": (
        "recommendation or recommendation:VERSION",
        lambda value: isinstance(value, str) and bool(re.fullmatch(r"recommendation(:\d{1,6})?", value)),
    ),
    "strategy": (
        "collaborative, content, hybrid, real_time or cold_start",
        lambda value: value in ("collaborative", "content", "hybrid", "real_time", "cold_start"),
    ),
    "diversify": ("mmr, calibrated or null", lambda value: value in ("mmr", "calibrated", None)),
    "diversity": ("a number from 0 to 1", _is_share),
    "long_tail": ("a number from 0 to 1", _is_share),
    "long_tail_loss": ("a number from 0 to 1", _is_share),
    "explore": ("a number from 0 to 1", _is_share),
    "most_by_artist": (
        "a whole number from 1 to 500",
        lambda value: isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 500,
    ),
}
"""Setting → description and check of valid values, so that an invalid declaration never reaches a request."""
SETTINGS = tuple(_VALID_SETTINGS)
"""Settings of a recommendation that a variant may override."""


def _input_error(expected: str, found: str) -> InputError:
    return InputError(expected=expected, found=found, next_command="refrain experiments --help")


__all__ = [
    "BUCKETS",
    "METRICS",
    "SETTINGS",
    "Experiment",
    "Experiments",
    "Guardrail",
    "Variant",
    "add",
    "changing",
    "hold_out",
    "one",
    "parse",
    "read",
    "start",
    "stop",
]
