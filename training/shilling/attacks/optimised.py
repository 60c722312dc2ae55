"""The strongest of the attacks that follow from EASE's closed form; the attacker knows the model and every play.

Three kinds of fakes are made and judged exactly (``Known.reach``), and the best is taken: equal fakes with fillers by
greedy steps, of several lengths; groups of them, each for listeners whom the groups before do not reach; copies of
the real listeners who are won most easily, one or more for each.
"""

from collections.abc import Iterator

import numpy as np

from training.shilling.attacks.contract import Attack, with_target
from training.shilling.attacks.greedy_fillers import greedy_fillers
from training.shilling.known import Known

LENGTHS = (3, 6, 10, 16, 30, 60)
GROUP = 4
"""Fakes of a group."""


def make(known: Known, target: int, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Returns the plan with the largest reach."""
    best = max(plans(known, target, count), key=lambda fillers: known.reach(_targeted(fillers, target), target))
    return [with_target(fillers, target, rng) for fillers in best]


def plans(known: Known, target: int, count: int) -> Iterator[list[np.ndarray]]:
    """Yields lists of fillers, one list for each fake."""
    everybody = np.ones(len(known.threshold))
    path = greedy_fillers(known, target, count, max(LENGTHS), everybody)
    for length in LENGTHS:
        yield [path[:length]] * count
    for length in (LENGTHS[2], LENGTHS[4]):
        worth, groups = everybody, list[np.ndarray]()
        while len(groups) < count:
            size = min(GROUP, count - len(groups))
            fillers = greedy_fillers(known, target, size, length, worth)
            groups += [fillers] * size
            worth = np.where(known.margins(_targeted(groups, target), target) > 0, 0.02, 1.0)
        yield groups
    order = easiest(known, target)
    for copies in (1, 2, 3, 5):
        chosen = np.resize(np.repeat(order[: max(count // copies, 1)], copies), count)
        yield [known.profile(listener) for listener in chosen.tolist()]


def easiest(known: Known, target: int) -> np.ndarray:
    """Listeners by how far copies of their profile take them over their threshold, the easiest first."""
    own = 1 - known.regularization * np.diag(known.inverse)
    length = np.diff(known.played.indptr)
    has_target = known.played[:, [target]].toarray().ravel() > 0
    return np.argsort(np.where(has_target | (length < 2), np.inf, known.threshold - own / 2), kind="stable")


def _targeted(fillers: list[np.ndarray], target: int) -> list[np.ndarray]:
    return [np.append(each, target) for each in fillers]


ATTACK = Attack("optimised", "the strongest plan by EASE's closed form, of a person who knows model and plays", make)
