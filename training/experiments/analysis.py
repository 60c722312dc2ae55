"""Analyses an experiment: validity, changes of every metric with intervals, guardrails and a verdict."""

from dataclasses import dataclass, field, replace

import numpy as np
from statsmodels.stats.multitest import multipletests

from feature_repo.errors import InputError
from feature_repo.experiments import Experiment
from feature_repo.home import Home
from training.experiments import cuped, fixed, guardrails, sequential
from training.experiments.fixed import Effect
from training.experiments.metrics import Measurements, measure
from training.experiments.power import listeners
from training.experiments.sample_ratio import SampleRatio, sample_ratio
from training.experiments.segments import SegmentEffects, by_history, compare_by_segment

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
        guardrail: verdict of the metric as a guardrail, at any time; empty if it is none.
        p_adjusted: p-value of the effect, corrected: of the metric that decides and of guardrails for all arms (Holm);
            of all other metrics, which are looked at to learn, for all arms and metrics (Benjamini and Hochberg).
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
    guardrail: str = ""
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
        segments: arm → effects on the metric that decides, by what listeners did before.
        needed: listeners of each arm to find a change of 2 % of the deciding metric; None if that is unknown.
        verdict: conclusion in words.
    """

    experiment: Experiment
    measured: Measurements
    ratio: SampleRatio
    comparisons: list[Comparison] = field(default_factory=list)
    segments: dict[str, SegmentEffects] = field(default_factory=dict)
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
    """Analyses the measurements of an experiment.

    Raises:
        InputError: there is nothing to compare the control with.
    """
    if len(experiment.variants) < 2:
        raise InputError(
            expected=f"two arms of {experiment.name}, the first the control",
            found=f"{len(experiment.variants)}",
            next_command="refrain experiments declare --example",
        )
    weights = [variant.weight for variant in experiment.variants]
    ratio = sample_ratio(list(measured.sizes.values()), weights if experiment.mode == "fixed" else [1] * len(weights))
    comparisons: list[Comparison] = []
    for metric in measured.values:
        comparisons += _compare_arms(experiment, measured, metric, always)
    comparisons = _with_exploratory_verdicts(comparisons)
    needed = None
    control = measured.values.get(experiment.metric, {}).get(experiment.variants[0].name, np.zeros(0))
    if len(control) >= FEWEST and control.mean() and control.std():
        needed = listeners(float(control.mean()), float(control.std(ddof=1)), 0.02)
    verdict = _verdict(experiment, measured, ratio, comparisons)
    segments = _segments(experiment, measured)
    return Analysis(experiment, measured, ratio, comparisons, segments, needed, verdict)


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
                guardrail=_judge_guardrail(experiment, metric, compared_values[control], compared_values[arm]),
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
    is_deciding = comparison.metric == experiment.metric
    role = "decides" if is_deciding else "guardrail" if comparison.guardrail else ""
    verdict = _direction(p_value, effect)
    if role == "guardrail":
        verdict = comparison.guardrail
    return replace(comparison, p_adjusted=p_value, role=role, verdict=verdict)


def _direction(p_value: float, effect: Effect) -> str:
    return "no difference found" if p_value >= ALPHA else "higher" if effect.difference > 0 else "lower"


def _judge_guardrail(experiment: Experiment, metric: str, control: np.ndarray, treated: np.ndarray) -> str:
    guardrail = next((guardrail for guardrail in experiment.guardrails if guardrail.metric == metric), None)
    if guardrail is None:
        return ""
    judged = len(experiment.guardrails) * (len(experiment.variants) - 1)
    return guardrails.judge(guardrail, control, treated, alpha=ALPHA, judged=judged)


def _with_exploratory_verdicts(comparisons: list[Comparison]) -> list[Comparison]:
    """Corrects the metrics without a role together: they are many, and one of them differs by chance."""
    p_values = [comparison.p_adjusted for comparison in comparisons if not comparison.role]
    if not p_values:
        return comparisons
    corrected = iter(multipletests(p_values, ALPHA, method="fdr_bh")[1])
    return [
        comparison if comparison.role else _explored(comparison, float(next(corrected))) for comparison in comparisons
    ]


def _explored(comparison: Comparison, p_value: float) -> Comparison:
    verdict = _direction(p_value, comparison.adjusted or comparison.effect)
    return replace(comparison, p_adjusted=p_value, verdict=verdict)


def _segments(experiment: Experiment, measured: Measurements) -> dict[str, SegmentEffects]:
    """Compares each arm with the control by segments of what listeners did before."""
    values, before = measured.values.get(experiment.metric), measured.before.get(experiment.metric)
    if values is None or before is None:
        return {}
    control, *treated_arms = (variant.name for variant in experiment.variants)
    known = np.concatenate([part[~np.isnan(part)] for part in before.values()])
    middle = float(np.median(known)) if len(known) else 0.0
    segments = {arm: by_history(part, middle) for arm, part in before.items()}
    effects = {
        arm: compare_by_segment(values[control], values[arm], segments[control], segments[arm]) for arm in treated_arms
    }
    return {arm: effect for arm, effect in effects.items() if effect is not None}


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
