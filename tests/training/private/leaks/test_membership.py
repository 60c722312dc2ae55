"""LiRA and its shadow models of sums: equal to models that are counted anew, blind to what says nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.stats import norm

from feature_repo.errors import InputError
from training.exact import gram
from training.models.recommendation.ease import primal
from training.private.leaks import lira, people_sums, rank_one
from training.private.leaks.halves import halves, others
from training.private.leaks.shadows import attack_models, attack_sums


def some_people(people: int, tracks: int, seed: int, share: float = 0.2) -> sparse.csr_array:
    rng = np.random.default_rng(seed)
    popular = rng.beta(1, 1 / share - 1, tracks)
    return sparse.csr_array((rng.random((people, tracks)) < popular).astype(np.int64))


def own_score(weights: np.ndarray, history: np.ndarray) -> float:
    return float((history @ weights)[history > 0].mean()) if history.any() else 0.0


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), people=st.integers(2, 12), tracks=st.integers(1, 8))
def test_a_change_of_rank_one_is_ease_solved_anew(seed: int, people: int, tracks: int) -> None:
    rows = some_people(people, tracks, seed, 0.4)
    is_in = np.random.default_rng(seed).random(people) < 0.5
    world = rows[np.flatnonzero(is_in)]
    inside, outside = rank_one.own_scores((world.T @ world).toarray(), rows.astype(float), is_in, 3.0)
    dense = rows.toarray()
    for person in range(people):
        for scores, there in ((inside, True), (outside, False)):
            mask = is_in.copy()
            mask[person] = there
            world_rows = sparse.csr_array(dense[mask].reshape(-1, tracks))
            weights = primal(gram.count(world_rows)[gram.NAME], 0, 3.0)
            assert scores[person] == pytest.approx(own_score(weights, dense[person]), abs=1e-9)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_scores_with_and_without_a_person_are_those_of_sums_counted_anew(seed: int) -> None:
    added = people_sums.pairs(some_people(9, 6, seed, 0.4))
    is_in = halves(9, 6, np.random.default_rng(seed))
    scores = people_sums.scores(added, is_in)
    dense = added.toarray().astype(float)
    published = is_in.astype(float) @ dense
    weights = 1 / (published.var(axis=0) + people_sums.VARIANCE)
    for world in range(6):
        for person in range(9):
            without = is_in[world].copy()
            without[person] = False
            expected = (without.astype(float) @ dense * weights) @ dense[person]
            assert scores.outside[world, person] == pytest.approx(expected)
            assert scores.inside[world, person] == pytest.approx(expected + (dense[person] ** 2) @ weights)


def test_pairs_and_steps_are_what_each_person_adds() -> None:
    rows = some_people(20, 7, 1)
    total = people_sums.pairs(rows).sum(axis=0)
    counts = gram.count(rows)[gram.NAME].toarray()
    upper = counts[np.triu_indices(7)]
    assert total.tolist() == upper[upper > 0].tolist()
    assert people_sums.pairs(sparse.csr_array((3, 4), dtype=np.int64)).shape == (3, 0)
    assert people_sums.steps(np.empty(0, int), np.empty(0, int), 4, 3).shape == (3, 0)


def test_the_evidence_is_the_likelihood_ratio_of_two_normals() -> None:
    rng = np.random.default_rng(2)
    is_in = halves(5, 40, rng)
    shadows = rng.normal(0, 1, (40, 5)) + is_in * 2 * rng.random(5)
    observed = rng.normal(0, 2, 5)
    evidence = lira.attack(observed, shadows, is_in)
    offline = lira.attack(observed, shadows, is_in, variant="offline")
    for person in range(5):
        ins, outs = shadows[is_in[:, person], person], shadows[~is_in[:, person], person]
        ratio = norm.logpdf(observed[person], ins.mean(), ins.std()) - norm.logpdf(
            observed[person], outs.mean(), outs.std()
        )
        assert evidence[person] == pytest.approx(ratio)
        assert offline[person] == pytest.approx((observed[person] - outs.mean()) / outs.std())


def test_lira_finds_people_in_exact_sums_and_not_where_noise_hides_them() -> None:
    rows = some_people(1_500, 60, 3, 0.05)
    added = people_sums.pairs(rows)
    is_in = halves(1_500, 16, np.random.default_rng(4))
    noise = np.random.default_rng(5)

    def drown(sums: np.ndarray) -> np.ndarray:
        return sums + np.rint(noise.normal(0, 200, sums.shape)).astype(np.int64)

    exact, hidden = (attack_sums("sums", people_sums.scores(added, is_in, how)) for how in (None, drown))
    assert [leak.verdict for leak in exact] == ["gives it away"] * 3
    assert exact[0].units >= 20_000
    assert hidden[0].high is not None
    assert hidden[0].high < 0.004
    assert hidden[2].value == pytest.approx(0.5, abs=0.02)


def test_rare_histories_are_found_with_the_weights_of_ease() -> None:
    rows = some_people(300, 120, 6, 0.05)
    is_in = halves(300, 12, np.random.default_rng(7))
    both = [
        rank_one.confidences((world.T @ world).toarray(), rows.astype(float), mask, 5.0)
        for mask in is_in
        for world in [rows[np.flatnonzero(mask)]]
    ]
    scores = people_sums.SumScores(*(np.array(part) for part in zip(*both, strict=True)))
    leaks = attack_sums("weights", scores)
    assert leaks[1].value is not None
    assert leaks[1].value > 0.1


def test_models_that_learn_nothing_from_anybody_give_nobody_away() -> None:
    rng = np.random.default_rng(8)
    is_in = halves(900, 12, rng)
    blind = rng.normal(0, 1, (12, 900))
    learned = attack_models("chances", blind + 1.5 * is_in, is_in, "text")
    nothing = attack_models("chances", blind, is_in, "text")
    assert {leak.attack for leak in learned} == {"lira", "loss_threshold"}
    assert [leak.verdict for leak in learned] == ["gives it away"] * 6
    assert [leak.verdict for leak in nothing if leak.attack == "loss_threshold"] == ["no more than a guess"] * 3
    assert all(leak.value is not None and leak.value < 0.02 for leak in nothing if "true" in leak.measure)
    assert learned[0].sentence.startswith("Was this text learned from?")


def test_shadows_are_never_the_attacked_world_nor_its_opposite() -> None:
    is_in = halves(31, 8, np.random.default_rng(9))
    for world in range(8):
        left = others(8, world)
        assert world not in left
        assert not any(np.array_equal(is_in[one], ~is_in[world]) for one in left)


def test_few_people_are_undecided_and_few_shadows_are_an_error() -> None:
    is_in = halves(10, 12, np.random.default_rng(0))
    few = attack_models("chances", np.zeros((12, 10)), is_in)
    assert [leak.verdict for leak in few] == ["undecided"] * 2
    assert all(leak.value is None for leak in few)
    with pytest.raises(InputError, match="shadow models"):
        lira.attack(np.zeros(10), np.zeros((6, 10)), is_in[:6])
    with pytest.raises(InputError, match="shape"):
        lira.attack(np.zeros(9), np.zeros((12, 10)), is_in)
    equal = lira.attack(np.zeros(10), np.zeros((12, 10)), is_in)
    assert equal.tolist() == [0.0] * 10
