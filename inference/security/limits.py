"""Rates and quotas of callers, shared by all processes that serve.

Each caller has a token bucket (as many tokens as their burst, so many new ones a second) and a count of the day, both
in Redis. A request does not wait for Redis: a process decides by what it last heard, less what it let in since, and
tells Redis ten times a second. With n processes a caller can thus exceed their burst by what the others let in within
a tenth of a second; the bucket goes below zero by that, so that it is taken back. While Redis is away, each process
keeps to the limits by itself.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from feature_repo.errors import OnlineUnavailable
from feature_repo.home import Home
from feature_repo.manifest import load_address
from feature_repo.packed.server import Server, open_server, persistent, raised
from inference.security.caller import Caller, Limits
from inference.ticker import Ticker

SECONDS = 0.1
"""Between two tellings."""
PATIENCE = 0.5
"""Seconds that Redis may take; a thread of its own waits."""
FORGOTTEN = 600.0
"""Seconds after which somebody who asks no more is forgotten here."""
_SCRIPT = b"""
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1e6
local taken, rate, burst = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local told = redis.call('HMGET', KEYS[1], 'tokens', 'at', 'day', 'used')
local today = tostring(math.floor(now / 86400))
local tokens, at = tonumber(told[1]) or burst, tonumber(told[2]) or now
local used = told[3] == today and tonumber(told[4]) or 0
tokens = math.min(burst, tokens + math.max(now - at, 0) * rate) - taken
used = used + taken
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', tostring(now), 'day', today, 'used', used)
redis.call('EXPIRE', KEYS[1], 172800)
return {tostring(tokens), used, tostring(86400 - now % 86400)}
"""
_log = logging.getLogger("refrain.security")


@dataclass(frozen=True)
class Verdict:
    """Whether one request may go on.

    Attributes:
        allowed: whether it may.
        wait: seconds after which the next one might; 0 if this one may.
        reason: ``rate`` or ``quota``; empty if it may.
    """

    allowed: bool
    wait: float = 0.0
    reason: str = ""


class _Account:
    """What this process knows of one caller."""

    def __init__(self, limits: Limits, now: float) -> None:
        self.limits = limits
        self.tokens, self.at = float(limits.burst), now
        self.used, self.day_ends = 0, now + 86_400.0
        self.taken, self.asked = 0, now

    def take(self, now: float, count: int) -> Verdict:
        """So many requests, all or none."""
        limits, self.asked = self.limits, now
        if now >= self.day_ends:  # told anew by Redis soon
            self.used, self.day_ends = 0, now + 86_400.0
        if limits.per_day is not None and self.used + count > limits.per_day:
            return Verdict(False, self.day_ends - now, "quota")
        self.tokens = min(float(limits.burst), self.tokens + (now - self.at) * limits.per_second)
        self.at = now
        if self.tokens < min(count, limits.burst):  # more than a burst at once is paid back later
            return Verdict(False, (min(count, limits.burst) - self.tokens) / limits.per_second, "rate")
        self.tokens -= count
        self.used += count
        self.taken += count
        return Verdict(True)


class Limiter:
    """Lets callers in as often as they may. Safe to share between threads; ``close`` tells what is not yet told.

    Args:
        home: the data folder; its manifest says where Redis is.
        clock: seconds that never go back.
    """

    def __init__(self, home: Home, clock: Callable[[], float] = time.monotonic) -> None:
        self._project, self._clock = home.project, clock
        self._server: Server = open_server(home, load_address(home), PATIENCE)
        self._accounts: dict[str, _Account] = {}
        self._lock = threading.Lock()
        self._ticker = Ticker("limits", SECONDS, self.tell)
        self.shared = True
        """Whether Redis answered when it was last told."""

    def start(self) -> None:
        """Begin to tell Redis."""
        self._ticker.start()

    def close(self) -> None:
        """End."""
        self._ticker.close()
        self.tell()

    def take(self, caller: Caller, count: int = 1) -> Verdict:
        """Whether so many more requests of a caller may go on; counts them if so."""
        if caller.limits is None or count < 1:
            return Verdict(True)
        now = self._clock()
        with self._lock:
            account = self._accounts.get(caller.id)
            if account is None:
                account = self._accounts[caller.id] = _Account(caller.limits, now)
            account.limits = caller.limits
            return account.take(now, count)

    def tell(self) -> None:
        """Tell Redis what was let in, and hear what all processes let in."""
        now = self._clock()
        with self._lock:
            for name in [name for name, one in self._accounts.items() if not one.taken and now - one.asked > FORGOTTEN]:
                del self._accounts[name]
            pending = {name: (one, one.taken) for name, one in self._accounts.items() if now - one.asked < FORGOTTEN}
        if not pending:
            return
        keys = [f"{self._project}:limits:{{{name}}}".encode() for name in pending]
        commands = [
            ("EVAL", _SCRIPT, 1, key, taken, one.limits.per_second, one.limits.burst)
            for key, (one, taken) in zip(keys, pending.values(), strict=True)
        ]
        try:
            answers = persistent(self._server, lambda: raised(self._server.send(commands, keys)), tries=1)
        except OnlineUnavailable as error:
            if self.shared:
                _log.warning("limits are kept by each process alone: %s", error)
            self.shared = False
            return
        self.shared = True
        now = self._clock()
        with self._lock:
            for (one, taken), (tokens, used, left) in zip(pending.values(), answers, strict=True):
                one.taken -= taken  # let in meanwhile: not told yet
                one.tokens, one.at = float(tokens) - one.taken, now
                one.used, one.day_ends = int(used) + one.taken, now + float(left)
