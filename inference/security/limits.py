"""Rate limits and quotas of callers, exact across all serving processes.

Each caller has a token bucket (its capacity is the burst, its refill rate is per second) and a counter of the day, both
in Redis. A request takes its tokens there in one round trip; requests that come at the same time share one. Where Redis
does not answer within ``WAIT_S``, a process decides by what it last knew, for a while without asking, and reports
what it allowed once Redis answers again: then a caller may exceed its limits by what each process allowed alone.

A request that costs more than the burst passes when the bucket is full, and the bucket then is in debt: the next
request is allowed when the debt is paid back.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from feature_repo.errors import OnlineUnavailable
from feature_repo.home import Home
from feature_repo.manifest import load_address
from feature_repo.packed.server import Server, open_server, raise_errors, retry
from inference.security.caller import Caller, Limits

WAIT_S = 0.1
"""Seconds that a request waits for Redis."""
PAUSE_S = 1.0
"""Seconds for which a process decides alone after Redis did not answer in time."""
REDIS_TIMEOUT = 0.5
"""Timeout of Redis in seconds; only the thread of this module waits so long."""
IDLE_SECONDS = 600.0
"""Seconds after the last request of a caller until its account is dropped from this process."""
_SCRIPT = b"""
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1e6
local cost, least = tonumber(ARGV[1]), tonumber(ARGV[2])
local rate, burst, quota = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local stored = redis.call('HMGET', KEYS[1], 'tokens', 'at', 'day', 'used')
local today = tostring(math.floor(now / 86400))
local tokens, at = tonumber(stored[1]) or burst, tonumber(stored[2]) or now
local used = stored[3] == today and tonumber(stored[4]) or 0
tokens = math.min(burst, tokens + math.max(now - at, 0) * rate)
local reason = ''
if quota >= 0 and used + cost > quota then reason = 'quota' elseif tokens < least then reason = 'rate' end
if reason == '' then
  tokens, used = tokens - cost, used + cost
end
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', tostring(now), 'day', today, 'used', used)
redis.call('EXPIRE', KEYS[1], math.min(math.max(172800, math.ceil((burst - tokens) / rate)), 1e9))
return {reason, tostring(tokens), used, tostring(86400 - now % 86400)}
"""
_ANY = -1e300
"""Tokens that any bucket has."""
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


@dataclass(frozen=True)
class Take:
    """Tokens to be taken from a caller's bucket.

    Attributes:
        caller: the caller.
        cost: number of tokens.
        least: tokens that the bucket must have; the cost, or a burst if that is less, if None.
        unconditional: whether the tokens are taken even if the limits are exceeded, as for work that was done.
    """

    caller: Caller
    cost: int = 1
    least: float | None = None
    unconditional: bool = False

    @property
    def needed(self) -> float:
        """Tokens that the bucket must have."""
        assert self.caller.limits is not None
        if self.unconditional:
            return _ANY
        return min(self.cost, self.caller.limits.burst) if self.least is None else self.least


class _Account:
    """What this process last knew of one caller's limits, and what it allowed without Redis."""

    def __init__(self, limits: Limits, now: float) -> None:
        self.limits = limits
        self.tokens, self.at = float(limits.burst), now
        self.used, self.day_ends = 0, now + 86_400.0
        self.unsent, self.last_request_at = 0, now

    def take(self, now: float, take: Take) -> Verdict:
        """Decide without Redis."""
        if now >= self.day_ends:
            self.used, self.day_ends = 0, now + 86_400.0
        self.tokens = min(float(self.limits.burst), self.tokens + max(now - self.at, 0.0) * self.limits.per_second)
        self.at = now
        quota = self.limits.per_day
        if quota is not None and not take.unconditional and self.used + take.cost > quota:
            return self.refusal("quota", take, now)
        if self.tokens < take.needed:
            return self.refusal("rate", take, now)
        self.tokens -= take.cost
        self.used += take.cost
        self.unsent += take.cost
        return Verdict(True)

    def refusal(self, reason: str, take: Take, now: float) -> Verdict:
        """Refuse, and say for how long."""
        wait = self.day_ends - now if reason == "quota" else (take.needed - self.tokens) / self.limits.per_second
        return Verdict(False, max(wait, 0.0), reason)


@dataclass
class _Waiting:
    """Tokens to be taken by the thread, and the request that waits for them."""

    take: Take
    loop: asyncio.AbstractEventLoop
    verdict: "asyncio.Future[Verdict]"


class Limiter:
    """Enforces limits of callers. Safe to share between threads.

    Args:
        home: the data folder; its manifest has the address of Redis.
        clock: monotonic clock in seconds.

    Attributes:
        shared: whether Redis answered last time.
    """

    def __init__(self, home: Home, clock: Callable[[], float] = time.monotonic) -> None:
        self._project, self._clock = home.project, clock
        self._server: Server = open_server(home, load_address(home), REDIS_TIMEOUT)
        self._accounts: dict[str, _Account] = {}
        self._lock = threading.Lock()
        self._waiting: deque[_Waiting] = deque()
        self._wake, self._closed = threading.Event(), False
        self._thread: threading.Thread | None = None
        self._alone_until = self._swept_at = -1e300
        self.shared = True

    def start(self) -> None:
        """Start the thread, which connects to Redis before the first request."""
        self._start()

    async def take(self, caller: Caller, cost: int = 1, *, least: float | None = None) -> Verdict:
        """Decide whether a request is allowed; takes its cost from the caller's bucket if so.

        Args:
            caller: the caller.
            cost: tokens that it costs.
            least: tokens that the bucket must have; the cost, or a burst if that is less, if None.
        """
        return await self._decide(Take(caller, cost, least))

    async def add(self, caller: Caller, cost: int) -> None:
        """Take the cost of work that was done from the caller's bucket, whatever is in it."""
        await self._decide(Take(caller, cost, unconditional=True))

    async def _decide(self, take: Take) -> Verdict:
        if take.caller.limits is None or take.cost < 1:
            return Verdict(True)
        if self._clock() < self._alone_until:
            return self._take_alone(take)
        loop = asyncio.get_running_loop()
        waiting = _Waiting(take, loop, loop.create_future())
        self._waiting.append(waiting)
        self._start()
        self._wake.set()
        try:
            async with asyncio.timeout(WAIT_S):
                return await waiting.verdict
        except TimeoutError:
            self._alone_until = self._clock() + PAUSE_S
            with suppress(ValueError):  # the thread has it already: it is counted there
                self._waiting.remove(waiting)
                return self._take_alone(take)
            return Verdict(True)

    def take_all(self, takes: Sequence[Take]) -> list[Verdict]:
        """Decide about several requests of callers with limits in one round trip to Redis; alone if it is away."""
        with self._lock:
            accounts = [self._account(take.caller) for take in takes]
            unsent = {name: account.unsent for name, account in self._accounts.items() if account.unsent}
            late = [self._accounts[name] for name in unsent]
        commands = [
            self._command(name, account.limits, unsent[name], _ANY, None)
            for name, account in zip(unsent, late, strict=True)
        ]
        for take, account in zip(takes, accounts, strict=True):
            quota = None if take.unconditional else account.limits.per_day
            commands.append(self._command(take.caller.id, account.limits, take.cost, take.needed, quota))
        keys = [command[3] for command in commands]
        try:
            answers = retry(self._server, lambda: raise_errors(self._server.send(commands, keys)), tries=1)
        except OnlineUnavailable as error:
            if self.shared:
                _log.warning("Redis is unavailable, each process enforces limits by itself: %s", error)
            self.shared, self._alone_until = False, self._clock() + PAUSE_S
            return [self._take_alone(take) for take in takes]
        self.shared = True
        now = self._clock()
        with self._lock:
            for name, account in zip(unsent, late, strict=True):
                account.unsent -= unsent[name]
            for account, (_, tokens, used, left_s) in zip([*late, *accounts], answers, strict=True):
                account.tokens, account.at = float(tokens) - account.unsent, now
                account.used, account.day_ends = int(used) + account.unsent, now + float(left_s)
            return [
                account.refusal(answer[0].decode(), take, now) if answer[0] else Verdict(True)
                for account, take, answer in zip(accounts, takes, answers[len(late) :], strict=True)
            ]

    def close(self) -> None:
        """Report to Redis what was allowed without it, and end the thread."""
        self._closed = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        if any(account.unsent for account in self._accounts.values()):
            self.take_all([])

    def _command(self, name: str, limits: Limits, cost: int, least: float, quota: int | None) -> tuple[Any, ...]:
        key = f"{{{self._project}:limits:{name}}}".encode()  # not as rows of views, which ``materialize`` may erase
        return ("EVAL", _SCRIPT, 1, key, cost, least, limits.per_second, limits.burst, -1 if quota is None else quota)

    def _account(self, caller: Caller) -> _Account:
        assert caller.limits is not None
        now = self._clock()
        account = self._accounts.get(caller.id)
        if account is None:
            if now - self._swept_at > IDLE_SECONDS / 10:
                self._swept_at = now
                for name, other in list(self._accounts.items()):
                    if not other.unsent and now - other.last_request_at > IDLE_SECONDS:
                        del self._accounts[name]
            account = self._accounts[caller.id] = _Account(caller.limits, now)
        account.limits, account.last_request_at = caller.limits, now
        return account

    def _take_alone(self, take: Take) -> Verdict:
        with self._lock:
            return self._account(take.caller).take(self._clock(), take)

    def _start(self) -> None:
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="limits", daemon=True)
                    self._thread.start()

    def _run(self) -> None:
        with suppress(OnlineUnavailable):  # connected before the first request
            retry(self._server, lambda: self._server.send([("TIME",)], [b""]), tries=1)
        while not self._closed:
            has_work = self._wake.wait(PAUSE_S)
            self._wake.clear()
            batch: list[_Waiting] = []
            while self._waiting:
                batch.append(self._waiting.popleft())
            if not batch and (has_work or not any(account.unsent for account in list(self._accounts.values()))):
                continue
            try:
                verdicts = self.take_all([waiting.take for waiting in batch])
            except Exception:  # a damaged value in Redis, say: requests are decided here then
                _log.exception("limits are not shared")
                verdicts = [self._take_alone(waiting.take) for waiting in batch]
            for waiting, verdict in zip(batch, verdicts, strict=True):
                with suppress(RuntimeError):  # its loop has ended
                    waiting.loop.call_soon_threadsafe(_resolve, waiting.verdict, verdict)


def _resolve(future: "asyncio.Future[Verdict]", verdict: Verdict) -> None:
    if not future.done():
        future.set_result(verdict)
