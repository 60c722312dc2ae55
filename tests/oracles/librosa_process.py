"""librosa in a separate process; a lock allows one such process at a time.

numba compiles functions at their first call and caches the machine code beside librosa's files. Two processes that
compile at the same time write caches that do not match, and a process that loads them dies of a segmentation fault.
"""

import fcntl
import importlib
import multiprocessing
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np


class Librosa:
    """Calls functions of librosa by their names, such as ``feature.mfcc``."""

    def __init__(self) -> None:
        self._pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))

    def __call__(self, name: str, *arguments: Any, **keywords: Any) -> Any:
        """Returns the result of the function."""
        return self._run(_call, name, arguments, keywords)

    def contrast(self, magnitude: np.ndarray) -> np.ndarray:
        """Returns ``feature.spectral_contrast`` without the floor of 80 dB below the largest peak and valley."""
        return np.asarray(self._run(_contrast, magnitude))

    def close(self) -> None:
        """Ends the process."""
        self._pool.shutdown()

    def _run(self, function: Any, *arguments: Any) -> Any:
        return self._pool.submit(function, *arguments).result()


@contextmanager
def librosa_process() -> Iterator[Librosa]:
    """Yields a process and ends it afterwards; other callers wait."""
    with (Path(sys.prefix) / ".librosa.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        librosa = Librosa()
        try:
            yield librosa
        finally:
            librosa.close()


def _call(name: str, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    module, _, function = f"librosa.{name}".rpartition(".")
    return getattr(importlib.import_module(module), function)(*arguments, **keywords)


def _contrast(magnitude: np.ndarray) -> np.ndarray:
    import librosa

    spectral = importlib.import_module("librosa.feature.spectral")
    power_to_db = librosa.power_to_db
    spectral.power_to_db = lambda power, **_: power_to_db(power, top_db=None)
    try:
        return np.asarray(librosa.feature.spectral_contrast(S=magnitude))
    finally:
        spectral.power_to_db = power_to_db
