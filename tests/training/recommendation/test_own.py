"""What is learned of a listener alone equals plain loops, is measured on the future, and never lost to simple ones."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from scipy import sparse

from training.datasets import Interactions, TimeSplit
from training.models.recommendation.knowledge import neighbours, sparse_neighbours
from training.models.recommendation.own_evaluation import FEWEST_QUERIES, OwnEvaluation, evaluate_own
from training.models.recommendation.own_listening import listen, own_queries
from training.models.recommendation.own_result import OwnData, limits, measured
from training.models.recommendation.own_run import GATES
from training.models.recommendation.transitions import Transitions
from training.validation.gates import decide
from transforms.pure.candidates.own import SIMPLE

DAY, MINUTE = 86_400_000_000, 60_000_000
START = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1e6)


def sessions(seed: int, *, days: int, albums: int = 12, listeners: int = 1) -> Interactions:
    """Listeners with sessions of eight plays, each an album in its order, some albums more often than others."""
    rng = np.random.default_rng(seed)
    user, track, time = [], [], []
    for listener in range(listeners):
        for day in range(days):
            for hour in (8, 20):
                album = min(int(rng.exponential(3)), albums - 1)
                start = START + day * DAY + hour * 60 * MINUTE + int(rng.integers(30)) * MINUTE
                user += [listener] * 8
                track += [album * 10 + number for number in range(8)]
                time += [start + number * 4 * MINUTE for number in range(8)]
    order = np.argsort(time, kind="stable")
    names = [
        [f"{kind}{number:03}" for number in range(count)] for kind, count in (("u", listeners), ("t", albums * 10))
    ]
    arrays = (np.array(values, np.int64)[order] for values in (user, track, time))
    return Interactions(*names, [None] * (albums * 10), *arrays)


def evaluate(plays: Interactions, users: list[int]) -> OwnEvaluation:
    split = TimeSplit.by_share(plays.time, validation=0.2, test=0.2)
    content = {cutoff: np.zeros((plays.shape[1], 1), np.float32) for cutoff in (split.validation, split.test)}
    return evaluate_own(plays, split, content, users)


def test_own_plays_are_sums_of_the_plays_before_the_cutoff() -> None:
    plays = sessions(1, days=20, listeners=2)
    cutoff = START + 15 * DAY
    own = listen(plays, 1, cutoff)
    past = [
        (track, time)
        for user, track, time in zip(plays.user.tolist(), plays.track.tolist(), plays.time.tolist(), strict=True)
        if user == 1 and time < cutoff
    ]
    assert own.places.tolist() == sorted({track for track, _ in past})
    for row, place in enumerate(own.places.tolist()):
        times = [time for track, time in past if track == place]
        assert own.plays[row] == len(times)
        assert own.last[row] == max(times)
        assert own.faded[row] == pytest.approx(sum(0.5 ** ((cutoff - time) / DAY / 28) for time in times))
        hours = [datetime.fromtimestamp(time / 1e6, UTC).hour for time in times]
        assert own.by_part[row].tolist() == [sum(hour // 3 == part for hour in hours) for part in range(8)]
    first = own.places.tolist().index(past[0][0])
    assert own.places[own.follows.places[first, 0]] == past[1][0]  # an album is played in its order
    empty = listen(plays, 1, START)
    assert len(empty.places) == len(empty.follows.places) == 0


def test_the_strongest_of_a_sparse_matrix_are_those_of_a_dense_one() -> None:
    fit = Transitions().fit(sessions(2, days=10), START + 9 * DAY)
    dense, thin = neighbours(fit, 6), sparse_neighbours(sparse.csr_array(fit.weights), 6)
    width = thin.places.shape[1]
    np.testing.assert_array_equal(dense.weights[:, :width], thin.weights)
    for row, places in enumerate(thin.places):
        held = places >= 0
        np.testing.assert_allclose(fit.weights.toarray()[row, places[held]], thin.weights[row, held], rtol=1e-6)
    assert sparse_neighbours(sparse.csr_array((0, 0))).places.shape == (0, 1)


def test_moments_know_the_past_alone() -> None:
    plays = sessions(3, days=30)
    start, end = START + 20 * DAY, START + 26 * DAY
    queries = own_queries(plays, 0, start, end, most=1_000, rng=np.random.default_rng(0))
    assert {query.question for query in queries} == {"start", "within"}
    for query in queries:
        assert start <= query.moment < end
        past, later = plays.track[plays.time < query.moment], plays.track[plays.time >= query.moment]
        assert query.history.tolist() == list(dict.fromkeys(past[::-1].tolist()))
        lately = plays.track[(plays.time < query.moment) & (plays.time >= query.moment - DAY)][::-1][:20]
        assert query.session.tolist() == lately.tolist()
        assert set(query.relevant.tolist()) <= (set(past.tolist()) & set(later[:8].tolist())) - set(lately.tolist())
        recent = plays.time[plays.time < query.moment].max(initial=0)
        assert (query.moment - recent >= 60 * MINUTE) == (query.question == "start")
    assert len(own_queries(plays, 0, start, end, most=3, rng=np.random.default_rng(0))) <= 6


def test_what_follows_what_is_found_and_serves() -> None:
    evaluation = evaluate(sessions(4, days=90), [0])
    within = evaluation.choices["within"]
    assert within.metrics["follows"].ndcg_at_10 > 2 * within.metrics["plays"].ndcg_at_10
    assert within.metrics[within.order].ndcg_at_10 > 2 * within.metrics["plays"].ndcg_at_10
    assert within.moments >= FEWEST_QUERIES


@pytest.mark.parametrize("seed", range(6))
def test_what_serves_never_lost_to_a_simple_order(seed: int) -> None:
    """Plays without any pattern: what validation chooses by luck gives way where it loses on the test."""
    plays = sessions(seed, days=60)
    rng = np.random.default_rng(seed)
    evaluation = evaluate(replace(plays, track=rng.permutation(plays.track)), [0])
    for choice in evaluation.choices.values():
        if choice.metrics:
            assert choice.metrics[choice.order].ndcg_at_10 >= max(choice.metrics[name].ndcg_at_10 for name in SIMPLE)
            assert choice.order in SIMPLE or choice.order == choice.best
    plain = [check for check in decide(evaluation.evidence, GATES).checks if check.name.startswith("plain model")]
    assert len(plain) == len(SIMPLE)
    assert all(check.verdict != "FAILED" for check in plain), plain


def test_a_choice_that_lost_is_said() -> None:
    choices = {
        seed: choice
        for seed in range(12)
        for choice in evaluate(
            replace(
                sessions(seed, days=40), track=np.random.default_rng(seed).permutation(sessions(seed, days=40).track)
            ),
            [0],
        ).choices.values()
        if choice.best not in (None, choice.order)
    }
    assert choices
    for choice in choices.values():
        assert any("It lost on the test to" in line for line in measured(OwnEvaluation({"start": choice}), 1))


def test_what_cannot_be_measured_is_said_and_not_promoted() -> None:
    for evaluation in (OwnEvaluation.nothing("it needs more"), evaluate(sessions(5, days=8), [0])):
        assert not decide(evaluation.evidence, GATES).may_serve
        assert {(choice.order, len(choice.metrics)) for choice in evaluation.choices.values()} == {("plays", 0)}
        assert all("not measured" in line for line in measured(evaluation, 1))


def test_limits_say_what_is_true_of_the_number_of_listeners() -> None:
    alone = OwnData(plays=5, listeners=1, tracks=3, unheard=0, first=START, end=START + DAY)
    assert "nothing to recommend" in " ".join(limits(alone, "why"))
    assert "7 tracks of the catalogue" in " ".join(limits(replace(alone, unheard=7), "why"))
    assert "what the others played" in " ".join(limits(replace(alone, listeners=3), "why"))
