"""The filter: who is left out, on data of every kind; what reviewers read of it."""

from dataclasses import replace

import numpy as np
import pytest

from tests.fake_accounts import DAY
from tests.fake_accounts import listeners_of_six_tastes as world
from training.datasets import Interactions
from training.shilling.detection import SIGNALS, Detection
from training.shilling.profiles import add_fakes
from training.shilling.reasons import NOTE, reviews


@pytest.fixture(scope="module")
def plays() -> Interactions:
    return world()


def test_few_real_listeners_are_left_out(plays: Interactions) -> None:
    assert Detection().assess(plays).left_out.mean() <= 0.03


def test_equal_accounts_are_left_out_and_the_target_loses_them(plays: Interactions) -> None:
    rng = np.random.default_rng(1)
    fillers = np.arange(0, 150, 6)
    attacked = add_fakes(plays, [np.append(fillers, 239)] * 4, rng)
    assessment = Detection().assess(attacked)
    assert assessment.left_out[160:].all() and assessment.left_out[:160].mean() <= 0.03
    learned = assessment.learned_from(attacked)
    assert not set(learned.user.tolist()) & {160, 161, 162, 163}
    assert learned.shape == attacked.shape


def test_neither_order_nor_names_of_listeners_matter(plays: Interactions) -> None:
    attacked = add_fakes(plays, [np.arange(0, 150, 6)] * 3, np.random.default_rng(1))
    number = np.random.default_rng(2).permutation(attacked.shape[0])
    turned = replace(attacked, user=number[attacked.user], user_ids=[f"x{n:04}" for n in range(attacked.shape[0])])
    before, after = Detection().assess(attacked), Detection().assess(turned)
    assert (after.left_out[number] == before.left_out).all() and before.left_out.any()
    np.testing.assert_allclose(after.score[number], before.score, atol=1e-9)
    again = Detection().assess(attacked)
    assert again.score.tobytes() == before.score.tobytes()


def test_a_burst_alone_leaves_nobody_out(plays: Interactions) -> None:
    """Typical listeners who all begin within a day and play the same track."""
    fans = np.arange(16)
    time = plays.time.copy()
    for fan in fans.tolist():
        own = plays.user == fan
        time[own] += 200 * DAY + fan * DAY // 24 - time[own].min()
    user, track = np.append(plays.user, fans), np.append(plays.track, np.full(16, 200))
    time = np.append(time, 200 * DAY + DAY + fans)
    order = np.argsort(time, kind="stable")
    ids = plays.user_ids, plays.track_ids, plays.artist_ids
    hot = Interactions(*ids, user[order], track[order], time[order])
    assessment = Detection().assess(hot)
    assert (assessment.burst[fans] > Detection().burst).all()
    assert assessment.left_out[fans].mean() <= 0.1


def test_a_weaker_signal_in_a_burst_is_enough(plays: Interactions) -> None:
    rng = np.random.default_rng(5)
    pool = np.arange(0, 240, 6)
    fakes = [np.append(rng.choice(pool, 29, replace=False), 239) for _ in range(14)]
    slow = Detection().assess(add_fakes(plays, fakes, np.random.default_rng(0)))
    fast = Detection().assess(add_fakes(plays, fakes, np.random.default_rng(0), burst_days=1.0))
    assert fast.burst[160:].min() > Detection().burst > slow.burst[160:].max()
    assert (fast.score[160:] > slow.score[160:]).all()


@pytest.mark.parametrize(
    ("people", "tracks", "rows"),
    [
        (0, 0, []),
        (1, 1, [(0, 0)]),
        (3, 4, []),
        (10, 5, [(user, track) for user in range(10) for track in range(5)]),
    ],
    ids=["nothing", "one listener", "empty profiles", "ten listeners"],
)
def test_where_nobody_can_be_judged_everybody_counts(people: int, tracks: int, rows: list[tuple[int, int]]) -> None:
    pairs = np.array(rows, np.int64).reshape(-1, 2)
    plays = Interactions(
        [f"u{n}" for n in range(people)],
        [f"t{n}" for n in range(tracks)],
        [None] * tracks,
        pairs[:, 0],
        pairs[:, 1],
        np.zeros(len(pairs), np.int64),
    )
    for detection in (Detection(), Detection(fewest=0)):
        assessment = detection.assess(plays)
        assert assessment.weight.tolist() == [1.0] * people
        assert len(assessment.learned_from(plays).time) == len(rows)
        assert reviews(plays, assessment, detection) == []


def test_among_too_many_nobody_is_judged(plays: Interactions) -> None:
    attacked = add_fakes(plays, [np.arange(0, 150, 6)] * 3, np.random.default_rng(1))
    assert Detection(most=163).assess(attacked).left_out.any()
    assert not Detection(most=162).assess(attacked).left_out.any()


def test_identical_profiles_are_all_alike_and_none_is_unusual() -> None:
    user, track = np.repeat(np.arange(80), 10), np.tile(np.arange(10), 80)
    ids = [[f"{kind}{n:02}" for n in range(size)] for kind, size in (("u", 80), ("t", 10))]
    plays = Interactions(*ids, [None] * 10, user, track, np.arange(800))
    assessment = Detection().assess(plays)
    assert not assessment.left_out.any()
    assert all(np.isfinite(values).all() for values in assessment.signals.values())


def test_a_listener_of_everything_is_left_out_and_moves_nobody_else(plays: Interactions) -> None:
    wide = Interactions(
        [*plays.user_ids, "v"],
        [f"t{n:06}" for n in range(100_000)],
        [None] * 100_000,
        np.append(plays.user, np.full(100_000, 160)),
        np.append(plays.track, np.arange(100_000)),
        np.append(plays.time, np.full(100_000, plays.time.max())),
    )
    assessment = Detection().assess(wide)
    assert assessment.left_out[160] and assessment.signals["breadth"][160] > Detection().breadth
    assert (assessment.left_out[:160] != Detection().assess(plays).left_out).mean() <= 0.02


def test_a_reviewer_reads_reasons_and_what_else_it_may_be(plays: Interactions) -> None:
    copied = plays.track[plays.user == 7]
    attacked = add_fakes(plays, [copied], np.random.default_rng(0))
    detection = Detection()
    assessment = detection.assess(attacked)
    by_id = {review.user_id: review for review in reviews(attacked, assessment, detection)}
    assert {attacked.user_ids[7], attacked.user_ids[160]} <= by_id.keys()
    text = " ".join(by_id[attacked.user_ids[160]].reasons)
    assert f"plays nearly what {attacked.user_ids[7]} plays" in text and "second account of the same person" in text
    assert all(review.score > 1 and review.reasons for review in by_id.values())
    assert "nothing is deleted" in NOTE and set(assessment.signals) == set(SIGNALS)
