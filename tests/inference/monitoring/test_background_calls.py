"""Calls that nobody waits for: in order, none lost, and refused where too many wait."""

import logging
import threading

import pytest

from inference.monitoring import background_calls
from inference.monitoring.background_calls import BackgroundCalls


def test_calls_are_made_in_order_and_one_that_fails_stops_none(caplog: pytest.LogCaptureFixture) -> None:
    calls, seen = BackgroundCalls("of the test"), list[int]()
    with caplog.at_level(logging.ERROR, logger="refrain"):
        for number in range(100):
            assert calls.add(lambda number=number: seen.append(number))
            assert calls.add(lambda: 1 / 0) if number == 50 else True
        calls.flush()
    assert seen == list(range(100))
    assert "of the test failed" in caplog.text


def test_more_calls_than_may_wait_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background_calls, "MAX_QUEUED", 3)
    calls, go, seen = BackgroundCalls("of the test"), threading.Event(), list[int]()
    assert calls.add(go.wait)
    taken = [calls.add(lambda: seen.append(1)) for _ in range(10)]
    go.set()
    calls.flush()
    assert len(seen) == sum(taken) < 10
    assert calls.add(lambda: seen.append(2))
    calls.flush()
    assert seen[-1] == 2
