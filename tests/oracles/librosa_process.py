"""librosa, asked in a process of its own, one at a time.

numba compiles its functions when they are first called and keeps what came out beside librosa's own files. Two
processes that do so at once leave files that do not fit each other, and whoever loads these dies of a segmentation
fault.
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

    def __call__(self, name: str, *arguments: Any, **named: Any) -> Any:
        """What the function says."""
        return self._run(_call, name, arguments, named)

    def contrast(self, magnitude: np.ndarray) -> np.ndarray:
        """``feature.spectral_contrast`` whose peaks and valleys are not cut off 80 dB below the largest of each."""
        return np.asarray(self._run(_contrast, magnitude))

    def close(self) -> None:
        """End the process."""
        self._pool.shutdown()

    def _run(self, function: Any, *arguments: Any) -> Any:
        return self._pool.submit(function, *arguments).result()


@contextmanager
def librosa_process() -> Iterator[Librosa]:
    """A process, ended afterwards; whoever comes meanwhile waits."""
    with (Path(sys.prefix) / ".librosa.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        asked = Librosa()
        try:
            yield asked
        finally:
            asked.close()


def _call(name: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
    module, _, function = f"librosa.{name}".rpartition(".")
    return getattr(importlib.import_module(module), function)(*arguments, **named)


def _contrast(magnitude: np.ndarray) -> np.ndarray:
    import librosa

    spectral = importlib.import_module("librosa.feature.spectral")
    whole = librosa.power_to_db
    spectral.power_to_db = lambda power, **_: whole(power, top_db=None)
    try:
        return np.asarray(librosa.feature.spectral_contrast(S=magnitude))
    finally:
        spectral.power_to_db = whole
