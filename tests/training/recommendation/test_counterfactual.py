"""Without which plays another track comes first: by really taking them away and asking again, and by all subsets."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from training.datasets.interactions import Interactions
from training.explain.counterfactual import removal_of
from training.models.recommendation.ease import EASE
from training.models.recommendation.weighting import Weighting
from transforms.pure.candidates.counterfactual import search_removal, smallest_removal


def first_of(scores: np.ndarray) -> int:
    return int(np.argsort(-scores, kind="stable")[0])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 100_000))
def test_the_removal_is_the_smallest_of_all_subsets(seed: int) -> None:
    rng = np.random.default_rng(seed)
    parts = np.round(rng.normal(size=(5, 6)), 1)  # with ties
    rest = np.round(rng.normal(size=5), 1) * 2**-1
    parts, rest = parts * 2, rest * 2  # sums that are exact
    parts, rest = np.rint(parts * 10), np.rint(rest * 10)
    first = first_of(rest + parts.sum(axis=1))

    def without(removed: tuple[int, ...]) -> int:
        kept = [reason for reason in range(6) if reason not in removed]
        return first_of(rest + parts[:, kept].sum(axis=1))

    removal = smallest_removal(parts, rest, first)
    sizes = [size for size in range(1, 7) if any(without(each) != first for each in combinations(range(6), size))]
    if not sizes:
        assert removal is None
        return
    assert removal is not None
    assert len(removal[0]) == sizes[0]
    assert without(tuple(removal[0].tolist())) == removal[1] != first


def test_nothing_to_take_away() -> None:
    assert smallest_removal(np.zeros((3, 0)), np.array([2.0, 1.0, 0.0]), 0) is None
    assert smallest_removal(np.ones((1, 2)), np.zeros(1), 0) is None
    assert smallest_removal(np.array([[1.0], [5.0]]), np.array([9.0, 0.0]), 0) is None


def test_a_search_is_bounded_and_what_it_says_holds() -> None:
    rng = np.random.default_rng(0)
    for _ in range(40):
        needed = frozenset(rng.choice(30, rng.integers(1, 4), replace=False).tolist())
        calls: list[frozenset[int]] = []

        def ask(without: frozenset[int], needed: frozenset[int] = needed, calls: list[frozenset[int]] = calls) -> int:
            calls.append(without)
            return 7 if needed <= without else 1

        removal = search_removal(ask, 1, list(range(30)), 20)
        assert len(calls) <= 20
        if removal is not None:
            assert needed <= removal[0]
            assert removal[1] == 7
    assert search_removal(lambda without: 1, 1, list(range(30)), 20) is None
    assert search_removal(lambda without: None, 1, [], 20) is None


@pytest.mark.parametrize("shape", [(30, 80), (80, 30)])
@pytest.mark.parametrize("history", [Weighting(), Weighting(logarithm=True)])
def test_taking_the_plays_away_and_asking_again_puts_the_other_track_first(
    shape: tuple[int, int], history: Weighting
) -> None:
    """Both forms of EASE: the removed plays leave the history, and the model answers again."""
    rng = np.random.default_rng(0)
    users, tracks = shape
    taste = rng.integers(0, 3, users)[:, None] == rng.integers(0, 3, tracks)[None, :]
    user, track = np.nonzero(rng.random(shape) < np.where(taste, 0.4, 0.08))
    plays = Interactions(
        [f"u{number:02}" for number in range(users)],
        [f"t{number:02}" for number in range(tracks)],
        [f"a{number % 7}" for number in range(tracks)],
        user,
        track,
        np.zeros(len(user), np.int64),
        rng.integers(1, 9, len(user)).astype(float),
    )
    fit = EASE(5.0, Weighting(), history).fit(plays, 1)
    full = history.matrix(plays.before(1), 1)
    place = {name: number for number, name in enumerate(plays.track_ids)}
    explained = 0
    for number in range(12):
        removal = removal_of(fit, plays, number)
        row = sparse.csr_array(full[[number]]).toarray()[0]

        def ask(without: set[int], row: np.ndarray = row) -> str:
            changed = row.copy()
            changed[list(without)] = 0
            scores = fit.score_histories(sparse.csr_array(changed[None]))[0]
            scores = np.where(row > 0, -np.inf, scores)
            return f"t{first_of(scores):02}"

        assert ask(set()) == removal.track
        if removal.instead_of_tracks is not None:
            explained += 1
            assert ask({place[name] for name in removal.tracks}) == removal.instead_of_tracks != removal.track
            singles = {ask({heard}) for heard in np.flatnonzero(row).tolist()} - {removal.track}
            assert bool(singles) == (len(removal.tracks) == 1)
        if removal.instead_of_artists is not None:
            of_artists = {t for t in range(tracks) if plays.artist_ids[t] in removal.artists}
            assert ask(of_artists) == removal.instead_of_artists
    assert explained >= 8
