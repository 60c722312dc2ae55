"""Private EASE: what a person costs, what the noise is, and what is left of the answers."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import sparse

from feature_repo.errors import InputError
from training.private.differential import private_gram, private_popularity
from training.private.differential.ease import ItemRelease, PrivateEASE, solve
from training.private.differential.private_popularity import PrivatePopularity, choose_catalogue
from training.private.differential.spectrum import radius_of, repair
from training.private.differential.unit_rows import unit_rows

BITS = 10
WEIGHTS = arrays.arrays(
    np.float64,
    st.tuples(st.integers(1, 5), st.integers(1, 6)),
    elements=st.one_of(st.just(0.0), st.floats(0, 1e300), st.integers(1, 60).map(float), st.floats(0, 1e-300)),
)


@given(WEIGHTS, st.integers(1, 15))
def test_no_row_is_longer_than_the_others(weights: np.ndarray, bits: int) -> None:
    rows = unit_rows(sparse.csr_array(weights), bits).toarray().astype(object)
    lengths = (rows**2).sum(axis=1)
    assert all(length <= 4**bits for length in lengths)
    assert all(length > 0 for length, own in zip(lengths, weights, strict=True) if own.any() and bits > 3)


@given(WEIGHTS)
def test_a_row_depends_on_nobody_else(weights: np.ndarray) -> None:
    whole = unit_rows(sparse.csr_array(weights)).toarray()
    alone = [unit_rows(sparse.csr_array(weights[[row]])).toarray()[0] for row in range(len(weights))]
    assert np.array_equal(whole, alone)


@given(WEIGHTS)
def test_one_person_costs_at_most_what_is_paid(weights: np.ndarray) -> None:
    """The cost of each independent cell is its change² / (2σ²), by noise of the size that ``test_noise`` measures."""
    rows, rho = unit_rows(sparse.csr_array(weights)).toarray().astype(object), 0.3
    changes = np.outer(rows[0], rows[0])
    above, diagonal = 2.0**BITS * 2**BITS / (2 * math.sqrt(rho)), 4.0**BITS / math.sqrt(2 * rho)
    upper = changes[np.triu_indices(len(changes), 1)]
    cost = sum(float(change) ** 2 for change in upper) / (2 * above**2)
    cost += sum(float(change) ** 2 for change in np.diag(changes)) / (2 * diagonal**2)
    assert cost <= rho * (1 + 1e-12)


@pytest.mark.parametrize("weight", [-1.0, math.nan, math.inf])
def test_weights_that_are_none_are_refused(weight: float) -> None:
    with pytest.raises(InputError, match="weights of plays"):
        unit_rows(sparse.csr_array([[1.0, weight]]))


def test_noise_is_of_the_size_that_was_paid_for() -> None:
    nobody, rho = sparse.csr_array((0, 120), dtype=np.int64), 0.3
    table = private_gram.count(nobody, BITS, rho, np.random.default_rng(1)) / 4**BITS
    assert np.array_equal(table, table.T)
    assert table[np.triu_indices(120, 1)].std() == pytest.approx(1 / (2 * math.sqrt(rho)), rel=0.05)
    assert np.diag(table).std() == pytest.approx(1 / math.sqrt(2 * rho), rel=0.2)
    many = sparse.csr_array((0, 4_000), dtype=np.int64)
    counts = private_popularity.count(many, BITS, rho, np.random.default_rng(1)).tracks
    assert counts.std() == pytest.approx(math.sqrt(17 / 16) / math.sqrt(2 * rho), rel=0.05)


def test_sums_are_those_of_people() -> None:
    weights = sparse.csr_array((np.random.default_rng(0).random((300, 8)) < 0.4).astype(float))
    rows = unit_rows(weights)
    table = private_gram.count(rows, BITS, 1e8, np.random.default_rng(0)) / 4**BITS
    exact = rows.toarray() / 2**BITS
    assert table == pytest.approx(exact.T @ exact, abs=0.01)
    popularity = private_popularity.count(rows, BITS, 1e8, np.random.default_rng(0))
    assert popularity.tracks == pytest.approx(exact.sum(axis=0), abs=0.01)
    assert popularity.people == pytest.approx((weights.sum(axis=1) > 0).sum(), abs=0.01)


def test_noise_alone_has_no_directions_beyond_its_radius() -> None:
    noise = np.random.default_rng(3).normal(size=(300, 300)) * 5
    low = repair((noise + noise.T) / 2, 5.0)
    assert low.above <= 1
    assert low.radius == pytest.approx(np.linalg.eigvalsh((noise + noise.T) / 2)[-1], rel=0.06)


def test_solving_is_the_inverse_of_the_repaired_sum() -> None:
    release = PrivateEASE(3.0).release(planted(300, 12)[0], np.random.default_rng(0))
    sums = release.gram / 4.0**BITS
    radius = radius_of(release.sigma, len(sums))
    values, vectors = np.linalg.eigh(sums)
    kept = np.where(values > radius / 2, values - radius / 2, 0)
    inverse = np.linalg.inv((vectors * kept) @ vectors.T + np.eye(len(sums)) * radius / 2)
    expected = -inverse / np.diag(inverse)
    np.fill_diagonal(expected, 0)
    weights, _ = solve(release)
    assert weights == pytest.approx(expected, abs=1e-8)
    again = ItemRelease.from_bytes(release.to_bytes())
    assert solve(again)[0].tobytes() == weights.tobytes()


def test_a_smaller_epsilon_has_a_smaller_catalogue() -> None:
    popularity = PrivatePopularity(np.arange(5_000.0), 9_000.0)
    sizes = [len(choose_catalogue(popularity, sigma)) for sigma in (0.1, 1.0, 5.0, 1_000.0)]
    assert sizes == [2_500, 2_250, 450, 200]
    assert choose_catalogue(popularity, 1_000.0).tolist() == list(range(4_800, 5_000))


def test_tastes_are_learned_where_popularity_is_not_enough() -> None:
    weights, is_own = planted(4_000, 40)
    fit = PrivateEASE(2.0).solve(PrivateEASE(2.0).release(weights, np.random.default_rng(0)), weights)
    scores = fit.scores(np.arange(200))
    scores[weights[:200].nonzero()] = -np.inf
    best = np.argmax(scores, axis=1)
    assert is_own[np.arange(200), best].mean() > 0.9
    assert fit.above >= 2


def test_without_a_history_lists_are_of_popularity() -> None:
    weights, _ = planted(500, 20)
    model = PrivateEASE(1.0)
    release = model.release(weights, np.random.default_rng(0))
    fit = model.solve(release, sparse.csr_array((1, 20)))
    assert np.argsort(-fit.scores(np.array([0]))[0]).tolist() == np.argsort(-release.popularity.tracks).tolist()


@pytest.mark.parametrize("shape", [(0, 3), (1, 1), (2, 3)])
def test_nobody_and_hardly_anybody(shape: tuple[int, int]) -> None:
    weights = sparse.csr_array(np.ones(shape))
    release = PrivateEASE(0.1).release(weights, np.random.default_rng(0))
    assert np.isfinite(solve(release)[0]).all()
    assert release.popularity.people >= 1


def test_what_cannot_be_private_is_refused() -> None:
    for epsilon, delta in ((0.0, 1e-6), (1.0, 0.0), (math.nan, 1e-6), (1.0, 1.0)):
        with pytest.raises(InputError):
            PrivateEASE(epsilon, delta)
    with pytest.raises(InputError, match="a list of tracks"):
        PrivateEASE(1.0).release(sparse.csr_array((3, 0)))


def planted(people: int, tracks: int) -> tuple[sparse.csr_array, np.ndarray]:
    """Weights of people of two tastes, each of half of the tracks, and (people, tracks) which are of their own."""
    rng = np.random.default_rng(7)
    is_own = (np.arange(people) % 2)[:, None] == (np.arange(tracks) % 2)[None]
    return sparse.csr_array((rng.random((people, tracks)) < 0.3 * is_own + 0.01).astype(float)), is_own
