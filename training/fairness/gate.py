"""Checks the limits that a project declares, with intervals: pass, fail, or undecided where it is too small to tell."""

from collections.abc import Sequence
from dataclasses import replace

from training.fairness.figure import OF_PEOPLE, TIMES, TOO_SMALL, Figure
from training.fairness.rates import Gap, gaps
from training.fairness.settings import LEAST, FairnessSettings
from training.validation.check import Check
from training.validation.gates import Decision

PREFIX = "fairness: "
"""Begins the names of the checks."""


def check_limits(figures: Sequence[Figure], settings: FairnessSettings) -> list[Check]:
    """Checks every declared limit against every division that it binds on.

    A limit binds on each division, and on those intersections that are declared as ``crossed``. A version passes if the
    whole interval keeps the limit, and fails if the whole interval is beyond it. A group that is too small to tell does
    not count; if fewer than two of a division are large enough, the limit is undecided, as is that of an intersection
    whose figure is not there: a name of ``crossed`` that is no division of the model's, say.

    Args:
        figures: figures of the version.
        settings: what the project declares.
    """
    checks = []
    for name, limit in settings.limits.items():
        gap = gaps().get(name)
        bound = [figure for figure in figures if figure.metric == name and _binds(figure, gap, settings)]
        if not bound:
            summary = f"limit {limit:g}: the test has no such figure; {TOO_SMALL}"
            checks.append(Check(f"{PREFIX}{name}", False, summary, undecided=True))
        for figure in bound:
            where = f" by {figure.division}" if figure.division else ""
            checks.append(_check(f"{PREFIX}{name}{where}", figure, limit, at_least=_at_least(name, gap)))
        for names in settings.crossed if any(figure.about == OF_PEOPLE and figure.is_gap for figure in bound) else ():
            if not any(set(figure.division.split(TIMES)) == set(names) for figure in bound):
                summary = f"limit {limit:g}: the test has no figure by {' and '.join(names)}; {TOO_SMALL}"
                checks.append(Check(f"{PREFIX}{name} by {TIMES.join(names)}", False, summary, undecided=True))
    return checks


def with_limits(decision: Decision, figures: Sequence[Figure], settings: FairnessSettings) -> Decision:
    """Returns a decision with the limits as they are declared now in place of those of its time."""
    others = [check for check in decision.checks if not check.name.startswith(PREFIX)]
    return replace(decision, checks=(*others, *check_limits(figures, settings)))


def _binds(figure: Figure, gap: Gap | None, settings: FairnessSettings) -> bool:
    if gap is None:
        return not figure.division
    if figure.is_crossed:
        return set(figure.division.split(TIMES)) in map(set, settings.crossed)
    return figure.is_gap


def _at_least(name: str, gap: Gap | None) -> bool:
    return name in LEAST if gap is None else gap.is_better_high


def _check(name: str, figure: Figure, limit: float, *, at_least: bool) -> Check:
    words = f"limit {'at least' if at_least else 'at most'} {limit:g}"
    left_out = f"; {TOO_SMALL}: {', '.join(figure.left_out)}" if figure.left_out else ""
    interval = figure.interval
    if interval is None or not interval.low <= interval.high:
        return Check(name, False, f"{TOO_SMALL}; {words}{left_out}", undecided=True)
    sign = 1 if at_least else -1
    is_kept = min(sign * (interval.low - limit), sign * (interval.high - limit)) >= 0
    is_beyond = max(sign * (interval.low - limit), sign * (interval.high - limit)) < 0
    return Check(name, is_kept, f"{interval}; {words}{left_out}", undecided=not is_kept and not is_beyond)
