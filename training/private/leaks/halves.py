"""Random halves of people: the worlds that attacked and shadow models learn from."""

import numpy as np


def halves(people: int, worlds: int, rng: np.random.Generator) -> np.ndarray:
    """(worlds, people) True where a person is in a world; each is in half of the worlds.

    Worlds are drawn in pairs, of which the second has whom the first has not.

    Args:
        people: number of people.
        worlds: number of worlds, an even one; one more is drawn of an odd number.
        rng: source of chance.

    >>> drawn = halves(5, 4, np.random.default_rng(0))
    >>> drawn.shape, drawn.sum(axis=0).tolist()
    ((4, 5), [2, 2, 2, 2, 2])
    """
    first = rng.random(((worlds + 1) // 2, people)) < 0.5
    return np.stack([first, ~first], axis=1).reshape(-1, people)


def others(worlds: int, attacked: int) -> np.ndarray:
    """(worlds − 2,) numbers of the worlds that shadow the attacked one: neither itself nor its opposite.

    >>> others(6, 3).tolist()
    [0, 1, 4, 5]
    """
    return np.array([world for world in range(worlds) if world // 2 != attacked // 2], np.int64)
