"""Gates on what stands beside a model in its test: every baseline, plain models, and a fit on permuted labels."""

from collections.abc import Iterator

import numpy as np

from training.models.base import Gates
from training.validation.bootstrap import Interval
from training.validation.check import Check
from training.validation.comparison import Outcome, in_words, non_inferiority, superiority, units_needed
from training.validation.evidence import MODEL_KEY, PERMUTED, Evidence


def figures_are_known(evidence: Evidence) -> Check:
    """Checks that the model has a figure in every unit where something else has one."""
    model_values = evidence.values[MODEL_KEY]
    others = [values for name, values in evidence.values.items() if name != MODEL_KEY]
    is_measured = np.isfinite(np.column_stack(others)).any(axis=1) if others else np.ones(len(model_values), bool)
    missing = int((is_measured & ~np.isfinite(model_values)).sum())
    known = int(np.isfinite(model_values).sum())
    if missing:
        return Check("figures", False, f"{missing:,} of {known + missing:,} units have no figure that is a number")
    return Check("figures", known > 0, f"{known:,} units have one", undecided=not known)


def compare_with_baselines(evidence: Evidence, gates: Gates) -> Iterator[Check]:
    """Yields a check for each baseline: each must surely be beaten, except plain models, which may also be as good."""
    names = dict.fromkeys((*gates.required, *evidence.baselines))
    if not any(name not in gates.plain or gates.plain[name] == 0 for name in names):
        yield Check("baseline", False, "no baseline was measured that must be beaten", undecided=True)
    for name in names:
        if name not in evidence.values or not np.isfinite(evidence.values[name]).any():
            yield Check(f"baseline {name}", False, "it has no figures: it was not measured", undecided=True)
        elif name in gates.plain:
            yield _as_good_as(evidence, name, gates)
        else:
            yield _better_than(evidence, name, gates)


def compare_with_permuted(evidence: Evidence, gates: Gates) -> Iterator[Check]:
    """Yields the check of the floor: what a fit on permuted labels reaches must be beaten, and must itself not pass."""
    if PERMUTED not in evidence.values:
        yield Check("permuted labels", False, "no fit on permuted labels was measured", binding=False)
        return
    floor = evidence.figure(PERMUTED)
    if _floor_passes(evidence, gates):
        message = f"a fit on permuted labels passes beside {', '.join(evidence.baselines)}: {floor}"
        yield Check("permuted labels", False, f"{message}; the test tells nothing")
        return
    gain = evidence.gain(PERMUTED)
    outcome = superiority(gain, gates.fewest)
    message = f"{in_words(gain, 'a fit on permuted labels')}; floor {floor}"
    yield _check("permuted labels", outcome, message, gain, gates)


def _floor_passes(evidence: Evidence, gates: Gates) -> bool:
    """Whether the fit on permuted labels would itself pass beside the baselines."""
    outcomes = []
    for name in evidence.baselines:
        gain = evidence.gain(name, of=PERMUTED)
        if name in gates.plain:
            allowed = gates.plain[name] * abs(evidence.figure(name).mean)
            outcomes.append(non_inferiority(gain, allowed, gates.fewest))
        else:
            outcomes.append(superiority(gain, gates.fewest))
    return bool(outcomes) and all(outcome == "pass" for outcome in outcomes)


def _better_than(evidence: Evidence, name: str, gates: Gates) -> Check:
    gain = evidence.gain(name)
    return _check(f"baseline {name}", superiority(gain, gates.fewest), in_words(gain, name), gain, gates)


def _as_good_as(evidence: Evidence, name: str, gates: Gates) -> Check:
    gain, share = evidence.gain(name), gates.plain[name]
    allowed = share * abs(evidence.figure(name).mean)
    message = f"{in_words(gain, name)}; limit {-allowed:.4f}"
    return _check(f"plain model {name}", non_inferiority(gain, allowed, gates.fewest), message, gain, gates)


def _check(name: str, outcome: Outcome, message: str, gain: Interval, gates: Gates) -> Check:
    if outcome == "undecided":
        message += f"; too little evidence: {gain.clusters:,} clusters of {gain.units:,} units"
        if gain.clusters < gates.fewest:
            message += f", at least {gates.fewest} are needed"
        elif needed := units_needed(gain):
            message += f", about {needed:,} units would tell"
    return Check(name, outcome == "pass", message, undecided=outcome == "undecided")
