"""Rate limits and quotas: in one process, and shared between processes."""

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from feature_repo.home import Home
from feature_repo.materialize import _erase_unknown
from feature_repo.packed.address import Address
from feature_repo.packed.server import open_server
from inference.security import limits
from inference.security.caller import Caller, Limits
from inference.security.limits import Limiter, Take, Verdict
from tests.servers import RedisServer


def _caller(per_second: float = 10, burst: int = 5, per_day: int | None = None) -> Caller:
    return Caller("abc", "somebody", "default", frozenset(), Limits(per_second, burst, per_day))


@pytest.fixture(autouse=True)
def _no_manifest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "load_address", lambda home: Address.from_env())


@pytest.fixture
def clock() -> list[float]:
    return [0.0]


def _limiter(home: Home, clock: list[float]) -> Limiter:
    return Limiter(home, lambda: clock[0])


def _take(limiter: Limiter, caller: Caller, cost: int = 1) -> Verdict:
    return limiter.take_all([Take(caller, cost)])[0]


def _count_allowed(limiter: Limiter, caller: Caller, count: int) -> int:
    return sum(verdict.allowed for verdict in limiter.take_all([Take(caller)] * count))


def test_a_burst_then_the_rate(home: Home, clock: list[float]) -> None:
    limiter, caller = _limiter(home, clock), _caller(4.0)
    assert _count_allowed(limiter, caller, 20) == 5
    verdict = _take(limiter, caller)
    assert verdict.reason == "rate"
    assert verdict.wait == pytest.approx(0.25, abs=0.1)
    time.sleep(verdict.wait)
    assert _count_allowed(limiter, caller, 20) == 1


def test_a_quota_of_the_day(home: Home, clock: list[float]) -> None:
    limiter, caller = _limiter(home, clock), _caller(1_000, 1_000, 7)
    assert _count_allowed(limiter, caller, 20) == 7
    verdict = _take(limiter, caller)
    assert verdict.reason == "quota"
    assert 0 < verdict.wait <= 86_400
    assert _take(limiter, _caller(1_000, 1_000, 9), 3).reason == "quota"
    assert _take(limiter, _caller(1_000, 1_000, 9), 2).allowed


def test_what_costs_more_than_a_burst_is_paid_back(home: Home, clock: list[float]) -> None:
    limiter, caller = _limiter(home, clock), _caller(10.0, 5)
    assert _take(limiter, caller, 8).allowed
    verdict = _take(limiter, caller)
    assert verdict.wait == pytest.approx(0.4, abs=0.15)
    assert not limiter.take_all([Take(caller, 4, least=4)])[0].allowed
    time.sleep(verdict.wait)
    assert _take(limiter, caller).allowed


def test_the_cost_of_done_work_counts_whatever_is_left(home: Home, clock: list[float]) -> None:
    limiter, caller = _limiter(home, clock), _caller(1.0, 5, 6)
    assert limiter.take_all([Take(caller, 10, unconditional=True)]) == [Verdict(True)]
    assert _take(limiter, caller).reason == "quota"
    assert _take(limiter, _caller(1.0, 5)).wait == pytest.approx(6.0, abs=0.5)


def test_no_limits_is_no_limit(home: Home, clock: list[float]) -> None:
    caller = Caller("abc", "x", "default", frozenset(), None)
    limiter = _limiter(home, clock)

    async def take_many() -> bool:
        return all([(await limiter.take(caller)).allowed for _ in range(1_000)])

    assert asyncio.run(take_many())
    assert limiter._thread is None


def test_callers_do_not_share(home: Home, clock: list[float]) -> None:
    limiter = _limiter(home, clock)
    other = Caller("def", "other", "default", frozenset(), Limits(0.001, 5))
    assert _count_allowed(limiter, _caller(0.001), 20) == 5
    assert _count_allowed(limiter, other, 20) == 5


def test_processes_share_one_bucket_and_one_quota_exactly(
    home: Home, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three processes take at the same time, each from several requests."""
    monkeypatch.setattr(limits, "WAIT_S", 30.0)
    limiters = [_limiter(home, clock) for _ in range(3)]
    for caller in (_caller(0.001, 200), Caller("quota", "x", "default", frozenset(), Limits(1e6, 1_000_000, 200))):
        counts: list[int] = []

        async def take_some(limiter: Limiter, caller: Caller) -> int:
            verdicts = await asyncio.gather(*(limiter.take(caller) for _ in range(100)))
            return sum(verdict.allowed for verdict in verdicts)

        def run(limiter: Limiter, caller: Caller, counts: list[int]) -> None:
            counts.append(asyncio.run(take_some(limiter, caller)))

        threads = [threading.Thread(target=run, args=(limiter, caller, counts)) for limiter in limiters]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(counts) == 200, counts
    for limiter in limiters:
        limiter.close()


def test_a_new_process_knows_what_was_used(home: Home, clock: list[float]) -> None:
    first, caller = _limiter(home, clock), _caller(0.001, 50)
    assert _count_allowed(first, caller, 50) == 50
    assert _count_allowed(_limiter(home, clock), caller, 50) == 0


def test_without_redis_each_process_keeps_the_limits_alone(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    server = RedisServer(tmp_path / "redis")
    monkeypatch.setenv("REFRAIN_REDIS", server.address)
    limiter, caller = _limiter(home, clock), _caller(10.0)

    async def take_some(count: int) -> int:
        return sum([(await limiter.take(caller)).allowed for _ in range(count)])

    assert asyncio.run(take_some(20)) == 5
    assert not limiter.shared
    assert caplog.text.count("each process enforces limits by itself") == 1
    clock[0] += 0.2
    assert asyncio.run(take_some(20)) == 2
    server.start()
    try:
        clock[0] += 1.0
        limiter.take_all([])
        assert limiter.shared
        assert _count_allowed(_limiter(home, clock), caller, 1) == 0  # what was allowed in the meantime is reported
    finally:
        limiter.close()
        server.kill()


def test_a_slow_redis_is_waited_for_once_a_second(home: Home, clock: list[float]) -> None:
    limiter, caller, calls = _limiter(home, clock), _caller(1.0, 50), []
    limiter.start()
    limiter.take_all([Take(caller, 0)])  # connected
    send = limiter._server.send

    def send_slowly(*arguments: Any) -> Any:
        calls.append(1)
        time.sleep(0.3)
        return send(*arguments)

    limiter._server.send = send_slowly  # type: ignore[method-assign]

    async def take_some() -> float:
        started = time.monotonic()
        for _ in range(20):
            assert (await limiter.take(caller)).allowed
        return time.monotonic() - started

    assert asyncio.run(take_some()) < 0.25
    limiter.close()
    assert len(calls) == 2
    assert _count_allowed(_limiter(home, clock), caller, 50) == 30


def test_a_clock_that_jumps_back_neither_opens_nor_locks(home: Home, clock: list[float]) -> None:
    """The bucket in Redis ignores times before its last one."""
    limiter, caller = _limiter(home, clock), _caller(1.0, 5)
    assert _count_allowed(limiter, caller, 5) == 5
    key = b"{refrain_default:limits:abc}"
    server = open_server(home, Address.from_env(), 1.0)
    future_time = float(server.send([("HGET", key, "at")], [key])[0]) + 3_600
    server.send([("HSET", key, "at", future_time)], [key])  # as if the clock of Redis went back by an hour
    assert _count_allowed(limiter, caller, 5) == 0
    time.sleep(1.05)
    assert _count_allowed(limiter, caller, 5) == 1


def test_a_quota_is_no_row_of_a_view(home: Home, clock: list[float]) -> None:
    """``refrain materialize --anew`` erases rows of views that it does not know, and the doctor reports them."""
    limiter, caller = _limiter(home, clock), _caller(1_000, 1_000, 7)
    assert _count_allowed(limiter, caller, 20) == 7
    _erase_unknown(open_server(home, Address.from_env(), 1.0), home.project, set())
    assert _count_allowed(_limiter(home, clock), caller, 20) == 0


def test_who_asks_no_more_is_forgotten(home: Home, clock: list[float]) -> None:
    limiter = _limiter(home, clock)
    limiter.take_all([Take(Caller(f"c{number}", "x", "default", frozenset(), Limits())) for number in range(100)])
    clock[0] += 601
    _take(limiter, _caller())
    assert list(limiter._accounts) == ["abc"]
