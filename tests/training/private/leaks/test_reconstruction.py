"""Ratings from raw gradients, from sums of few people, and from two published sums."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from feature_repo.errors import InputError
from training.exact import gram
from training.models.recommendation.ease import primal
from training.private.leaks.differencing import from_difference, gram_from_weights
from training.private.leaks.parallel_rows import from_sums
from training.private.leaks.reconstruction import Reconstruction, from_gradients

RATE = 0.001


def uploads(
    ratings: np.ndarray, items: np.ndarray, regularization: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Sums of two consecutive gradients of people (people, items) whose rating of 0 is none."""
    first, second = np.zeros(items.shape), np.zeros(items.shape)
    for row in ratings:
        rated, person = row > 0, rng.normal(0, 0.1, items.shape[1])
        for total in (first, second):
            errors = row[rated] - items[rated] @ person
            total[rated] += -2 * np.outer(errors, person) + 2 * regularization * items[rated]
            person = person + 2 * RATE * errors @ items[rated] - 2 * RATE * regularization * person
    return first, second


def share_known(result: Reconstruction, ratings: np.ndarray) -> float:
    """Share of a person's ratings that are known, where nothing else is claimed."""
    known = np.zeros(len(ratings))
    known[result.items] = np.nan_to_num(result.ratings)
    return float((np.abs(known - ratings) < 0.5)[ratings > 0].mean())


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), factors=st.integers(2, 16), regularization=st.sampled_from([0.0, 0.01]))
def test_all_ratings_are_known_from_two_raw_gradients(seed: int, factors: int, regularization: float) -> None:
    rng = np.random.default_rng(seed)
    ratings = np.where(rng.random(60) < 0.3, rng.integers(1, 6, 60), 0)
    ratings[0] = 3
    items = rng.normal(0, 0.1, (60, factors))
    first, second = uploads(ratings[None], items, regularization, rng)
    result = from_gradients(first, second, items, items, rate=RATE, regularization=regularization)
    assert result.items.tolist() == np.flatnonzero(ratings).tolist()
    assert result.ratings == pytest.approx(ratings[ratings > 0], abs=1e-3)
    assert result.fit == pytest.approx(1)


def test_listeners_of_movielens_are_known_raw_and_hidden_in_large_sums(movielens: Path) -> None:
    rows = np.loadtxt(movielens / "u.data", dtype=int)
    ratings = np.zeros((rows[:, 0].max(), rows[:, 1].max()), int)
    ratings[rows[:, 0] - 1, rows[:, 1] - 1] = rows[:, 2]
    rng = np.random.default_rng(0)
    items = rng.normal(0, 0.1, (ratings.shape[1], 16))
    people = rng.permutation(len(ratings))
    raw = []
    for person in people[:20]:
        first, second = uploads(ratings[[person]], items, 0.01, rng)
        result = from_gradients(first, second, items, items, rate=RATE, regularization=0.01)
        raw.append(share_known(result, ratings[person]))
    assert min(raw) >= 0.95
    for regularization in (0.0, 0.01):
        first, second = uploads(ratings[people[:3]], items, regularization, rng)
        apart = from_sums(first, second, items, items, rate=RATE, regularization=regularization)
        assert min(max(share_known(one, ratings[person]) for one in apart) for person in people[:3]) > 0.95
    first, second = uploads(ratings[people[:60]], items, 0.0, rng)
    whole = from_gradients(first, second, items, items, rate=RATE)
    assert whole.fit < 0.9
    guesses = [whole, *from_sums(first, second, items, items, rate=RATE)]
    assert max(max(share_known(one, ratings[person]) for one in guesses) for person in people[:60]) < 0.25


def test_a_difference_of_two_sums_is_the_person() -> None:
    rng = np.random.default_rng(1)
    rows = sparse.csr_array((rng.random((30, 12)) < 0.3).astype(np.int64))
    whole = gram.count(rows)[gram.NAME].toarray()
    for person in range(30):
        others = gram.count(rows[np.delete(np.arange(30), person)])[gram.NAME].toarray()
        history = rows[[person]].toarray()[0].tolist()
        assert from_difference(whole, others).tolist() == history
        assert from_difference(others, whole).tolist() == history
    weighted = sparse.csr_array(np.array([[0.5, 0.0, 1.25]]))
    scaled = gram.count(gram.rounded(weighted, 4))[gram.NAME].toarray()
    assert from_difference(scaled, np.zeros((3, 3), np.int64), bits=4).tolist() == [0.5, 0.0, 1.25]
    noised = whole + np.triu(rng.integers(-5, 6, whole.shape))
    for other in (noised, gram.count(rows[2:])[gram.NAME].toarray()):
        with pytest.raises(InputError, match="one person"):
            from_difference(whole, other)


def test_the_weights_of_ease_are_its_sums() -> None:
    rng = np.random.default_rng(2)
    rows = sparse.csr_array((rng.random((300, 25)) < rng.beta(1, 4, 25)).astype(np.int64))
    rows = rows[:, np.flatnonzero(rows.sum(axis=0) > 0)]
    counts = gram.count(rows)[gram.NAME]
    weights = primal(counts, 0, 20.0)
    assert gram_from_weights(weights, 20.0).tolist() == counts.toarray().tolist()
    for bad in (weights.astype(np.float16).astype(float), np.zeros((3, 3))):
        with pytest.raises(InputError, match="exact weights"):
            gram_from_weights(bad, 20.0)


def test_nothing_and_what_does_not_fit() -> None:
    zeros, items = np.zeros((4, 3)), np.ones((4, 3))
    nothing = from_gradients(zeros, zeros, items, items, rate=RATE)
    assert (len(nothing.items), len(nothing.ratings), nothing.fit) == (0, 0, 0.0)
    assert from_sums(zeros, zeros, items, items, rate=RATE) == []
    for first in (np.zeros((4, 1)), np.zeros((5, 3)), np.full((4, 3), np.nan)):
        with pytest.raises(InputError, match="two gradients"):
            from_gradients(first, zeros, items, items, rate=RATE)
