"""Rate limits and quotas: in one process, and shared between processes."""

from pathlib import Path

import pytest

from feature_repo.home import Home
from feature_repo.packed.address import Address
from feature_repo.packed.server import open_server
from inference.security import limits
from inference.security.caller import Caller, Limits
from inference.security.limits import Limiter
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


def _count_allowed(limiter: Limiter, caller: Caller, count: int) -> int:
    return sum(limiter.take(caller).allowed for _ in range(count))


def test_a_burst_then_the_rate(home: Home, clock: list[float]) -> None:
    limiter = _limiter(home, clock)
    assert _count_allowed(limiter, _caller(), 20) == 5
    verdict = limiter.take(_caller())
    assert (verdict.reason, round(verdict.wait, 3)) == ("rate", 0.1)
    clock[0] += 0.35
    assert _count_allowed(limiter, _caller(), 20) == 3
    clock[0] += 60
    assert _count_allowed(limiter, _caller(), 20) == 5


def test_a_quota_of_the_day(home: Home, clock: list[float]) -> None:
    limiter, caller = _limiter(home, clock), _caller(1_000, 1_000, 7)
    assert _count_allowed(limiter, caller, 20) == 7
    assert limiter.take(caller).reason == "quota"
    assert 0 < limiter.take(caller).wait <= 86_400


def test_no_limits_is_no_limit(home: Home, clock: list[float]) -> None:
    caller = Caller("abc", "x", "default", frozenset(), None)
    assert _count_allowed(_limiter(home, clock), caller, 5_000) == 5_000


def test_callers_do_not_share(home: Home, clock: list[float]) -> None:
    limiter = _limiter(home, clock)
    other = Caller("def", "other", "default", frozenset(), Limits(10, 5))
    assert _count_allowed(limiter, _caller(), 20) == 5
    assert _count_allowed(limiter, other, 20) == 5


def test_processes_share_one_bucket_and_one_quota(home: Home, clock: list[float]) -> None:
    """Two processes that synchronize after each round allow at most one round more than a single process."""
    first, second = _limiter(home, clock), _limiter(home, clock)
    caller, allowed_count = _caller(0.001, 100), 0
    for _ in range(60):
        allowed_count += _count_allowed(first, caller, 5)
        allowed_count += _count_allowed(second, caller, 5)
        first.synchronize()
        second.synchronize()
    assert 100 <= allowed_count <= 110
    quota_caller = Caller("quota", "x", "default", frozenset(), Limits(10_000, 10_000, 100))
    allowed_count = 0
    for _ in range(60):
        allowed_count += _count_allowed(first, quota_caller, 5)
        allowed_count += _count_allowed(second, quota_caller, 5)
        first.synchronize()
        second.synchronize()
    assert 100 <= allowed_count <= 110


def test_a_new_process_knows_what_was_used(home: Home, clock: list[float]) -> None:
    first, caller = _limiter(home, clock), _caller(0.001, 50)
    assert _count_allowed(first, caller, 50) == 50
    first.synchronize()
    second = _limiter(home, clock)
    second.take(caller)
    second.synchronize()
    assert _count_allowed(second, caller, 50) == 0


def test_without_redis_each_process_keeps_the_limits_alone(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    server = RedisServer(tmp_path / "redis")
    monkeypatch.setenv("REFRAIN_REDIS", server.address)
    limiter, caller = _limiter(home, clock), _caller()
    assert _count_allowed(limiter, caller, 20) == 5
    limiter.synchronize()
    limiter.synchronize()
    assert not limiter.shared
    assert caplog.text.count("each process enforces limits by itself") == 1
    clock[0] += 0.2
    assert _count_allowed(limiter, caller, 20) == 2
    server.start()
    try:
        limiter.synchronize()
        assert limiter.shared
        assert _count_allowed(limiter, caller, 20) == 0
    finally:
        server.kill()


def test_a_clock_that_jumps_back_neither_opens_nor_locks(home: Home, clock: list[float]) -> None:
    """Local buckets use a monotonic clock; the bucket in Redis ignores times before its last one."""
    limiter, caller = _limiter(home, clock), _caller(1.0, 5)
    assert _count_allowed(limiter, caller, 5) == 5
    limiter.synchronize()
    key = b"refrain_default:limits:{abc}"
    server = open_server(home, Address.from_env(), 1.0)
    future_time = float(server.send([("HGET", key, "at")], [key])[0]) + 3_600
    server.send([("HSET", key, "at", future_time)], [key])  # as if the clock of Redis went back by an hour
    limiter.take(caller)
    limiter.synchronize()
    assert _count_allowed(limiter, caller, 5) == 0
    clock[0] += 2
    assert _count_allowed(limiter, caller, 5) == 2


def test_who_asks_no_more_is_forgotten(home: Home, clock: list[float]) -> None:
    limiter = _limiter(home, clock)
    for number in range(100):
        limiter.take(Caller(f"c{number}", "x", "default", frozenset(), Limits()))
    limiter.synchronize()
    clock[0] += 601
    limiter.synchronize()
    assert not limiter._accounts
