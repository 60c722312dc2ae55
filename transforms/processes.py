"""Work on many things in processes of their own, one of which may die of what it is given."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import wait
from typing import Any, Self, TypeVar

T = TypeVar("T")
R = TypeVar("R")
FEWEST = 8
"""Things that processes are started for."""


class Died:
    """In place of what came of a thing that killed its process."""


class Processes:
    """A pool that outlives the death of its members; started when there is enough to do.

    Args:
        count: of processes; one a core if left out.
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

    def each(self, work: Callable[[T], R], things: Sequence[T]) -> Iterator[R | Died]:
        """What comes of each thing, in their order.

        Args:
            work: a function of a module; called in another process where there are ``FEWEST`` things or more.
            things: what it is called with.
        """
        if len(things) < FEWEST or self._count < 2:
            yield from map(work, things)
            return
        done = 0
        while done < len(things):
            self._pool = self._pool or _pool(self._count)
            try:
                for found in self._pool.map(work, things[done:]):
                    done += 1
                    yield found
            except BrokenProcessPool:
                self._pool = None
                yield _alone(work, things[done])
                done += 1


def _alone(work: Callable[[T], R], thing: T) -> R | Died:
    """One of several was the death of its process: this one, if it is so again."""
    with _pool(1) as pool:
        try:
            return pool.submit(work, thing).result()
        except BrokenProcessPool:
            return Died()


@contextmanager
def worker_pool(
    count: int, context: str = "spawn", *, tasks_per_child: int | None = None
) -> Iterator[ProcessPoolExecutor]:
    """A pool of processes that end with this one, however it ends, and at once if the block is left by an error.

    Args:
        count: of processes.
        context: how they are started: spawn or forkserver.
        tasks_per_child: after which a process is replaced by a new one; never if None.
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


def end_with_parent() -> None:
    """Of a process of ``multiprocessing``: end when its parent is gone, even if that was killed without a word."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent.sentinel,), daemon=True, name="parent").start()


def _end_after(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)


def _kill(pool: ProcessPoolExecutor) -> None:
    """Nobody waits for what its processes still do."""
    for process in list((pool._processes or {}).values()):
        process.kill()


def _pool(count: int) -> ProcessPoolExecutor:
    # spawned: a fork of a process that has threads may wait for a lock for ever
    return ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), initializer=_start)


def _start() -> None:
    """Each process has a core of its own; read by numpy when it is imported, which is later."""
    end_with_parent()
    os.environ.update(dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
