"""Bandits: the probability of each arm is correct, each reward counts once, and Redis may fail."""

from pathlib import Path

import numpy as np
import pytest

from feature_repo.home import Home
from feature_repo.packed.address import Address
from inference.experiments import bandit
from inference.experiments.bandit import MIN_CHANCE, Bandit, chances
from tests.servers import RedisServer

ARMS = ("a", "b", "c")


@pytest.fixture(autouse=True)
def _no_manifest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bandit, "load_address", lambda home: Address.from_env())


def test_chances_are_those_of_being_best() -> None:
    """For two arms, the probabilities agree with a numeric integration of the beta distributions."""
    from scipy import integrate, stats

    impression_counts, reward_counts = [40, 60], [8, 18]
    first, second = (
        stats.beta(1 + rewards, 1 + impressions - rewards)
        for rewards, impressions in zip(reward_counts, impression_counts, strict=True)
    )
    exact_probability, _ = integrate.quad(lambda x: second.pdf(x) * first.cdf(x), 0, 1)
    probabilities = chances(impression_counts, reward_counts)
    assert probabilities.sum() == pytest.approx(1)
    assert probabilities[1] == pytest.approx(MIN_CHANCE + (1 - 2 * MIN_CHANCE) * exact_probability, abs=0.03)


def test_nothing_is_given_up_and_nothing_known_is_alike() -> None:
    assert chances([10_000, 10_000], [0, 5_000]).min() == pytest.approx(MIN_CHANCE)
    assert np.ptp(chances([0, 0, 0], [0, 0, 0])) < 0.06
    assert chances([0], [5]) == pytest.approx([1])


def test_answers_and_rewards_are_counted_once_for_all_processes(home: Home) -> None:
    first, second = Bandit(home), Bandit(home)
    assert first.chances("which", ARMS) == pytest.approx([1 / 3] * 3)
    for number in range(300):
        first.shown(f"x{number}", "which", ARMS[number % 3])
    first.exchange()
    for number in range(0, 300, 3):
        second.rewarded(f"x{number}")  # the answers of the first arm
        second.rewarded(f"x{number}")
    second.rewarded("never shown")
    second.chances("which", ARMS)
    second.exchange()
    second.exchange()
    first.exchange()
    for probabilities in (first.chances("which", ARMS), second.chances("which", ARMS)):
        assert probabilities[0] > 0.95
    assert second._stats["which"]["shown"].tolist() == [100, 100, 100]
    reward_counts = second._send([("HMGET", second._counts_key("which"), "a:rewarded", "b:rewarded")])[0]
    assert [int(value or 0) for value in reward_counts] == [100, 0]


def test_without_redis_it_goes_on_with_what_it_knew(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = RedisServer(tmp_path / "redis")
    monkeypatch.setenv("REFRAIN_REDIS", server.address)
    server.start()
    served_bandit = Bandit(home)
    served_bandit.chances("which", ARMS)
    for number in range(60):
        served_bandit.shown(f"x{number}", "which", "b")
        served_bandit.rewarded(f"x{number}")
    served_bandit.exchange()
    probabilities = served_bandit.chances("which", ARMS)
    assert probabilities[1] > 0.9
    server.kill()
    served_bandit.shown("y", "which", "a")
    served_bandit.exchange()
    assert served_bandit.left_out == 1
    assert (served_bandit.chances("which", ARMS) == probabilities).all()
    server.start()
    try:
        served_bandit.shown("z", "which", "a")
        served_bandit.exchange()
        assert served_bandit.left_out == 1
    finally:
        server.kill()


def test_more_than_can_wait_is_left_out(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    served_bandit = Bandit(home)
    for number in range(bandit.MAX_PENDING + 5):
        served_bandit.shown(f"x{number}", "which", "a")
    assert served_bandit.left_out == 5
