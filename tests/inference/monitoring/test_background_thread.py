"""Work that nobody waits for: in order, none lost, and refused where too much waits."""

import logging
import threading
from collections.abc import Sequence

import pytest

from inference.monitoring import background_thread
from inference.monitoring.background_thread import BackgroundThread


def test_items_are_worked_off_in_order_and_a_failure_stops_none(caplog: pytest.LogCaptureFixture) -> None:
    seen = list[int]()

    def work(items: Sequence[int]) -> None:
        seen.extend(items)
        assert 50 not in items

    thread = BackgroundThread("work of the test", work)
    with caplog.at_level(logging.ERROR, logger="refrain"):
        for number in range(100):
            assert thread.add(number)
        thread.flush()
        assert thread.add(100)
        thread.flush()
    assert seen == list(range(101))
    assert "work of the test failed" in caplog.text


def test_more_than_may_wait_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background_thread, "MAX_QUEUED", 3)
    go, seen = threading.Event(), list[int]()

    def work(items: Sequence[int]) -> None:
        go.wait()
        seen.extend(items)

    thread = BackgroundThread("work of the test", work)
    taken = [thread.add(number) for number in range(20)]
    go.set()
    thread.flush()
    assert len(seen) == sum(taken) < 20
    assert thread.add(20)
    thread.flush()
    assert seen[-1] == 20
