"""A real Redis that is stopped, or hangs, while a service answers: nothing forbidden, and complete answers after it."""

import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx2 as httpx
import pytest

from feature_repo.home import Home
from tests.inference.recommend.test_rights_of_answers import Truth
from tests.oracles.rights import may_be_played
from tests.servers import RedisServer
from tests.serving import serving, wait_until

ENDS_S = 5.0
"""Seconds after which answers are complete again."""
GOAL_MS = "1500"
"""Goal for latency: more than an answer takes on a busy machine, less than two questions that the store leaves open."""


@pytest.fixture
def redis(own_world: Home) -> Iterator[RedisServer]:
    """A server with what is online in the world."""
    server = RedisServer(own_world.redis, options={"appendonly": "yes"}).start()
    yield server
    server.kill()


@dataclass
class _Listeners:
    """Threads that ask for tracks that are not explicit, each again after a pause.

    Attributes:
        answers: when each answer was asked for, its country, and the answer.
        failures: statuses other than 200.
    """

    client: httpx.Client
    pause_s: float
    count: int
    answers: list[tuple[float, str, dict[str, Any]]] = field(default_factory=list)
    failures: list[int] = field(default_factory=list)

    def __enter__(self) -> "_Listeners":
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(self.count)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, number: int) -> None:
        chance = random.Random(number)
        with httpx.Client(base_url=self.client.base_url, timeout=30) as client:
            while not self._ended.wait(self.pause_s):
                country = chance.choice(["SE", "JP", "US"])
                body = {
                    "user_id": chance.choice(["u000007", "u000031", "nobody"]),
                    "count": chance.choice([5, 60]),
                    "country": country,
                    "explicit": False,
                    "explore": chance.choice([0.0, 0.5]),
                    "pick_genres": chance.choice([[], ["pop"]]),
                }
                at = time.monotonic()
                response = client.post("/v1/recommendations", json=body)
                if response.status_code == 200:
                    self.answers.append((at, country, response.json()))
                else:
                    self.failures.append(response.status_code)


@pytest.mark.soak
@pytest.mark.parametrize("seconds", [1, 10, 60])
@pytest.mark.parametrize("how", ["killed", "hangs"])
@pytest.mark.parametrize(("pause_s", "count"), [(0.05, 4), (7.0, 1)], ids=["busy", "quiet"])
def test_nothing_forbidden_and_complete_answers_soon_after(
    own_world: Home, world: Home, redis: RedisServer, seconds: int, how: str, pause_s: float, count: int
) -> None:
    truth = Truth.of(world)
    with serving(own_world, "--p99", GOAL_MS, REFRAIN_REDIS=redis.address) as (client, _):
        wait_until((own_world.root / "rights" / "default.npz").exists)
        with _Listeners(client, pause_s, count) as listeners:
            wait_until(lambda: len(listeners.answers) >= min(20, 2 * count))
            redis.kill() if how == "killed" else redis.pause()
            gone_at = time.monotonic()
            time.sleep(seconds)
            redis.start() if how == "killed" else redis.resume()
            back_at = time.monotonic()
            wait_until(lambda: any(at > back_at + ENDS_S for at, _, _ in listeners.answers))
        level = _level(client)
    assert not listeners.failures
    forbidden = [
        item["track_id"]
        for _, country, answer in listeners.answers
        for item in answer["items"]
        if not may_be_played(truth.rows[item["track_id"]], country, explicit=False)
    ]
    assert not forbidden
    recommended = [len(answer["items"]) for at, _, answer in listeners.answers if gone_at < at < back_at]
    assert all(recommended)
    notes = [str(answer["note"]) for at, _, answer in listeners.answers if at > back_at + ENDS_S]
    assert notes
    assert not [note for note in notes if "busy" in note or "does not answer" in note]
    assert level == 0


def _level(client: httpx.Client) -> float:
    lines = client.get("/metrics").text.splitlines()
    return float(next(line for line in lines if line.startswith("refrain_level ")).split()[1])
