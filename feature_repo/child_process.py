"""What a process does that works for another one."""

import multiprocessing
import os
import threading
from multiprocessing.connection import wait


def end_with_parent() -> None:
    """In a worker process: end when the parent process is gone, even if it was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent.sentinel,), daemon=True, name="parent").start()


def limit_threads() -> None:
    """Limit numpy to one thread in this process. numpy reads the variables when it is imported, which is later."""
    os.environ.update(dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"))


def _end_after(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
