"""Gates on figures that are too good: near-perfect tests, and test rows that the model has learned from."""

from collections.abc import Iterator

import numpy as np

from training.models.base import Gates
from training.validation.check import Check
from training.validation.comparison import in_words, superiority
from training.validation.evidence import Evidence

AREA = 0.99
"""Area under the ROC curve from which on a test is near-perfect."""
REMAINING_LOSS = 0.03
"""Share of a baseline's loss below which a test is near-perfect."""
BOUNDED_FIGURE = 0.99
"""Mean of a metric between 0 and 1 from which on a test is near-perfect."""
MOST_COPIES = 0.01
"""Share of copies among the test units up to which they are left alone."""
COPY, ENTITY = "copy", "entity"
"""Values of ``Evidence.familiar``."""


def near_perfect(evidence: Evidence, gates: Gates) -> Check:
    """Checks whether the figures are believable: a near-perfect test needs a reason that the model's gates name."""
    description = describe_near_perfect(evidence)
    if not description:
        return Check("near-perfect test", True, "the test is not near-perfect")
    if gates.near_perfect:
        return Check("near-perfect test", True, f"{description}; to be believed because {gates.near_perfect}")
    return Check("near-perfect test", False, f"{description}: a leak, unless Gates(near_perfect=…) names a reason")


def describe_near_perfect(evidence: Evidence) -> str:
    """Says what is near-perfect about a test; an empty text if nothing is."""
    from training.evaluate.probabilities import probability_metrics

    if len(evidence.chance):
        area = probability_metrics(evidence.outcome, evidence.chance).roc_auc
        if area >= AREA:
            return f"area under the ROC curve {area:.4f}"
    figure = evidence.figure().mean
    if evidence.higher_is_better:
        is_bounded = all(np.nanmax(values, initial=0) <= 1 for values in evidence.values.values())
        return f"{evidence.metric} {figure:.4f}" if is_bounded and figure >= BOUNDED_FIGURE else ""
    # the worst baseline: what a model learns from a leak, another one in the test may have learned, too
    worst = max((evidence.figure(name).mean for name in evidence.baselines), default=np.nan)
    is_suspicious = worst > 0 and 0 <= figure < REMAINING_LOSS * worst
    return f"{evidence.metric} {figure:.4g} beside {worst:.4g} of a baseline" if is_suspicious else ""


def check_familiar_units(evidence: Evidence, gates: Gates) -> Iterator[Check]:
    """Yields checks of test units that the model has learned from: what it gains must hold without them, too."""
    if not len(evidence.familiar):
        return
    is_copy, is_known_entity = evidence.familiar == COPY, np.isin(evidence.familiar, (COPY, ENTITY))
    copies = float(is_copy.mean())
    if copies <= MOST_COPIES:
        yield Check("duplicates", True, f"{copies:.1%} of the test units are copies of training rows")
    else:
        yield _holds_without("duplicates", evidence, gates, ~is_copy, f"{copies:.1%} are copies of training rows")
    if evidence.familiar.size and (evidence.familiar == ENTITY).any():
        summary = f"{is_known_entity.mean():.1%} of the test units are of entities that were learned from"
        yield Check("known entities", True, summary, binding=False)


def _holds_without(name: str, evidence: Evidence, gates: Gates, units: np.ndarray, found: str) -> Check:
    gains = {
        baseline: evidence.gain(baseline, units=units) for baseline in evidence.baselines if baseline not in gates.plain
    }
    outcomes = {baseline: superiority(gain, gates.fewest) for baseline, gain in gains.items()}
    words = "; ".join(in_words(gain, baseline) for baseline, gain in gains.items())
    message = f"{found}; without them {words or 'nothing is left to compare'}"
    passed = bool(gains) and all(outcome == "pass" for outcome in outcomes.values())
    return Check(name, passed, message, undecided=not passed and "fail" not in outcomes.values())
