"""The number of threads of a fit."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

VARIABLE = "REFRAIN_THREADS"


def threads() -> int:
    """Returns the number of threads from the environment; 2 by default."""
    setting = os.environ.get(VARIABLE, "")
    return int(setting) if setting.isdigit() and int(setting) > 0 else 2


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Gives one thread to each process that is started within; several processes with more threads would be slower."""
    previous = os.environ.get(VARIABLE)
    os.environ.setdefault(VARIABLE, "1")
    try:
        yield
    finally:
        if previous is None:
            os.environ.pop(VARIABLE, None)
