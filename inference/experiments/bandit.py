"""Bandits: Thompson sampling with Beta posteriors over rewards, with counts shared through Redis.

Every answer counts as shown, and as rewarded if feedback names it within a day: a click, a like, a subscription. An arm
is drawn with the probability that it is the best one under Beta(1 + rewarded, 1 + shown − rewarded) (W. R. Thompson,
1933; O. Chapelle and L. Li, 2011). The probability is computed once a second from 2,000 draws, so that it can be
logged. Each arm keeps at least one in a hundred, so that all arms are explored.
"""

import logging
import queue
from collections.abc import Sequence

import numpy as np

from feature_repo.errors import OnlineUnavailable
from feature_repo.home import Home
from feature_repo.manifest import load_address
from feature_repo.packed.server import open_server, raise_errors, retry
from inference.ticker import Ticker

REWARDING = ("click", "like", "subscribe", "purchase")
DRAWS, MIN_CHANCE = 2_000, 0.01
REWARD_SECONDS = 86_400
"""Seconds within which an answer can be rewarded."""
EXCHANGE_SECONDS = 1.0
REDIS_TIMEOUT = 0.5
MAX_PENDING = 10_000
_REWARD = b"""
local arm = redis.call('GET', KEYS[1])
if not arm then return 0 end
redis.call('DEL', KEYS[1])
return arm
"""
_log = logging.getLogger("refrain.experiments")


def chances(shown: Sequence[int], rewarded: Sequence[int], seed: int = 0) -> np.ndarray:
    """Compute the probability of each arm to be drawn: (arms,) float, summing to 1.

    Args:
        shown: number of answers of each arm.
        rewarded: number of rewarded answers of each arm.
        seed: seed of the draws.
    """
    won = np.asarray(rewarded, float)
    lost = np.maximum(np.asarray(shown, float) - won, 0.0)
    draws = np.random.default_rng(seed).beta(1 + won, 1 + lost, (DRAWS, len(won)))
    best = np.bincount(draws.argmax(1), minlength=len(won)) / DRAWS
    return MIN_CHANCE + (1 - MIN_CHANCE * len(won)) * best


class Bandit:
    """The counts of all bandits of one tenant. Safe to share between threads; requests do not wait for Redis.

    Args:
        home: the data folder; its manifest has the address of Redis.
    """

    def __init__(self, home: Home) -> None:
        self._project = home.project
        self._server = open_server(home, load_address(home), REDIS_TIMEOUT)
        self._pending: queue.Queue[tuple[str, str, str]] = queue.Queue(MAX_PENDING)
        self._stats: dict[str, dict[str, np.ndarray]] = {}
        self._arms: dict[str, tuple[str, ...]] = {}
        self._ticker = Ticker("bandit", EXCHANGE_SECONDS, self.exchange)
        self.left_out = 0
        """Number of answers and rewards that were not counted."""

    def start(self) -> None:
        """Start the thread that exchanges counts with Redis."""
        self._ticker.start()

    def close(self) -> None:
        """Stop the thread and send all pending counts."""
        self._ticker.close()
        self.exchange()

    def chances(self, experiment: str, arms: tuple[str, ...]) -> np.ndarray:
        """Return the probabilities of an experiment's arms, by the latest counts; uniform before any are known."""
        self._arms[experiment] = arms
        chances = self._stats.get(experiment, {}).get("chances")
        return np.full(len(arms), 1 / len(arms)) if chances is None or len(chances) != len(arms) else chances

    def shown(self, answer_id: str, experiment: str, arm: str) -> None:
        """Record that an answer was shown; it is counted with the next exchange."""
        self._put(("shown", answer_id, f"{experiment}/{arm}"))

    def rewarded(self, answer_id: str) -> None:
        """Record that an answer was rewarded; it is counted once, with the next exchange."""
        self._put(("rewarded", answer_id, ""))

    def exchange(self) -> None:
        """Send pending acts to Redis, and fetch the counts of all processes."""
        acts: list[tuple[str, str, str]] = []
        while len(acts) < MAX_PENDING:
            try:
                acts.append(self._pending.get_nowait())
            except queue.Empty:
                break
        try:
            self._send_counts(acts)
            for experiment, arms in list(self._arms.items()):
                self._fetch(experiment, arms)
        except OnlineUnavailable as error:
            self.left_out += len(acts)
            _log.warning("bandit counts are not exchanged, the last ones are used: %s", error)

    def _put(self, act: tuple[str, str, str]) -> None:
        try:
            self._pending.put_nowait(act)
        except queue.Full:
            self.left_out += 1

    def _send_counts(self, acts: list[tuple[str, str, str]]) -> None:
        commands: list[tuple] = []
        for act, answer_id, arm in acts:
            if act == "shown":
                commands.append(("SET", self._answer_key(answer_id), arm, "EX", REWARD_SECONDS))
                commands.append(self._increment(arm, "shown"))
        self._send(commands)
        rewards = [answer_id for act, answer_id, _ in acts if act == "rewarded"]
        answers = self._send([("EVAL", _REWARD, 1, self._answer_key(answer_id)) for answer_id in rewards])
        self._send([self._increment(arm.decode(), "rewarded") for arm in answers if arm])

    def _increment(self, arm: str, count: str) -> tuple:
        experiment, _, name = arm.partition("/")
        return ("HINCRBY", self._counts_key(experiment), f"{name}:{count}", 1)

    def _fetch(self, experiment: str, arms: tuple[str, ...]) -> None:
        names = [f"{arm}:{count}" for count in ("shown", "rewarded") for arm in arms]
        counts = [int(value or 0) for value in self._send([("HMGET", self._counts_key(experiment), *names)])[0]]
        shown, rewarded = counts[: len(arms)], counts[len(arms) :]
        self._stats[experiment] = {"chances": chances(shown, rewarded), "shown": np.array(shown)}

    def _send(self, commands: list[tuple]) -> list:
        if not commands:
            return []
        keys = [command[3] if command[0] == "EVAL" else command[1] for command in commands]
        return retry(self._server, lambda: raise_errors(self._server.send(commands, keys)), tries=1)

    def _answer_key(self, answer_id: str) -> bytes:
        return f"{self._project}:answer:{answer_id}".encode()

    def _counts_key(self, experiment: str) -> bytes:
        return f"{self._project}:bandit:{experiment}".encode()
