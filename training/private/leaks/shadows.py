"""Runs attacks on membership with shadow models: every world in turn is attacked, the others are its shadows."""

import math
from collections.abc import Callable

import numpy as np

from training.private.leaks import lira
from training.private.leaks.halves import halves, others
from training.private.leaks.leak import Leak, membership_question, of_rates, true_positives, undecided
from training.private.leaks.membership import loss_threshold
from training.private.leaks.people_sums import SumScores
from training.private.leaks.rates import FALSE_POSITIVES, rates

DECISIONS = 20_000
"""People who were not learned from that are decided about, at least, where there are enough worlds."""
FEWEST_PEOPLE = 50
"""People below which nothing is said: figures of so few are those of single people."""
MOST_WORLDS = 128
ABOUT = (
    "Halves of {people:,} {unit}s are learned from, {worlds} times; {attacked} of these models are attacked in turn, "
)


def worlds_for(people: int, least: int = 32) -> int:
    """Number of worlds that make ``DECISIONS``, even, within ``MOST_WORLDS``.

    >>> worlds_for(150), worlds_for(20_000)
    (128, 32)
    """
    return min(max(least, 2 * math.ceil(DECISIONS / max(people, 1) / 2)), MOST_WORLDS)


def too_few(part: str, people: int, unit: str = "person") -> list[Leak]:
    """The figures of so few people: undecided."""
    reason = f"{people:,} {unit}s, fewer than {FEWEST_PEOPLE}"
    return [
        undecided("lira", part, membership_question(unit), true_positives(limit), limit, people, reason)
        for limit in FALSE_POSITIVES
    ]


def attack_sums(part: str, scores: SumScores, attacked: int | None = None, unit: str = "person") -> list[Leak]:
    """Attacks worlds whose scores are known with and without every person (``people_sums``, ``rank_one``).

    Args:
        part: what is attacked.
        scores: scores of everybody in each world.
        attacked: number of worlds that are attacked; as many as make ``DECISIONS`` if None.
        unit: what a person is called.
    """
    worlds, people = scores.inside.shape
    if people < FEWEST_PEOPLE:
        return too_few(part, people, unit)
    count = min(attacked or math.ceil(DECISIONS / people), worlds)
    inside, outside = list[np.ndarray](), list[np.ndarray]()
    for world in range(count):
        shadows = others(worlds, world)
        confidence = np.concatenate([scores.inside[shadows], scores.outside[shadows]])
        is_member = np.repeat([True, False], len(shadows))[:, None] & np.ones(people, bool)
        for evidence, observed in ((inside, scores.inside[world]), (outside, scores.outside[world])):
            evidence.append(lira.attack(observed, confidence, is_member, pooled=True))
    about = ABOUT.format(people=people, worlds=worlds, attacked=count, unit=unit)
    about += "with and without each, by what all other models say."
    figures = rates(np.concatenate(inside), np.concatenate(outside))
    return of_rates("lira", part, unit, figures, FALSE_POSITIVES, count * people, about)


def attack_models(part: str, confidence: np.ndarray, is_in: np.ndarray, unit: str = "person") -> list[Leak]:
    """Attacks models that were fitted to the people of each world.

    Args:
        part: what is attacked.
        confidence: (worlds, people) confidence of each model in a person's true answers, logit-scaled or a negative
            loss.
        is_in: (worlds, people) who was learned from.
        unit: what a person is called, such as ``text``.
    """
    worlds, people = confidence.shape
    if people < FEWEST_PEOPLE:
        return too_few(part, people, unit)
    evidence = np.empty(confidence.shape)
    for world in range(worlds):
        shadows = others(worlds, world)
        evidence[world] = lira.attack(confidence[world], confidence[shadows], is_in[shadows], pooled=True)
    about = ABOUT.format(people=people, worlds=worlds, attacked=worlds, unit=unit) + "by what all other models say."
    decisions = int((~is_in).sum())
    by_ratio = of_rates("lira", part, unit, rates(evidence[is_in], evidence[~is_in]), FALSE_POSITIVES, decisions, about)
    by_loss = loss_threshold(-confidence[is_in], -confidence[~is_in]).rates
    return by_ratio + of_rates("loss_threshold", part, unit, by_loss, FALSE_POSITIVES, decisions, about)


def shadow_confidence(
    people: int,
    worlds: int,
    fit: Callable[[np.ndarray], np.ndarray],
    seed: int,
    progress: Callable[[int, int, str], None],
) -> tuple[np.ndarray, np.ndarray]:
    """Fits a model to each of the worlds: (worlds, people) confidence of all people, and who was learned from.

    Args:
        people: number of people.
        worlds: number of worlds.
        fit: function of the (people,) mask of those who are learned from to the (people,) confidence of the model.
        seed: seed of the worlds.
        progress: callback after each model.
    """
    is_in = halves(people, worlds, np.random.default_rng(seed))
    rows = []
    for world, mask in enumerate(is_in, 1):
        rows.append(fit(mask))
        progress(world, len(is_in), "shadow models")
    return np.array(rows), is_in
