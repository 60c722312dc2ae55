"""Heavy work in processes of its own: priority, a crash, a deadline, and no process that is left behind."""

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from inference import workers as module
from inference.workers import NICENESS, Workers, WorkFailed


@pytest.fixture
def workers() -> Iterator[Workers]:
    one = Workers(1)
    yield one
    one.close()


def test_work_is_done_elsewhere_and_a_failure_costs_one_request(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work() -> tuple[int, int]:
        first = await workers.run(os.getpid)
        assert await workers.run(os.getpriority, os.PRIO_PROCESS, 0) == os.getpriority(os.PRIO_PROCESS, 0) + NICENESS
        with pytest.raises(ZeroDivisionError):
            await workers.run(divmod, 1, 0)
        with pytest.raises(WorkFailed, match="ended unexpectedly"):
            await workers.run(os._exit, 1)
        second = await workers.run(os.getpid)
        monkeypatch.setattr(module, "LONGEST_S", 0.2)
        with pytest.raises(WorkFailed, match="longer than"):
            await workers.run(time.sleep, 60)
        return first, second

    first, second = asyncio.run(work())
    assert len({os.getpid(), first, second}) == 3
    deadline = time.monotonic() + 10
    while Path(f"/proc/{second}").exists() and "Z" not in Path(f"/proc/{second}/stat").read_text().split()[2]:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_without_processes_it_is_done_here() -> None:
    async def work() -> int:
        return await Workers(0).run(os.getpid)

    assert asyncio.run(work()) == os.getpid()
