"""Experiments, declared: who is in, what they get, and what decides.

``inference.experiments`` assigns by these declarations, ``training.experiments`` analyses what came of it; both read
``data/experiments-<tenant>.json``, one document with every experiment, replaced as a whole.

**Units.** Listeners, by ``user_id``. Each is put into one of 10,000 buckets of a layer by a hash; experiments of one
layer own ranges of buckets that do not overlap, so nobody is in two of them. Layers are independent of each other. The
``holdout`` is a share of all listeners who are in no experiment at all, for as long as it stands.
"""

import fcntl
import json
import math
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Literal

import msgspec

from feature_repo.errors import InputError
from feature_repo.home import Home

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
"""Metric → the feature that it is read from, at the end of the seven days after the first exposure; of click-through,
none: clicks and plays of what was shown, over what was shown."""
Direction = Literal["up", "down"]


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    pass


class Variant(_Strict, frozen=True):
    """One arm.

    Attributes:
        name: of the arm.
        weight: its share beside the other arms.
        settings: of ``SETTINGS``, what its listeners get; nothing for what everybody else gets.
    """

    name: str
    weight: float = 1.0
    settings: dict[str, Any] = {}


class Guardrail(_Strict, frozen=True):
    """A metric that must not get worse.

    Attributes:
        metric: of ``METRICS``.
        worse: the direction that is worse.
        margin: relative change that would still be borne.
    """

    metric: str
    worse: Direction = "down"
    margin: float = 0.02


class Experiment(_Strict, frozen=True):
    """One experiment.

    Attributes:
        name: of the experiment.
        variants: the arms; the first is the control.
        layer: its layer; experiments of one layer share no listener.
        buckets: first and last + 1 of the buckets of the layer that it owns.
        share: of those listeners who are in, 0 to 1. Raising it adds listeners and moves none.
        mode: ``fixed`` for weights that stay, ``bandit`` for weights that follow the rewards.
        metric: of ``METRICS``, which decides.
        guardrails: what must not get worse.
        state: ``draft``, ``running`` or ``stopped``: everybody gets what everybody gets.
        started: when it first ran.
        stopped: when it was stopped, and why.
        reason: of that.
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
        """The arm of a name."""
        return next(one for one in self.variants if one.name == name)


class Experiments(_Strict, frozen=True):
    """All of one tenant.

    Attributes:
        holdout: share of all listeners who are in none.
        experiments: by name.
    """

    holdout: float = 0.0
    experiments: dict[str, Experiment] = {}


class _Problem(Exception):
    def __init__(self, expected: str, found: str) -> None:
        super().__init__(expected, found)
        self.expected, self.found = expected, found


def read(home: Home) -> Experiments:
    """What stands in the file; nothing if there is none.

    Raises:
        InputError: it is damaged, or an experiment is not what it should be.
    """
    try:
        content = home.experiments.read_bytes()
    except FileNotFoundError:
        return Experiments()
    return parse(content, str(home.experiments))


def parse(content: bytes, where: str) -> Experiments:
    """Experiments from JSON, checked.

    Raises:
        InputError: they are not what they should be.
    """
    try:
        found = msgspec.json.decode(content, type=Experiments)
        _check(found)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _wrong("experiments as JSON", f"{where}: {error}") from error
    except _Problem as problem:
        raise _wrong(problem.expected, f"{where}: {problem.found}") from problem
    return found


@contextmanager
def changing(home: Home) -> Iterator[list[Experiments]]:
    """A list with the experiments: put the new ones in its place; they are checked, then written whole or not at all.

    Raises:
        InputError: what is to be written is not what it should be.
    """
    home.ensure()
    file = home.experiments
    with (home.root / f".{file.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        held = [read(home)]
        yield held
        try:
            _check(held[0])
        except _Problem as problem:
            raise _wrong(problem.expected, problem.found) from problem
        part = file.with_name(f".{file.name}.{os.getpid()}")
        part.write_text(json.dumps(msgspec.to_builtins(held[0]), indent=1) + "\n")
        part.replace(file)


def add(home: Home, experiment: Experiment) -> None:
    """One more, or another declaration of one that never ran.

    Raises:
        InputError: it is not what it should be, or has run already.
    """
    with changing(home) as held:
        before = held[0].experiments.get(experiment.name)
        if before is not None and before.started is not None:
            raise _wrong("a new name", f"{experiment.name!r}, which has run since {before.started:%Y-%m-%d}")
        held[0] = _with(held[0], experiment)


def start(home: Home, name: str, now: datetime, share: float | None = None) -> Experiment:
    """Run it, or ramp it up: ``share`` of its listeners are in from now on.

    Raises:
        InputError: there is none of the name, it was stopped, or fewer would be in than before.
    """
    with changing(home) as held:
        before = one(held[0], name)
        if before.state == "stopped":
            raise _wrong("an experiment that was not stopped", f"{name!r}, stopped: {before.reason}")
        if share is not None and before.state == "running" and share < before.share:
            raise _wrong(f"a share of {before.share:g} or more", f"{share:g}: who was in would be out")
        after = msgspec.structs.replace(
            before, state="running", started=before.started or now, share=before.share if share is None else share
        )
        held[0] = _with(held[0], after)
    return after


def stop(home: Home, name: str, now: datetime, reason: str) -> Experiment:
    """End it, now and for good: everybody gets what everybody gets.

    Raises:
        InputError: there is none of the name.
    """
    with changing(home) as held:
        before = one(held[0], name)
        if before.state == "stopped":
            return before
        after = msgspec.structs.replace(before, state="stopped", stopped=now, reason=reason[:200])
        held[0] = _with(held[0], after)
    return after


def hold_out(home: Home, share: float) -> None:
    """So many of all listeners are in no experiment.

    Raises:
        InputError: it is no share.
    """
    with changing(home) as held:
        held[0] = msgspec.structs.replace(held[0], holdout=share)


def one(found: Experiments, name: str) -> Experiment:
    """The experiment of a name.

    Raises:
        InputError: there is none.
    """
    if name not in found.experiments:
        raise _wrong(f"an experiment, one of {sorted(found.experiments)}", repr(name))
    return found.experiments[name]


def _with(found: Experiments, experiment: Experiment) -> Experiments:
    return msgspec.structs.replace(found, experiments={**found.experiments, experiment.name: experiment})


def _check(found: Experiments) -> None:
    if not 0 <= found.holdout < 1:
        raise _Problem("a holdout from 0 to below 1", f"{found.holdout:g}")
    owned: dict[str, list[tuple[int, int, str]]] = {}
    for key, experiment in found.experiments.items():
        if key != experiment.name:
            raise _Problem("the name of an experiment as its key", f"{key!r} for {experiment.name!r}")
        _check_one(experiment)
        if experiment.state == "running":
            low, high = experiment.buckets
            for other_low, other_high, other in owned.setdefault(experiment.layer, []):
                if low < other_high and other_low < high:
                    raise _Problem(
                        "experiments of one layer that share no bucket",
                        f"{key!r} and {other!r} in the layer {experiment.layer!r}",
                    )
            owned[experiment.layer].append((low, high, key))


def _check_one(experiment: Experiment) -> None:
    named = f"of {experiment.name!r}"
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,47}", experiment.name):
        raise _Problem("a name of lower-case letters, digits and _", repr(experiment.name))
    low, high = experiment.buckets
    if not 0 <= low < high <= BUCKETS:
        raise _Problem(f"buckets within 0 to {BUCKETS:,} {named}", f"{low} to {high}")
    if not 0 <= experiment.share <= 1:
        raise _Problem(f"a share from 0 to 1 {named}", f"{experiment.share:g}")
    names = [variant.name for variant in experiment.variants]
    if len(names) < 2 or len(set(names)) < len(names) or len(names) > 20:
        raise _Problem(f"2 to 20 variants with names of their own {named}", repr(names))
    for variant in experiment.variants:
        if not re.fullmatch(r"[a-z0-9_]{1,32}", variant.name):
            raise _Problem(f"names of variants of lower-case letters, digits and _ {named}", repr(variant.name))
        if not (math.isfinite(variant.weight) and variant.weight > 0):
            raise _Problem(f"a weight above 0 {named}", f"{variant.weight:g}")
        unknown = sorted(set(variant.settings) - set(SETTINGS))
        if unknown:
            raise _Problem(f"settings among {', '.join(SETTINGS)} {named}", repr(unknown[0]))
        for setting, value in variant.settings.items():
            expected, holds = _ALLOWED[setting]
            if not holds(value):
                raise _Problem(f"{setting} as {expected} {named}", repr(value))
    for metric in (experiment.metric, *(rail.metric for rail in experiment.guardrails)):
        if metric not in METRICS:
            raise _Problem(f"metrics among {', '.join(METRICS)} {named}", repr(metric))


def _is_share(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


_ALLOWED: dict[str, tuple[str, Callable[[Any], bool]]] = {
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
    "explore": ("a number from 0 to 1", _is_share),
    "most_by_artist": (
        "a whole number from 1 to 500",
        lambda value: isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 500,
    ),
}
"""Setting → what it may be: a declaration that is wrong must not reach a request."""
SETTINGS = tuple(_ALLOWED)
"""What a variant may change of a recommendation."""


def _wrong(expected: str, found: str) -> InputError:
    return InputError(expected=expected, found=found, next_command="python -m inference experiments --help")


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
