"""The latency controller: it drops the least valuable work first, and restores it when there is time."""

import itertools

import numpy as np
import pytest

from feature_repo.home import Home
from inference import RecommendationEngine
from inference.recommend.controller import (
    HOLD_S,
    LEVELS,
    MAX_TURNS,
    MIN_TURNS,
    PROBE_S,
    Budget,
    Controller,
    Decision,
)

CPU_S = 0.005


class _Service:
    """A service with fixed seconds per answer for each level, on a stopped clock.

    Args:
        seconds: response time by level.
        work: seconds of the work of a complete answer alone, which a probe takes; the response time if None.
    """

    def __init__(self, seconds: list[float], goal: float = 0.1, work: float | None = None) -> None:
        self.now, self.seconds, self.work = 0.0, seconds, work
        self.controller = Controller(goal, lambda: self.now)

    def answer(self, after: float) -> int:
        """Answer once more, some seconds later; return the level of this answer."""
        self.now += after
        decision = self.controller.decide()
        seconds = self.seconds[decision.level]
        work = seconds if self.work is None or not decision.is_probe else self.work
        self.controller.observe_work(work, CPU_S, decision)
        self.controller.observe(seconds)
        return decision.level

    def run(self, seconds: int, per_second: int = 100) -> list[int]:
        """Answer for some seconds; return the level at the end of each."""
        levels = []
        for _ in range(seconds):
            for _ in range(per_second):
                self.answer(1 / per_second)
            levels.append(self.controller.level)
        return levels


def test_in_time_nothing_is_left_out() -> None:
    assert set(_Service([0.02] * 5).run(30)) == {0}


def test_too_slow_goes_down_until_it_is_in_time_and_stays() -> None:
    service = _Service([0.3, 0.2, 0.08, 0.06, 0.03])
    levels = service.run(60)
    assert levels[:3] == [1, 2, 2] or levels[:3] == [0, 1, 2]
    assert set(levels[5:]) == {2}


def test_with_room_again_everything_comes_back() -> None:
    service = _Service([0.3] * 4 + [0.2])
    assert service.run(10)[-1] == len(LEVELS) - 1
    service.seconds = [0.01] * 5
    assert service.run(30)[-1] == 0


@pytest.mark.parametrize("per_second", [1 / 60, 0.5, 2, 5, 19, 100])
@pytest.mark.parametrize("outage", [1, 10, 60])
@pytest.mark.parametrize("work", [None, 0.02])
def test_a_level_ends_within_five_seconds_of_its_cause(per_second: float, outage: int, work: float | None) -> None:
    """After a time of slow answers all answers that begin five seconds later, or later still, are complete."""
    service = _Service([2.0, 1.0, 0.5, 0.3, 0.2], work=work)
    while service.now < 9:  # a busy time, in which the level rises
        service.answer(0.01)
    assert service.controller.level == len(LEVELS) - 1
    while service.now < 9 + outage:
        service.answer(1 / per_second)
    end = service.now
    service.seconds = [0.02] * 5
    while service.now + 1 / per_second < end + 5:
        service.answer(1 / per_second)
    for _ in range(20):
        assert service.answer(1 / per_second) == 0
    assert service.controller.level == 0


@pytest.mark.parametrize("per_second", [2, 5, 8, 12, 30])
@pytest.mark.parametrize("outage", [0.5, 1, 2, 3, 5])
def test_a_hiccup_of_the_store_is_soon_forgotten(per_second: float, outage: float) -> None:
    """Answers that waited come at its end, slow; no probe may have seen it."""
    service = _Service([0.02] * 5)
    while service.now < 20:
        service.answer(1 / per_second)
    service.now += outage
    end = service.now
    for _ in range(4):
        service.controller.observe(outage)
    while service.now + 1 / per_second < end + 5:
        service.answer(1 / per_second)
    for _ in range(50):
        assert service.answer(1 / per_second) == 0


def test_a_level_ends_by_time_though_nobody_asks() -> None:
    service = _Service([0.3] * 5)
    service.run(9)
    assert service.controller.level
    service.now += HOLD_S
    assert service.controller.level == 0


def test_while_the_store_is_slow_one_answer_in_a_while_is_complete() -> None:
    service = _Service([0.75, 0.03, 0.03, 0.03, 0.03])
    service.run(10)
    complete = sum(service.answer(0.01) == 0 for _ in range(3_000))
    assert complete <= 30 / PROBE_S + 3 * 200  # probes, and the first second of at most three tries
    assert service.controller.level


@pytest.mark.parametrize("work", [None, 0.02], ids=["probes are slow", "load alone"])
def test_it_does_not_swing(work: float | None) -> None:
    """Level 1 is fast enough to try level 0, which is too slow: the controller tries it less and less often."""
    service = _Service([0.15, 0.04, 0.03, 0.02, 0.01], work=work)
    levels = service.run(300)
    attempts = [place for place in range(1, 300) if (levels[place - 1], levels[place]) == (1, 0)]
    assert len(attempts) <= 8
    assert attempts[-1] - attempts[-2] > 3 * (attempts[1] - attempts[0])


def test_few_answers_decide_nothing() -> None:
    service = _Service([9.0] * 5)
    for _ in range(30):
        service.answer(1)
    assert service.controller.level == 0


def test_few_answers_a_second_decide_more_slowly() -> None:
    """At five answers per second, a decision needs four seconds, for its twenty answers."""
    service = _Service([0.3, 0.3, 0.05, 0.05, 0.05])
    levels = service.run(100, per_second=5)
    assert levels.index(1) in range(3, 6)
    assert levels.index(2) in range(7, 11)
    assert max(levels) == 2


def test_levels_leave_out_diversity_before_ranking() -> None:
    assert LEVELS[0] == Budget()
    for better, worse in itertools.pairwise(LEVELS):
        assert (worse.diversify, worse.candidates, worse.features) < (
            better.diversify,
            better.candidates,
            better.features,
        )
    assert [level.features for level in LEVELS] == [True] * 4 + [False]


def test_turns_follow_what_answers_wait_for() -> None:
    now = 0.0
    controller = Controller(clock=lambda: now)

    def one_second_later() -> None:
        nonlocal now
        for _ in range(2):
            now += 0.5
            controller.observe(0.05)

    for _ in range(8):  # 200 ms for 5 ms of work: requests wait for something
        for _ in range(20):
            controller.observe_work(0.2, 0.005, Decision())
        one_second_later()
    assert controller.turns == 16  # 16 requests at once with 5 ms of work each fill most of 200 ms
    for _ in range(8):  # every request uses a full core: more at once would not help
        for _ in range(20):
            controller.observe_work(0.005 * controller.turns, 0.005, Decision())
        one_second_later()
    assert controller.turns == MIN_TURNS
    for _ in range(10):
        for _ in range(20):
            controller.observe_work(5.0, 0.001, Decision())
        one_second_later()
    assert controller.turns == MAX_TURNS


@pytest.mark.parametrize("level", range(len(LEVELS)))
def test_an_answer_at_every_level(in_world: Home, level: int) -> None:
    engine = RecommendationEngine.load("recommendation", in_world)
    options = {"diversify": "mmr", "explore": 0.5}
    answer = engine.recommend("u000007", count=10, budget=LEVELS[level], **options)
    assert len(answer.items) == 10
    assert ("neither diversified nor explored" in (answer.note or "")) == (level > 0)
    assert ("without features" in (answer.note or "")) == (level == len(LEVELS) - 1)
    assert ("% of the candidates" in (answer.note or "")) == (level > 1)
    assert ("the service is busy" in str(engine.recommend("u000007", budget=LEVELS[level]).note)) == (level > 0)
    assert any(item.explored for item in answer.items) == (level == 0)


def test_fewer_candidates_are_ranked(in_world: Home) -> None:
    engine = RecommendationEngine.load("recommendation", in_world)
    sizes: list[int] = []
    rank = engine._ordering.rank

    def recording_rank(listener, strategy, candidates, *arguments):  # type: ignore[no-untyped-def]
        sizes.append(len(candidates.pool))
        return rank(listener, strategy, candidates, *arguments)

    engine._ordering.rank = recording_rank  # type: ignore[method-assign]
    for budget in LEVELS[1:4]:
        engine.recommend("u000007", count=5, budget=budget)
    assert sizes[0] > sizes[1] > sizes[2] >= 5
    assert np.isfinite(sizes).all()
