"""Models that are solved from sums without a person have the bits of those trained where the person never was."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse
from threadpoolctl import threadpool_limits

from training.datasets import Interactions
from training.exact import gram, walks
from training.exact.solve import inverse
from training.exact.sums import Sums, Table
from training.models.recommendation import segments
from training.models.recommendation.ease import EASE, DualFit
from training.models.recommendation.item_knn import ItemKNN
from training.models.recommendation.popularity import Popularity
from training.models.recommendation.rp3beta import RP3Beta
from training.models.recommendation.transitions import Transitions
from training.models.recommendation.weighting import Weighting

DAY = 86_400_000_000
CUTOFF = 45 * DAY
USERS, TRACKS, OWN = 60, 31, 17
"""``OWN`` is a track that only listener 3 plays."""
COUNTS = EASE(training_weighting=Weighting(logarithm=True, half_life_days=20.0))


@pytest.fixture(scope="module")
def plays() -> Interactions:
    rng = np.random.default_rng(8)
    user, track = rng.integers(USERS, size=2_500), rng.integers(TRACKS - 1, size=2_500)
    track += track >= OWN
    track[np.flatnonzero(user == 3)[:2]] = OWN
    times = np.sort(rng.integers(60 * DAY, size=2_500))
    return Interactions(
        [f"u{n:02}" for n in range(USERS)], [f"t{n:02}" for n in range(TRACKS)], [None] * 31, user, track, times
    )


def never(plays: Interactions, people: list[int]) -> tuple[Interactions, np.ndarray]:
    """The plays where some people never were: neither their numbers nor tracks that nobody else plays are there."""
    rest = plays.only(~np.isin(plays.user, people))
    users, user = np.unique(rest.user, return_inverse=True)
    tracks, track = np.unique(rest.track, return_inverse=True)
    assert set(range(TRACKS)) - set(tracks.tolist()) == {OWN} & ({OWN} if 3 in people else set())
    world = replace(
        rest,
        user_ids=[plays.user_ids[number] for number in users.tolist()],
        track_ids=[plays.track_ids[number] for number in tracks.tolist()],
        artist_ids=[None] * len(tracks),
        user=user,
        track=track,
    )
    return world, tracks


def dense(table: sparse.csr_array | np.ndarray) -> np.ndarray:
    return np.atleast_2d(table) if isinstance(table, np.ndarray) else table.toarray()


SOLVED: dict[str, tuple[Callable[[Interactions], Sums], Callable[[Sums], sparse.csr_array | np.ndarray]]] = {
    "ease": (lambda plays: gram.count(EASE().rows(plays, CUTOFF)), EASE().solve),
    "ease of weights": (lambda plays: gram.count(COUNTS.rows(plays, CUTOFF)), COUNTS.solve),
    "item_knn": (
        lambda plays: gram.count(gram.rounded(Weighting().matrix(plays.before(CUTOFF), CUTOFF), 0)),
        ItemKNN(9).solve,
    ),
    "rp3beta": (lambda plays: walks.count(Weighting().matrix(plays.before(CUTOFF), CUTOFF), 1.0), RP3Beta().solve),
    "transitions": (lambda plays: Transitions(half_life_days=9.0).count(plays, CUTOFF), Transitions().solve),
    "popularity": (lambda plays: Popularity(days=20).count(plays, CUTOFF), Popularity().solve),
}


@pytest.mark.parametrize("people", [[3], [0, 3, 41, 59]], ids=["one person", "four people"])
@pytest.mark.parametrize("name", SOLVED)
def test_a_model_without_people_is_that_of_the_world_without_them(
    name: str, people: list[int], plays: Interactions
) -> None:
    count, solve = SOLVED[name]
    world, tracks = never(plays, people)
    subtracted = dense(solve(count(plays) - count(plays.only(np.isin(plays.user, people)))))
    trained = dense(solve(count(world)))
    kept = subtracted[:, tracks] if len(subtracted) == 1 else subtracted[tracks][:, tracks]
    assert kept.tobytes() == trained.tobytes() and np.any(trained)
    left_out = np.delete(subtracted, tracks, axis=1)
    assert not left_out.any()
    with_them = dense(solve(count(plays)))
    assert with_them.tobytes() != subtracted.tobytes()


def test_a_fit_is_the_solution_of_its_sums(plays: Interactions) -> None:
    for name, model in (("ease", EASE()), ("item_knn", ItemKNN(9)), ("rp3beta", RP3Beta())):
        count, solve = SOLVED[name]
        fit = model.fit(plays, CUTOFF)
        assert not isinstance(fit, DualFit)
        assert dense(fit.weights).tobytes() == dense(solve(count(plays))).tobytes(), name
    assert Popularity(days=20).fit(plays, CUTOFF).track.sum() == (plays.before(CUTOFF).time >= 25 * DAY).sum()


def test_segments_that_only_one_person_had_are_gone(plays: Interactions) -> None:
    of_user = {user: ("SE", "SE 1930s") if user == 3 else ("SE",) for user in range(USERS)}
    world, tracks = never(plays, [3])
    rest = segments.count(plays, CUTOFF, of_user) - segments.count(plays.only(plays.user == 3), CUTOFF, of_user)
    left, trained = (
        segments.solve(rest),
        segments.count_popularity(world, CUTOFF, dict.fromkeys(range(USERS - 1), ("SE",))),
    )
    assert left.names == trained.names == ("SE",) and left.plays.tobytes() == trained.plays.tobytes()
    assert left.of_all[tracks].tobytes() == trained.of_all.tobytes()


def test_the_inverse_is_the_same_with_any_number_of_threads() -> None:
    rng = np.random.default_rng(1)
    half = rng.normal(size=(300, 300))
    matrix = half @ half.T + np.eye(300)
    inverses = []
    for threads in (1, 2, 4):
        with threadpool_limits(threads):
            inverses.append(inverse(matrix))
    assert len({each.tobytes() for each in inverses}) == 1
    np.testing.assert_allclose(inverses[0] @ matrix, np.eye(300), atol=1e-8)
    assert (inverses[0] == inverses[0].T).all() and inverse(np.empty((0, 0))).shape == (0, 0)
    with pytest.raises(np.linalg.LinAlgError, match="positive definite"):
        inverse(np.diag([1.0, -1.0]))


def test_a_track_that_nobody_plays_changes_no_bit_of_ease() -> None:
    rng = np.random.default_rng(5)
    rows = sparse.csr_array((rng.random((40, 12)) < 0.4).astype(np.int64))
    wide = sparse.csr_array(sparse.hstack([rows[:, :5], sparse.csr_array((40, 1), dtype=np.int64), rows[:, 5:]]))
    narrow_weights, wide_weights = (EASE().solve(gram.count(each)) for each in (rows, wide))
    kept = np.delete(np.arange(13), 5)
    assert wide_weights[kept][:, kept].tobytes() == narrow_weights.tobytes() and not wide_weights[5].any()
    nothing = Sums({gram.NAME: Table.of(sparse.csr_array((3, 3), dtype=np.int64), 0, gram.NAME)})
    assert not EASE().solve(nothing).any()
