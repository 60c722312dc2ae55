"""How many threads a fit may take."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

VARIABLE = "REFRAIN_THREADS"


def threads() -> int:
    """Two, or what the environment says."""
    told = os.environ.get(VARIABLE, "")
    return int(told) if told.isdigit() and int(told) > 0 else 2


@contextmanager
def one_thread_each() -> Iterator[None]:
    """For processes that are started within: threads that wait for each other's cores are slower than one."""
    before = os.environ.get(VARIABLE)
    os.environ.setdefault(VARIABLE, "1")
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(VARIABLE, None)
