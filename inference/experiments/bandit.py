"""Arms chosen by what they earned: Thompson sampling with Beta posteriors, its counts shared through Redis.

An answer counts as shown, and as rewarded if feedback names it within a day: a click, a like, a subscription. An arm is
drawn with the chance that it is the best one under Beta(1 + rewarded, 1 + shown − rewarded) (W. R. Thompson, 1933; O.
Chapelle and L. Li, 2011). That chance is computed once a second from 2,000 draws, so that it is known and can be
logged; each arm keeps one in a hundred, so that nothing is ever given up.
"""

import logging
import queue
from collections.abc import Sequence

import numpy as np

from feature_repo.errors import OnlineUnavailable
from feature_repo.home import Home
from feature_repo.manifest import load_address
from feature_repo.packed.server import open_server, persistent, raised
from inference.ticker import Ticker

REWARDING = ("click", "like", "subscribe", "purchase")
DRAWS, LEAST = 2_000, 0.01
REMEMBERED = 86_400
"""Seconds for which an answer can be rewarded."""
SECONDS = 1.0
PATIENCE = 0.5
WAITING = 10_000
_REWARD = b"""
local told = redis.call('GET', KEYS[1])
if not told then return 0 end
redis.call('DEL', KEYS[1])
return told
"""
_log = logging.getLogger("refrain.experiments")


def chances(shown: Sequence[int], rewarded: Sequence[int], seed: int = 0) -> np.ndarray:
    """The chance of each arm to be drawn: (arms,) float, together 1.

    Args:
        shown: answers of each arm.
        rewarded: those that were rewarded.
        seed: of the draws.
    """
    won = np.asarray(rewarded, float)
    lost = np.maximum(np.asarray(shown, float) - won, 0.0)
    draws = np.random.default_rng(seed).beta(1 + won, 1 + lost, (DRAWS, len(won)))
    best = np.bincount(draws.argmax(1), minlength=len(won)) / DRAWS
    return LEAST + (1 - LEAST * len(won)) * best


class Bandit:
    """The counts of all bandits of one tenant. Safe to share between threads; nobody waits for Redis.

    Args:
        home: the data folder; its manifest says where Redis is.
    """

    def __init__(self, home: Home) -> None:
        self._project = home.project
        self._server = open_server(home, load_address(home), PATIENCE)
        self._waiting: queue.Queue[tuple[str, str, str]] = queue.Queue(WAITING)
        self._known: dict[str, dict[str, np.ndarray]] = {}
        self._arms: dict[str, tuple[str, ...]] = {}
        self._ticker = Ticker("bandit", SECONDS, self.exchange)
        self.left_out = 0
        """Answers and rewards that were not counted."""

    def start(self) -> None:
        """Begin to count."""
        self._ticker.start()

    def close(self) -> None:
        """End, with everything counted."""
        self._ticker.close()
        self.exchange()

    def chances(self, experiment: str, arms: tuple[str, ...]) -> np.ndarray:
        """Of the arms of an experiment, by what was last heard; alike for one that nothing is known of."""
        self._arms[experiment] = arms
        found = self._known.get(experiment, {}).get("chances")
        return np.full(len(arms), 1 / len(arms)) if found is None or len(found) != len(arms) else found

    def shown(self, answer_id: str, experiment: str, arm: str) -> None:
        """An answer was given; counted soon."""
        self._put(("shown", answer_id, f"{experiment}/{arm}"))

    def rewarded(self, answer_id: str) -> None:
        """Feedback names an answer; counted soon, once."""
        self._put(("rewarded", answer_id, ""))

    def exchange(self) -> None:
        """Count what waits, and hear the counts of all processes."""
        told: list[tuple[str, str, str]] = []
        while len(told) < WAITING:
            try:
                told.append(self._waiting.get_nowait())
            except queue.Empty:
                break
        try:
            self._count(told)
            for experiment, arms in list(self._arms.items()):
                self._hear(experiment, arms)
        except OnlineUnavailable as error:
            self.left_out += len(told)
            _log.warning("a bandit goes on with what it knew: %s", error)

    def _put(self, told: tuple[str, str, str]) -> None:
        try:
            self._waiting.put_nowait(told)
        except queue.Full:
            self.left_out += 1

    def _count(self, told: list[tuple[str, str, str]]) -> None:
        commands: list[tuple] = []
        for act, answer_id, arm in told:
            if act == "shown":
                commands.append(("SET", self._answer(answer_id), arm, "EX", REMEMBERED))
                commands.append(self._more(arm, "shown"))
        self._send(commands)
        rewards = [answer_id for act, answer_id, _ in told if act == "rewarded"]
        answers = self._send([("EVAL", _REWARD, 1, self._answer(answer_id)) for answer_id in rewards])
        self._send([self._more(arm.decode(), "rewarded") for arm in answers if arm])

    def _more(self, arm: str, what: str) -> tuple:
        experiment, _, name = arm.partition("/")
        return ("HINCRBY", self._counts(experiment), f"{name}:{what}", 1)

    def _hear(self, experiment: str, arms: tuple[str, ...]) -> None:
        names = [f"{arm}:{what}" for what in ("shown", "rewarded") for arm in arms]
        counts = [int(value or 0) for value in self._send([("HMGET", self._counts(experiment), *names)])[0]]
        shown, rewarded = counts[: len(arms)], counts[len(arms) :]
        self._known[experiment] = {"chances": chances(shown, rewarded), "shown": np.array(shown)}

    def _send(self, commands: list[tuple]) -> list:
        if not commands:
            return []
        keys = [command[3] if command[0] == "EVAL" else command[1] for command in commands]
        return persistent(self._server, lambda: raised(self._server.send(commands, keys)), tries=1)

    def _answer(self, answer_id: str) -> bytes:
        return f"{self._project}:answer:{answer_id}".encode()

    def _counts(self, experiment: str) -> bytes:
        return f"{self._project}:bandit:{experiment}".encode()
