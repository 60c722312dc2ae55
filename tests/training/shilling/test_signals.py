"""Signals of a profile equal naive computations, and know neither names nor the order of listeners."""

from collections.abc import Callable
from math import comb, log, log10

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from training.datasets import Interactions
from training.shilling.detection import matrix
from training.shilling.signals.burst import DAYS, burst
from training.shilling.signals.coherence import FEWEST, coherence
from training.shilling.signals.likeness import CROWD, SLACK, likeness
from training.shilling.signals.spectral import spectral

DAY = 86_400_000_000


def random_plays(seed: int, people: int = 14, tracks: int = 17, count: int = 120) -> Interactions:
    rng = np.random.default_rng(seed)
    user, track = rng.integers(people, size=count), rng.integers(tracks, size=count)
    times = np.sort(rng.integers(20 * DAY, size=count))
    ids = [[f"{kind}{number:03}" for number in range(size)] for kind, size in (("u", people), ("t", tracks))]
    return Interactions(*ids, [None] * tracks, user, track, times)


def profiles(plays: Interactions) -> list[set[int]]:
    return [set(plays.track[plays.user == user].tolist()) for user in range(plays.shape[0])]


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_likeness_is_that_of_all_pairs(seed: int) -> None:
    plays = random_plays(seed)
    sets = profiles(plays)
    people = len(sets)
    says = {track: log(people / sum(track in own for own in sets)) for track in set.union(*sets)}

    def alike(one: set[int], other: set[int]) -> float:
        total = (sum(says[track] for track in one) * sum(says[track] for track in other)) ** 0.5
        return sum(says[track] for track in one & other) / (total + SLACK)

    result = likeness(matrix(plays))
    for user in range(people):
        others = sorted((alike(sets[user], sets[other]) for other in range(people) if other != user), reverse=True)
        assert result.nearest[user] == pytest.approx(others[0])
        assert result.crowd[user] == pytest.approx(np.mean(others[:CROWD]))
        if result.neighbour[user] >= 0:
            assert alike(sets[user], sets[result.neighbour[user]]) == pytest.approx(others[0])


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_coherence_is_the_mean_over_pairs(seed: int) -> None:
    plays = random_plays(seed)
    sets = profiles(plays)
    listeners = [sum(track in own for own in sets) for track in range(plays.shape[1])]
    values = coherence(matrix(plays))
    for own, value in zip(sets, values, strict=True):
        if len(own) < FEWEST:
            assert np.isnan(value)
            continue
        pairs = [
            (sum({one, other} <= each for each in sets) - 1) / (listeners[one] * listeners[other]) ** 0.5
            for one in own
            for other in own
            if one != other
        ]
        assert value == pytest.approx(np.mean(pairs))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_burst_is_a_binomial_tail(seed: int) -> None:
    plays = random_plays(seed, count=60)
    sets = profiles(plays)
    starts = {user: int(plays.time[plays.user == user].min()) for user, own in enumerate(sets) if own}
    pairs = sum(len(own) for own in sets)

    def near(user: int, other: int) -> bool:
        return other != user and abs(starts[other] - starts[user]) <= DAYS * DAY

    evidence, about = burst(plays)
    for user, own in enumerate(sets):
        best = 0.0
        for track in own:
            others = [other for other in starts if other != user and track in sets[other]]
            share = sum(near(user, other) for other in starts) / (len(starts) - 1)
            count = sum(near(user, other) for other in others)
            tail = sum(
                comb(len(others), number) * share**number * (1 - share) ** (len(others) - number)
                for number in range(count, len(others) + 1)
            )
            best = max(best, -log10(tail) - log10(pairs)) if others and tail > 0 else best
        assert evidence[user] == pytest.approx(best, abs=1e-6)
        assert (about[user] >= 0) == (evidence[user] > 0)


def test_loadings_are_those_of_the_dense_components() -> None:
    rng = np.random.default_rng(2)
    played = (rng.random((30, 50)) < 0.3).astype(float)
    dense = (played - played.mean(axis=1, keepdims=True)) / played.std(axis=1, keepdims=True)
    left = np.linalg.svd(dense, full_matrices=False)[0][:, :3]
    np.testing.assert_allclose(spectral(sparse.csr_array(played)), -np.square(left).sum(axis=1), atol=1e-6)


SIGNALS: dict[str, Callable[[Interactions], np.ndarray]] = {
    "nearest": lambda plays: likeness(matrix(plays)).nearest,
    "crowd": lambda plays: likeness(matrix(plays)).crowd,
    "coherence": lambda plays: coherence(matrix(plays)),
    "burst": lambda plays: burst(plays)[0],
}


@pytest.mark.parametrize("name", SIGNALS)
def test_the_order_of_listeners_does_not_matter(name: str) -> None:
    plays = random_plays(1)
    number = np.random.default_rng(3).permutation(plays.shape[0])
    turned = Interactions(
        plays.user_ids, plays.track_ids, plays.artist_ids, number[plays.user], plays.track, plays.time
    )
    np.testing.assert_allclose(SIGNALS[name](turned)[number], SIGNALS[name](plays), atol=1e-9)
