"""Analyses an experiment: validity, changes of every metric with intervals, guardrails and a verdict."""

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
"""Fewest listeners of an arm that is compared."""
ALPHA = 0.05


@dataclass(frozen=True)
class Comparison:
    """One metric of one arm against the control.

    Attributes:
        metric: name of the metric.
        variant: name of the arm.
        control_count: listeners of the control.
        count: listeners of the arm.
        effect: effect at a fixed end.
        adjusted: the same, adjusted by values before the experiment (CUPED); None if there are none.
        removed: share of the variance that the adjustment removes.
        always: effect at any time, of the adjusted values.
        p_adjusted: p-value of the effect, corrected for all arms of the metric (Holm).
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
    """The analysis of one experiment.

    Attributes:
        experiment: the declared experiment.
        measured: measurements of its listeners.
        ratio: test of the sizes of the arms.
        comparisons: comparisons by metric and arm.
        needed: listeners of each arm to find a change of 2 % of the deciding metric; None if that is unknown.
        verdict: conclusion in words.
    """

    experiment: Experiment
    measured: Measurements
    ratio: SampleRatio
    comparisons: list[Comparison] = field(default_factory=list)
    needed: int | None = None
    verdict: str = ""


def analyse(home: Home, experiment: Experiment, *, always: bool = False) -> Analysis:
    """Analyses an experiment.

    Args:
        home: the data folder.
        experiment: the declared experiment.
        always: whether to decide by intervals that are valid at any time.

    Raises:
        InputError: there are no exposures.
        StoreError: the features are not built.
    """
    return analyse_measurements(experiment, measure(home, experiment), always=always)


def analyse_measurements(experiment: Experiment, measured: Measurements, *, always: bool = False) -> Analysis:
    """Analyses the measurements of an experiment."""
    weights = [variant.weight for variant in experiment.variants]
    ratio = sample_ratio(list(measured.sizes.values()), weights if experiment.mode == "fixed" else [1] * len(weights))
    comparisons: list[Comparison] = []
    for metric in measured.values:
        comparisons += _compare_arms(experiment, measured, metric, always)
    needed = None
    control = measured.values.get(experiment.metric, {}).get(experiment.variants[0].name, np.zeros(0))
    if len(control) >= FEWEST and control.mean() and control.std():
        needed = listeners(float(control.mean()), float(control.std(ddof=1)), 0.02)
    return Analysis(
        experiment, measured, ratio, comparisons, needed, _verdict(experiment, measured, ratio, comparisons)
    )


def _compare_arms(experiment: Experiment, measured: Measurements, metric: str, always: bool) -> list[Comparison]:
    values, before = measured.values[metric], measured.before.get(metric)
    control, *treated_arms = (variant.name for variant in experiment.variants)
    if any(len(values[arm]) < FEWEST for arm in (control, *treated_arms)):
        return []
    adjusted, removed = None, 0.0
    arms = [control, *treated_arms]
    if before is not None:
        adjusted_values, removed = cuped.adjusted([values[arm] for arm in arms], [before[arm] for arm in arms])
        adjusted = dict(zip(arms, adjusted_values, strict=True))
    comparisons = []
    for arm in treated_arms:
        compared_values = values if adjusted is None else adjusted
        comparisons.append(
            Comparison(
                metric=metric,
                variant=arm,
                control_count=len(values[control]),
                count=len(values[arm]),
                effect=fixed.compare(values[control], values[arm], alpha=ALPHA),
                adjusted=None if adjusted is None else fixed.compare(adjusted[control], adjusted[arm], alpha=ALPHA),
                removed=removed,
                always=sequential.compare(compared_values[control], compared_values[arm], alpha=ALPHA),
            )
        )
    p_values = [
        comparison.always.p_value if always else (comparison.adjusted or comparison.effect).p_value
        for comparison in comparisons
    ]
    corrected_p_values = multipletests(p_values, ALPHA, method="holm")[1]
    return [
        _with_verdict(experiment, comparison, float(p))
        for comparison, p in zip(comparisons, corrected_p_values, strict=True)
    ]


def _with_verdict(experiment: Experiment, comparison: Comparison, p_value: float) -> Comparison:
    effect = comparison.adjusted or comparison.effect
    guardrail = next((guardrail for guardrail in experiment.guardrails if guardrail.metric == comparison.metric), None)
    role = "decides" if comparison.metric == experiment.metric else "guardrail" if guardrail else ""
    verdict = "no difference found" if p_value >= ALPHA else "higher" if effect.difference > 0 else "lower"
    if guardrail is not None and role == "guardrail":
        # non-inferiority: the interval must exclude changes for the worse beyond the margin
        worst, best = (
            (effect.relative_low, effect.relative_high)
            if guardrail.worse == "down"
            else (
                -effect.relative_high,
                -effect.relative_low,
            )
        )
        verdict = "kept" if worst > -guardrail.margin else "broken" if best < -guardrail.margin else "open"
    return Comparison(**{**comparison.__dict__, "p_adjusted": p_value, "role": role, "verdict": verdict})


def _verdict(experiment: Experiment, measured: Measurements, ratio: SampleRatio, comparisons: list[Comparison]) -> str:
    if ratio.verdict == "mismatch" and experiment.mode == "fixed":
        return "The arms do not have their declared sizes, so this experiment cannot be read: find out why."
    broken = [
        comparison for comparison in comparisons if comparison.role == "guardrail" and comparison.verdict == "broken"
    ]
    if broken:
        return f"Stop: {broken[0].variant} breaks the guardrail {broken[0].metric}."
    deciding = [comparison for comparison in comparisons if comparison.role == "decides"]
    if not deciding:
        fewest = min(measured.sizes.values(), default=0)
        return f"Too early: {fewest:,} listeners in the smallest arm, {measured.waiting:,} whose days have not passed."
    clear_changes = [comparison for comparison in deciding if comparison.verdict in ("higher", "lower")]
    if not clear_changes:
        return f"No difference of {experiment.metric} was found."
    open_metrics = sorted(
        {
            comparison.metric
            for comparison in comparisons
            if comparison.role == "guardrail" and comparison.verdict == "open"
        }
    )
    changes = ", ".join(
        f"{experiment.metric} is {comparison.verdict} in {comparison.variant} "
        f"by {(comparison.adjusted or comparison.effect).relative:+.1%}"
        for comparison in clear_changes
    )
    return changes[:1].upper() + changes[1:] + (f"; not yet known: {', '.join(open_metrics)}." if open_metrics else ".")
