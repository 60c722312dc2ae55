"""Heavy work beside the answers: in processes of its own where a server runs, else in threads.

Python computes in one thread of a process at a time, so a text or a sound that takes seconds would slow every other
answer. A worker process has a lower priority, and a crash of it or its end after a deadline costs one request.
"""

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from anyio import CapacityLimiter, to_thread

from feature_repo.child_process import end_with_parent, limit_threads
from feature_repo.errors import RefrainError

R = TypeVar("R")
PROCESSES = "REFRAIN_WORK_PROCESSES"
"""Environment variable: the number of processes for each kind of heavy work; ``serve`` sets it. 0 for threads."""
NICENESS = 10
"""By how much the priority of a worker process is lower."""
LONGEST_S = 120.0
"""Seconds after which work in a process is given up, and the process ended."""


class WorkFailed(RefrainError):
    """A worker process crashed, or took too long."""


class Workers:
    """Runs one kind of heavy work, at most so many pieces at a time; further ones wait.

    Args:
        count: number of processes, which are started when they are needed; 0 for threads of this process.
        threads: number of threads without processes.
    """

    def __init__(self, count: int, threads: int = 2) -> None:
        self._count, self._turns = count, CapacityLimiter(count or threads)
        self._pool: ProcessPoolExecutor | None = None

    @classmethod
    def from_env(cls) -> "Workers":
        """Make the workers that the environment asks for."""
        return cls(int(os.environ.get(PROCESSES) or 0))

    @property
    def has_processes(self) -> bool:
        """Whether work is done in other processes."""
        return self._count > 0

    async def run(self, work: Callable[..., R], *arguments: object) -> R:
        """Do a piece of work when it is its turn.

        Args:
            work: a function; with processes, one of a module.
            arguments: its arguments; with processes, they are pickled, as is its result.

        Raises:
            WorkFailed: the process crashed or took too long.
        """
        if not self._count:
            return await to_thread.run_sync(work, *arguments, limiter=self._turns)
        async with self._turns:
            pool = self._pool = self._pool or ProcessPoolExecutor(
                self._count, multiprocessing.get_context("spawn"), initializer=_start
            )
            try:
                async with asyncio.timeout(LONGEST_S):
                    return await asyncio.wrap_future(pool.submit(work, *arguments))
            except BrokenProcessPool as error:
                self._drop(pool)
                raise _failed("it ended unexpectedly") from error
            except TimeoutError as error:
                self._drop(pool)
                raise _failed(f"it took longer than {LONGEST_S:,.0f} seconds") from error

    def close(self) -> None:
        """End the processes."""
        if self._pool is not None:
            self._drop(self._pool)

    def _drop(self, pool: ProcessPoolExecutor) -> None:
        """End a pool at once; the next piece of work gets a new one."""
        if self._pool is pool:
            self._pool = None
        for process in list((pool._processes or {}).values()):
            process.kill()
        pool.shutdown(wait=False, cancel_futures=True)


def _start() -> None:
    """Prepare a worker process."""
    end_with_parent()
    limit_threads()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's to handle
    os.nice(NICENESS)


def _failed(found: str) -> WorkFailed:
    return WorkFailed(
        expected="a process that does this work",
        found=found,
        next_command="send the request again; if it fails again, leave out what it contains",
    )
