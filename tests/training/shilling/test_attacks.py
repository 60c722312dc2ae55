"""Attacks are what they say; what an attacker knows is what the model does; filter and bound stop what they should."""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import sparse

from tests.fake_accounts import listeners_of_six_tastes
from training.datasets import Interactions
from training.exact import gram
from training.exact.follows import BITS, ORDERED
from training.models.recommendation import segments
from training.models.recommendation.contract import FromHistory, SameForAll
from training.models.recommendation.ease import EASE, DualFit
from training.models.recommendation.knowledge import FOLLOWS, MOST_IN_PAIRS, MOST_PLAYS
from training.models.recommendation.popularity import POPULAR, Popularity
from training.models.recommendation.transitions import Transitions
from training.shilling.attacks.contract import find
from training.shilling.detection import Detection, matrix
from training.shilling.exposure import DEPTH, exposures, floors
from training.shilling.known import Known, stack
from training.shilling.profiles import add_fakes

FAKES, LAMBDA = 4, 20.0
ATTACKS = find()


@dataclass(frozen=True)
class OnHistories:
    fit: FromHistory | DualFit
    history: sparse.csr_array

    def scores(self, users: np.ndarray) -> np.ndarray:
        return self.fit.score_histories(self.history[users])


@pytest.fixture(scope="module")
def plays() -> Interactions:
    return listeners_of_six_tastes()


@pytest.fixture(scope="module")
def known(plays: Interactions) -> Known:
    return Known.of(plays, LAMBDA)


@pytest.fixture(scope="module")
def target(known: Known) -> int:
    return int(np.flatnonzero((known.listeners >= 3) & (known.listeners <= 5))[0])


def scores(plays: Interactions, known: Known) -> np.ndarray:
    fit = EASE(LAMBDA).fit(plays, int(plays.time.max()) + 1)
    assert isinstance(fit, FromHistory | DualFit)
    return OnHistories(fit, known.played).scores(np.arange(known.played.shape[0]))


@pytest.mark.parametrize("name", ATTACKS)
def test_fakes_are_distinct_valid_and_the_same_for_a_seed(name: str, known: Known, target: int) -> None:
    before = known.played.toarray().copy()
    one, two = (ATTACKS[name].make(known, target, FAKES, np.random.default_rng(4)) for _ in range(2))
    assert len(one) == FAKES and all(np.array_equal(first, second) for first, second in zip(one, two, strict=True))
    for profile in one:
        assert len(profile) and profile.min() >= 0 and profile.max() < known.played.shape[1]
        assert (target in profile) == ATTACKS[name].pushes
        assert name == "flood" or len(np.unique(profile)) == len(profile)
    assert (known.played.toarray() == before).all()


def test_an_attacker_knows_the_scores_that_fakes_will_make(plays: Interactions, known: Known, target: int) -> None:
    fakes = ATTACKS["average"].make(known, target, 7, np.random.default_rng(0))
    after = scores(add_fakes(plays, fakes, np.random.default_rng(1)), known)[:, target]
    margins = known.margins(fakes, target)
    is_new = np.isfinite(margins)
    assert (~is_new == (known.played[:, [target]].toarray().ravel() > 0)).all()
    np.testing.assert_allclose(margins[is_new], (after - known.threshold)[is_new], atol=1e-5)
    before = np.where(known.played.toarray() > 0, -np.inf, scores(plays, known))
    np.testing.assert_allclose(known.threshold, np.sort(before, axis=1)[:, -DEPTH], atol=1e-5)


def test_the_optimised_attack_reaches_more_than_the_others_and_nothing_after_the_filter(
    plays: Interactions, known: Known, target: int
) -> None:
    end = int(plays.time.max()) + 1

    def shown(rows: Interactions) -> int:
        fit = EASE(LAMBDA).fit(rows, end)
        assert isinstance(fit, FromHistory | DualFit)
        return int(exposures(OnHistories(fit, known.played), known.played)[target])

    def attacked(name: str) -> Interactions:
        fakes = ATTACKS[name].make(known, target, FAKES, np.random.default_rng(0))
        return add_fakes(plays, fakes, np.random.default_rng(1))

    optimised = attacked("optimised")
    free = {name: shown(attacked(name)) for name in ("random", "average", "bandwagon")}
    assert shown(optimised) > max(free.values())
    assert shown(Detection().assess(optimised).learned_from(optimised)) <= shown(plays) + 1


def test_the_adaptive_attack_passes_the_filter(plays: Interactions, known: Known, target: int) -> None:
    fakes = ATTACKS["adaptive"].make(known, target, FAKES, np.random.default_rng(0))
    seen = Detection().assess(add_fakes(plays, fakes, np.random.default_rng(0))).left_out[160:]
    assert seen.mean() < 0.5


def test_exposure_counts_first_tens_and_the_floor_is_of_the_band() -> None:
    played = sparse.csr_array(np.eye(4, 30))
    fit = SameForAll(np.arange(30, 0, -1.0))
    counts = exposures(fit, played)
    assert counts.tolist() == [3, 3, 3, 3, *[4] * 6, 4, *[0] * 19]
    listeners = np.array([1] * 15 + [30] * 15)
    before = np.array([0] * 15 + [50] * 15)
    assert floors(before, listeners, 60).tolist() == [20.0] * 15 + [50.0] * 15
    assert stack([np.array([2, 2, 0])], 3).toarray().tolist() == [[1, 0, 1]]


def test_a_bot_that_plays_a_track_a_thousand_times_counts_ten_times(plays: Interactions) -> None:
    bot = np.stack([np.arange(1_000) % 40, np.full(1_000, 239)], axis=1).ravel()
    flooded = add_fakes(plays, [bot], np.random.default_rng(0))
    end = int(flooded.time.max()) + 1
    free = Popularity().count(flooded, end)[POPULAR].toarray()[0]
    bounded = Popularity(most_plays=MOST_PLAYS).count(flooded, end)[POPULAR].toarray()[0]
    clean = Popularity().count(plays, end)[POPULAR].toarray()[0]
    assert (free - clean)[239] == 1_000 * 2**20 and (bounded - clean)[239] == MOST_PLAYS * 2**20
    for model, least, most in ((Transitions(), 2_000, 3_000), (FOLLOWS, 30, 3 * MOST_IN_PAIRS)):
        led_to = [model.count(rows, end)[ORDERED][:, [239]].sum() / 2**BITS for rows in (flooded, plays)]
        assert least < led_to[0] - led_to[1] < most


def test_bounded_sums_without_a_person_are_those_where_the_person_never_was(plays: Interactions) -> None:
    bot = np.tile([3, 239, 7], 50)
    flooded = add_fakes(plays, [bot, bot], np.random.default_rng(0))
    end = int(flooded.time[flooded.user == 160].max()) + 1
    everybody: dict[int, tuple[str, ...]] = dict.fromkeys(range(flooded.shape[0]), ("SE",))
    for count in (
        lambda rows: FOLLOWS.count(rows, end),
        lambda rows: Popularity(most_plays=MOST_PLAYS).count(rows, end),
        lambda rows: segments.count(rows, end, everybody, MOST_PLAYS),
    ):
        rest = count(flooded) - count(flooded.only(flooded.user == 160))
        assert rest.digests() == count(flooded.only(flooded.user != 160)).digests()
        assert rest.digests() != count(flooded).digests()


def test_ease_without_who_is_left_out_is_solved_from_the_sums_of_the_others(plays: Interactions, known: Known) -> None:
    fakes = ATTACKS["optimised"].make(known, 200, FAKES, np.random.default_rng(0))
    attacked = add_fakes(plays, fakes, np.random.default_rng(1))
    assessment = Detection().assess(attacked)
    end = int(attacked.time.max()) + 1
    others = attacked.only(assessment.left_out[attacked.user])
    rest = gram.count(EASE().rows(attacked, end)) - gram.count(EASE().rows(others, end))
    learned = gram.count(EASE().rows(assessment.learned_from(attacked), end))
    assert EASE().solve(rest).tobytes() == EASE().solve(learned).tobytes() and others.time.size
    assert matrix(others).nnz + matrix(assessment.learned_from(attacked)).nnz == matrix(attacked).nnz
