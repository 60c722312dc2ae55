"""Work on many things in processes of their own, one of which may die of what it is given."""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
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

    def __exit__(self, *_: Any) -> None:
        if self._pool:
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


def _pool(count: int) -> ProcessPoolExecutor:
    # spawned: a fork of a process that has threads may wait for a lock for ever
    return ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), initializer=_one_thread)


def _one_thread() -> None:
    """Each process has a core of its own; read by numpy when it is imported, which is later."""
    os.environ.update(dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
