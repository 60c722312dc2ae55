"""Computes the figures of all rates and gaps, by group of people."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from training.fairness.divisions import crossed, membership
from training.fairness.figure import FEWEST, OF_PEOPLE, Figure
from training.fairness.rates import Answers, Gap, Parts, Rate, gaps, rates
from training.fairness.resampling import Ratios, largest_difference, resample, smallest_ratio
from training.validation.bootstrap import Interval
from training.validation.evidence import MODEL_KEY, Evidence


def figures_of_evidence(
    evidence: Evidence,
    *,
    threshold: float = 0.5,
    pairs: Iterable[tuple[str, ...]] | None = None,
    shown: Mapping[str, np.ndarray] | None = None,
) -> list[Figure]:
    """Computes all figures that the evidence of a test allows, by segment.

    Args:
        evidence: the evidence.
        threshold: chance from which a unit is selected.
        pairs: divisions to cross; all pairs if None.
        shown: measures of the list of each unit, of a model that shows lists.
    """
    answers = Answers(
        evidence.metric, evidence.values[MODEL_KEY], evidence.outcome, evidence.chance, threshold, shown or {}
    )
    return list(figures_by_group(answers, evidence.segments, evidence.grouped, pairs=pairs))


def figures_by_group(
    answers: Answers,
    divisions: Mapping[str, np.ndarray],
    clusters: np.ndarray,
    *,
    pairs: Iterable[tuple[str, ...]] | None = None,
    fewest: int = FEWEST,
) -> Iterator[Figure]:
    """Yields the rates of all units, then of each group, and the gaps between the groups, division by division.

    Args:
        answers: answers to n units.
        divisions: division → (n,) group of each unit; empty for unknown.
        clusters: (n,) cluster of each unit, such as the person.
        pairs: divisions to cross; all pairs if None.
        fewest: fewest clusters of a group.
    """
    parts = {name: (rate, each) for name, rate in rates().items() if (each := rate.parts(answers)) is not None}
    everyone = {"": np.full(len(clusters), "all")}
    for division, groups in {**everyone, **divisions, **crossed(divisions, pairs)}.items():
        names, belongs = membership(groups)
        if not names:
            continue
        by_rate = _by_rate(parts, belongs, clusters)
        for name, ratios in by_rate.items():
            yield from _of_groups(parts[name][0], division, names if division else [""], ratios, fewest)
        if division:
            yield from _gaps(by_rate, division, names, fewest)


def _by_rate(parts: Mapping[str, tuple[Rate, Parts]], belongs: np.ndarray, clusters: np.ndarray) -> dict[str, Ratios]:
    """Resamples all rates together, so that one draw of clusters serves them all."""
    tops, bottoms = [], []
    for _, (top, bottom) in parts.values():
        counts = np.isfinite(top) & np.isfinite(bottom)
        tops.append(np.where(counts, top, 0.0)[:, None] * belongs)
        bottoms.append(np.where(counts, bottom, 0.0)[:, None] * belongs)
    ratios, width = resample(np.hstack(tops), np.hstack(bottoms), clusters), belongs.shape[1]
    return {name: ratios.take(slice(place * width, (place + 1) * width)) for place, name in enumerate(parts)}


def _of_groups(rate: Rate, division: str, names: list[str], ratios: Ratios, fewest: int) -> Iterator[Figure]:
    for number, group in enumerate(names):
        clusters = int(ratios.clusters[number])
        interval = None if clusters < fewest else _less(ratios.interval(number), rate.less)
        yield Figure(rate.name, division, group, interval, clusters)


def _less(interval: Interval, number: float) -> Interval:
    return replace(interval, mean=interval.mean - number, low=interval.low - number, high=interval.high - number)


def _gaps(by_rate: Mapping[str, Ratios], division: str, names: list[str], fewest: int) -> Iterator[Figure]:
    for gap in gaps().values():
        if not gap.of_lists and set(gap.rates) <= set(by_rate):
            yield gap_figure(gap, [by_rate[name] for name in gap.rates], division, names, fewest, OF_PEOPLE)


def gap_figure(gap: Gap, ratios: list[Ratios], division: str, names: list[str], fewest: int, about: str) -> Figure:
    """Compares the groups that are large enough for every rate of a gap; too small to tell if fewer than two are."""
    sizes = np.min([ratio.clusters for ratio in ratios], axis=0)
    enough = (sizes >= fewest) & np.isfinite([ratio.values for ratio in ratios]).all(axis=0)
    left_out = tuple(name for name, kept in zip(names, enough, strict=True) if not kept)
    if enough.sum() < 2:
        return Figure(gap.name, division, "", None, int(sizes.min(initial=0)), True, left_out, about)
    kept = [ratio.take(enough) for ratio in ratios]
    if gap.kind == "ratio":
        interval = smallest_ratio(kept[0])
    else:
        is_share = [rates()[name].is_share for name in gap.rates]
        interval = largest_difference(kept, is_share=is_share)
    return Figure(gap.name, division, "", interval, int(sizes[enough].min()), True, left_out, about)
