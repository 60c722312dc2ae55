"""Computes all figures of a version, when it is registered or afterwards from its stored evidence."""

from itertools import combinations

from training.fairness.by_group import figures_of_evidence
from training.fairness.figure import Figure
from training.fairness.lists import Lists, figures_of_lists
from training.fairness.people import division_of
from training.fairness.settings import FairnessSettings
from training.validation.evidence import MODEL_KEY, Evidence


def measure(evidence: Evidence | None, settings: FairnessSettings, shown: Lists | None = None) -> list[Figure]:
    """Computes the figures by group of people, and of those whose work the lists show.

    Args:
        evidence: evidence of the test; None if there is none.
        settings: what the project declares.
        shown: the lists of the same units, of a model that shows lists.
    """
    if evidence is None or not len(evidence.units) or MODEL_KEY not in evidence.values:
        return []
    measures = None if shown is None else shown.measures()
    pairs = settings.crossed or tuple(combinations(map(division_of, settings.groups), 2))
    figures = figures_of_evidence(evidence, threshold=settings.threshold, pairs=pairs, shown=measures)
    return [*figures, *(() if shown is None else figures_of_lists(shown))]
