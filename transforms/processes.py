"""Parallel work in worker processes, which survives the crash of a worker."""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, Self, TypeVar

from feature_repo.child_process import end_with_parent, limit_threads

T = TypeVar("T")
R = TypeVar("R")
FEWEST = 8
"""Fewest items for which processes are started."""


class Died:
    """The result in place of an item that crashed its process."""


class Processes:
    """A process pool that survives the crash of a worker; started when there are enough items.

    Args:
        count: number of processes; one per core if None.
    """

    def __init__(self, count: int | None = None) -> None:
        self._count = count or os.cpu_count() or 1
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: Any) -> None:
        if self._pool:
            if kind is not None:
                _kill(self._pool)
            self._pool.shutdown(cancel_futures=True)

    def each(self, work: Callable[[T], R], items: Sequence[T]) -> Iterator[R | Died]:
        """Yield the result of each item, in the order of the items.

        Args:
            work: a module-level function; called in another process if there are ``FEWEST`` items or more.
            items: the items, the arguments of ``work``.
        """
        if len(items) < FEWEST or self._count < 2:
            yield from map(work, items)
            return
        done = 0
        while done < len(items):
            self._pool = self._pool or _pool(self._count)
            try:
                for result in self._pool.map(work, items[done:]):
                    done += 1
                    yield result
            except BrokenProcessPool:
                self._pool = None
                yield _run_alone(work, items[done])
                done += 1


def _run_alone(work: Callable[[T], R], item: T) -> R | Died:
    """Run one item in a process of its own, to find out whether it was the one that crashed the pool."""
    with _pool(1) as pool:
        try:
            return pool.submit(work, item).result()
        except BrokenProcessPool:
            return Died()


@contextmanager
def worker_pool(
    count: int, context: str = "spawn", *, tasks_per_child: int | None = None
) -> Iterator[ProcessPoolExecutor]:
    """A process pool whose workers end with this process, however it ends, and at once if the block raises an error.

    Args:
        count: number of processes.
        context: start method: spawn or forkserver.
        tasks_per_child: number of tasks after which a process is replaced by a new one; never if None.
    """
    pool = ProcessPoolExecutor(
        count, multiprocessing.get_context(context), initializer=end_with_parent, max_tasks_per_child=tasks_per_child
    )
    with pool:
        try:
            yield pool
        except BaseException:
            _kill(pool)
            raise


def _kill(pool: ProcessPoolExecutor) -> None:
    """Kill the workers of a pool; their unfinished tasks are dropped."""
    for process in list((pool._processes or {}).values()):
        process.kill()


def _pool(count: int) -> ProcessPoolExecutor:
    # spawned, as a forked copy of a process with threads may wait for a lock for ever
    return ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), initializer=_start_worker)


def _start_worker() -> None:
    """Prepare a worker process."""
    end_with_parent()
    limit_threads()
