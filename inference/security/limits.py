"""Rate limits and quotas of callers, shared by all serving processes.

Each caller has a token bucket (its capacity is the burst, its refill rate is per second) and a counter of the day, both
in Redis. A request does not wait for Redis: a process decides by the last state from Redis, less the requests that it
allowed since, and synchronizes ten times a second. With n processes a caller can therefore exceed the burst by what the
others allow within a tenth of a second; the bucket goes below zero by that amount, so it is paid back. While Redis is
unavailable, each process enforces the limits by itself.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from feature_repo.errors import OnlineUnavailable
from feature_repo.home import Home
from feature_repo.manifest import load_address
from feature_repo.packed.server import Server, open_server, raise_errors, retry
from inference.security.caller import Caller, Limits
from inference.ticker import Ticker

SYNC_SECONDS = 0.1
"""Seconds between two synchronizations with Redis."""
REDIS_TIMEOUT = 0.5
"""Timeout of Redis in seconds; only the synchronizing thread waits."""
IDLE_SECONDS = 600.0
"""Seconds after the last request of a caller until its account is dropped from this process."""
_SCRIPT = b"""
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1e6
local requests, rate, burst = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local stored = redis.call('HMGET', KEYS[1], 'tokens', 'at', 'day', 'used')
local today = tostring(math.floor(now / 86400))
local tokens, at = tonumber(stored[1]) or burst, tonumber(stored[2]) or now
local used = stored[3] == today and tonumber(stored[4]) or 0
tokens = math.min(burst, tokens + math.max(now - at, 0) * rate) - requests
used = used + requests
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', tostring(now), 'day', today, 'used', used)
redis.call('EXPIRE', KEYS[1], 172800)
return {tostring(tokens), used, tostring(86400 - now % 86400)}
"""
_log = logging.getLogger("refrain.security")


@dataclass(frozen=True)
class Verdict:
    """The decision about one request.

    Attributes:
        allowed: whether the request is allowed.
        wait: seconds until a request may be allowed again; 0 if this one is.
        reason: ``rate`` or ``quota``; empty if the request is allowed.
    """

    allowed: bool
    wait: float = 0.0
    reason: str = ""


class _Account:
    """The state of one caller's limits in this process."""

    def __init__(self, limits: Limits, now: float) -> None:
        self.limits = limits
        self.tokens, self.at = float(limits.burst), now
        self.used, self.day_ends = 0, now + 86_400.0
        self.unsent, self.last_request_at = 0, now

    def take(self, now: float, count: int) -> Verdict:
        """Take tokens for ``count`` requests, for all or none."""
        limits, self.last_request_at = self.limits, now
        if now >= self.day_ends:  # Redis sends the exact end soon
            self.used, self.day_ends = 0, now + 86_400.0
        if limits.per_day is not None and self.used + count > limits.per_day:
            return Verdict(False, self.day_ends - now, "quota")
        self.tokens = min(float(limits.burst), self.tokens + (now - self.at) * limits.per_second)
        self.at = now
        if self.tokens < min(count, limits.burst):  # more than a burst at once is paid back later
            return Verdict(False, (min(count, limits.burst) - self.tokens) / limits.per_second, "rate")
        self.tokens -= count
        self.used += count
        self.unsent += count
        return Verdict(True)


class Limiter:
    """Enforces limits of callers. Safe to share between threads; ``close`` sends pending counts to Redis.

    Args:
        home: the data folder; its manifest has the address of Redis.
        clock: monotonic clock in seconds.
    """

    def __init__(self, home: Home, clock: Callable[[], float] = time.monotonic) -> None:
        self._project, self._clock = home.project, clock
        self._server: Server = open_server(home, load_address(home), REDIS_TIMEOUT)
        self._accounts: dict[str, _Account] = {}
        self._lock = threading.Lock()
        self._ticker = Ticker("limits", SYNC_SECONDS, self.synchronize)
        self.shared = True
        """Whether Redis answered the last synchronization."""

    def start(self) -> None:
        """Start the synchronization with Redis."""
        self._ticker.start()

    def close(self) -> None:
        """Stop, and send pending counts to Redis."""
        self._ticker.close()
        self.synchronize()

    def take(self, caller: Caller, count: int = 1) -> Verdict:
        """Decide whether ``count`` more requests of a caller are allowed; counts them if so."""
        if caller.limits is None or count < 1:
            return Verdict(True)
        now = self._clock()
        with self._lock:
            account = self._accounts.get(caller.id)
            if account is None:
                account = self._accounts[caller.id] = _Account(caller.limits, now)
            account.limits = caller.limits
            return account.take(now, count)

    def synchronize(self) -> None:
        """Send the allowed requests to Redis, and fetch the state of all processes."""
        now = self._clock()
        with self._lock:
            for name in [
                name
                for name, account in self._accounts.items()
                if not account.unsent and now - account.last_request_at > IDLE_SECONDS
            ]:
                del self._accounts[name]
            pending = {
                name: (account, account.unsent)
                for name, account in self._accounts.items()
                if now - account.last_request_at < IDLE_SECONDS
            }
        if not pending:
            return
        keys = [f"{self._project}:limits:{{{name}}}".encode() for name in pending]
        commands = [
            ("EVAL", _SCRIPT, 1, key, sent, account.limits.per_second, account.limits.burst)
            for key, (account, sent) in zip(keys, pending.values(), strict=True)
        ]
        try:
            answers = retry(self._server, lambda: raise_errors(self._server.send(commands, keys)), tries=1)
        except OnlineUnavailable as error:
            if self.shared:
                _log.warning("Redis is unavailable, each process enforces limits by itself: %s", error)
            self.shared = False
            return
        self.shared = True
        now = self._clock()
        with self._lock:
            for (account, sent), (tokens, used, left_s) in zip(pending.values(), answers, strict=True):
                account.unsent -= sent  # allowed in the meantime, not sent yet
                account.tokens, account.at = float(tokens) - account.unsent, now
                account.used, account.day_ends = int(used) + account.unsent, now + float(left_s)
