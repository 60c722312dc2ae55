"""Bandits: chances that are right, rewards that count once, whatever becomes of Redis."""

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
    """Of two arms, against the closed form by numeric integration."""
    from scipy import integrate, stats

    shown, rewarded = [40, 60], [8, 18]
    one, other = (stats.beta(1 + won, 1 + all_ - won) for won, all_ in zip(rewarded, shown, strict=True))
    exact, _ = integrate.quad(lambda x: other.pdf(x) * one.cdf(x), 0, 1)
    found = chances(shown, rewarded)
    assert found.sum() == pytest.approx(1)
    assert found[1] == pytest.approx(MIN_CHANCE + (1 - 2 * MIN_CHANCE) * exact, abs=0.03)


def test_nothing_is_given_up_and_nothing_known_is_alike() -> None:
    assert chances([10_000, 10_000], [0, 5_000]).min() == pytest.approx(MIN_CHANCE)
    assert np.ptp(chances([0, 0, 0], [0, 0, 0])) < 0.06
    assert chances([0], [5]) == pytest.approx([1])


def test_answers_and_rewards_are_counted_once_for_all_processes(home: Home) -> None:
    one, other = Bandit(home), Bandit(home)
    assert one.chances("which", ARMS) == pytest.approx([1 / 3] * 3)
    for number in range(300):
        one.shown(f"x{number}", "which", ARMS[number % 3])
    one.exchange()
    for number in range(0, 300, 3):
        other.rewarded(f"x{number}")  # those of the first arm
        other.rewarded(f"x{number}")
    other.rewarded("never shown")
    other.chances("which", ARMS)
    other.exchange()
    other.exchange()
    one.exchange()
    for found in (one.chances("which", ARMS), other.chances("which", ARMS)):
        assert found[0] > 0.95
    assert other._stats["which"]["shown"].tolist() == [100, 100, 100]
    raw = other._send([("HMGET", other._counts_key("which"), "a:rewarded", "b:rewarded")])[0]
    assert [int(value or 0) for value in raw] == [100, 0]


def test_without_redis_it_goes_on_with_what_it_knew(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = RedisServer(tmp_path / "redis")
    monkeypatch.setenv("REFRAIN_REDIS", server.address)
    server.start()
    found = Bandit(home)
    found.chances("which", ARMS)
    for number in range(60):
        found.shown(f"x{number}", "which", "b")
        found.rewarded(f"x{number}")
    found.exchange()
    known = found.chances("which", ARMS)
    assert known[1] > 0.9
    server.kill()
    found.shown("y", "which", "a")
    found.exchange()
    assert found.left_out == 1
    assert (found.chances("which", ARMS) == known).all()
    server.start()
    try:
        found.shown("z", "which", "a")
        found.exchange()
        assert found.left_out == 1
    finally:
        server.kill()


def test_more_than_can_wait_is_left_out(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Bandit(home)
    for number in range(bandit.MAX_PENDING + 5):
        found.shown(f"x{number}", "which", "a")
    assert found.left_out == 5
