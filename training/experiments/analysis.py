"""An experiment, analysed: may it be read, what changed, by how much, and is anything worse."""

from dataclasses import dataclass, field

import numpy as np
from statsmodels.stats.multitest import multipletests

from feature_repo.experiments import Experiment
from feature_repo.home import Home
from training.experiments import cuped, fixed, sequential
from training.experiments.fixed import Effect
from training.experiments.metrics import Measurements, measure
from training.experiments.power import listeners
from training.experiments.sample_ratio import SampleRatio, sample_ratio

FEWEST = 30
"""Listeners of an arm without whom nothing is said."""
ALPHA = 0.05


@dataclass(frozen=True)
class Comparison:
    """One metric of one arm beside the control.

    Attributes:
        metric: its name.
        variant: the arm.
        control_count: listeners.
        count: listeners of the arm.
        effect: at a fixed end.
        adjusted: the same with what was known before taken out (CUPED); None where nothing was.
        removed: share of the variance that is gone with it.
        always: whenever it is looked at, of the adjusted values.
        p_adjusted: of the effect, for all arms of the metric together (Holm).
        role: ``decides``, ``guardrail`` or empty.
        verdict: ``higher``, ``lower``, ``no difference found``; of guardrails ``kept``, ``broken`` or ``open``.
    """

    metric: str
    variant: str
    control_count: int
    count: int
    effect: Effect
    adjusted: Effect | None
    removed: float
    always: sequential.Sequence
    p_adjusted: float = 1.0
    role: str = ""
    verdict: str = ""


@dataclass(frozen=True)
class Analysis:
    """All of one experiment.

    Attributes:
        experiment: as it was declared.
        measured: its listeners.
        ratio: of the sizes of the arms.
        comparisons: by metric and arm.
        needed: listeners of each arm to find a change of 2 % of the metric that decides; None if that is unknown.
        verdict: what follows, in words.
    """

    experiment: Experiment
    measured: Measurements
    ratio: SampleRatio
    comparisons: list[Comparison] = field(default_factory=list)
    needed: int | None = None
    verdict: str = ""


def analyse(home: Home, experiment: Experiment, *, always: bool = False) -> Analysis:
    """Analyse an experiment.

    Args:
        home: the data folder.
        experiment: as it was declared.
        always: decide by intervals that may be looked at at any time.

    Raises:
        InputError: nobody was exposed.
        StoreError: the features are not built.
    """
    return analysed(experiment, measure(home, experiment), always=always)


def analysed(experiment: Experiment, measured: Measurements, *, always: bool = False) -> Analysis:
    """The same of what was measured."""
    weights = [variant.weight for variant in experiment.variants]
    ratio = sample_ratio(list(measured.sizes.values()), weights if experiment.mode == "fixed" else [1] * len(weights))
    comparisons: list[Comparison] = []
    for metric in measured.values:
        comparisons += _of_metric(experiment, measured, metric, always)
    needed = None
    control = measured.values.get(experiment.metric, {}).get(experiment.variants[0].name, np.zeros(0))
    if len(control) >= FEWEST and control.mean() and control.std():
        needed = listeners(float(control.mean()), float(control.std(ddof=1)), 0.02)
    return Analysis(
        experiment, measured, ratio, comparisons, needed, _verdict(experiment, measured, ratio, comparisons)
    )


def _of_metric(experiment: Experiment, measured: Measurements, metric: str, always: bool) -> list[Comparison]:
    values, before = measured.values[metric], measured.before.get(metric)
    first, *others = (variant.name for variant in experiment.variants)
    if any(len(values[arm]) < FEWEST for arm in (first, *others)):
        return []
    adjusted, removed = None, 0.0
    arms = [first, *others]
    if before is not None:
        found, removed = cuped.adjusted([values[arm] for arm in arms], [before[arm] for arm in arms])
        adjusted = dict(zip(arms, found, strict=True))
    told = []
    for arm in others:
        best = values if adjusted is None else adjusted
        told.append(
            Comparison(
                metric=metric,
                variant=arm,
                control_count=len(values[first]),
                count=len(values[arm]),
                effect=fixed.compare(values[first], values[arm], alpha=ALPHA),
                adjusted=None if adjusted is None else fixed.compare(adjusted[first], adjusted[arm], alpha=ALPHA),
                removed=removed,
                always=sequential.compare(best[first], best[arm], alpha=ALPHA),
            )
        )
    p_values = [one.always.p_value if always else (one.adjusted or one.effect).p_value for one in told]
    corrected = multipletests(p_values, ALPHA, method="holm")[1]
    return [_judged(experiment, one, float(p)) for one, p in zip(told, corrected, strict=True)]


def _judged(experiment: Experiment, one: Comparison, p_value: float) -> Comparison:
    effect = one.adjusted or one.effect
    rail = next((rail for rail in experiment.guardrails if rail.metric == one.metric), None)
    role = "decides" if one.metric == experiment.metric else "guardrail" if rail else ""
    verdict = "no difference found" if p_value >= ALPHA else "higher" if effect.difference > 0 else "lower"
    if rail is not None and role == "guardrail":
        # non-inferiority: the interval must leave out changes for the worse beyond the margin
        bad, sure = (
            (effect.relative_low, effect.relative_high)
            if rail.worse == "down"
            else (
                -effect.relative_high,
                -effect.relative_low,
            )
        )
        verdict = "kept" if bad > -rail.margin else "broken" if sure < -rail.margin else "open"
    return Comparison(**{**one.__dict__, "p_adjusted": p_value, "role": role, "verdict": verdict})


def _verdict(experiment: Experiment, measured: Measurements, ratio: SampleRatio, comparisons: list[Comparison]) -> str:
    if ratio.verdict == "mismatch" and experiment.mode == "fixed":
        return "The arms do not have the sizes that they should have, so nothing can be read from this: find out why."
    broken = [one for one in comparisons if one.role == "guardrail" and one.verdict == "broken"]
    if broken:
        return f"Stop: {broken[0].variant} breaks the guardrail {broken[0].metric}."
    deciding = [one for one in comparisons if one.role == "decides"]
    if not deciding:
        fewest = min(measured.sizes.values(), default=0)
        return f"Too early: {fewest:,} listeners in the smallest arm, {measured.waiting:,} whose days have not passed."
    clear = [one for one in deciding if one.verdict in ("higher", "lower")]
    if not clear:
        return f"No difference of {experiment.metric} was found."
    open_ones = sorted({one.metric for one in comparisons if one.role == "guardrail" and one.verdict == "open"})
    told = ", ".join(
        f"{experiment.metric} is {one.verdict} in {one.variant} by {(one.adjusted or one.effect).relative:+.1%}"
        for one in clear
    )
    return told[:1].upper() + told[1:] + (f"; not yet known: {', '.join(open_ones)}." if open_ones else ".")
