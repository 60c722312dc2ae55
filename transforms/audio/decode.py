"""A sound file as samples, or why not."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from feature_repo.errors import InputError

LONGEST = 1_200
"""Seconds of a file that are looked at, from its beginning."""
RATES = (1_000, 400_000)
"""Samples a second of what can be sound."""
PIECE = 1 << 18
"""Samples of each channel that are read at once."""
_LOUDEST = 1e4
"""Times full scale; what is louder is no sound but damage."""
SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif")


@dataclass(frozen=True)
class Sound:
    """Decoded sound.

    Attributes:
        samples: (n, channels) float32, full scale is 1.
        rate: samples a second.
        seconds: of the whole file, also where it is longer than ``LONGEST``.
    """

    samples: np.ndarray
    rate: int
    seconds: float


def decode(path: Path) -> Sound:
    """The first ``LONGEST`` seconds of a file that libsndfile reads.

    Raises:
        InputError: it reads none, or the file holds no sample.
    """
    with _opened(path) as file:
        rate, frames = int(file.samplerate), int(file.frames)
        samples = file.read(min(frames, LONGEST * rate), dtype="float32", always_2d=True)
    if not len(samples) or rate <= 0:
        raise _undecodable(path, "a file without samples")
    return Sound(samples, rate, frames / rate)


def mono(path: Path, rate: int) -> Iterator[np.ndarray]:
    """A whole file, however long, as pieces (n,) float32 of the mean of its channels; what is not finite counts as 0.

    Args:
        path: of the file.
        rate: samples a second wanted.

    Raises:
        InputError: libsndfile does not read it, or its rate is none of sound.
    """
    import soxr

    with _opened(path) as file:
        given = int(file.samplerate)
        if not RATES[0] <= given <= RATES[1]:
            raise _undecodable(path, f"{given:,} samples a second")
        change = soxr.ResampleStream(given, rate, 1, dtype="float32") if given != rate else None
        for block in file.blocks(PIECE, dtype="float32", always_2d=True):
            piece = np.clip(np.nan_to_num(block.mean(axis=1)), -_LOUDEST, _LOUDEST)
            yield piece if change is None else change.resample_chunk(piece)
        if change is not None:
            yield change.resample_chunk(np.empty(0, np.float32), last=True)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A ``soundfile.SoundFile``; what libsndfile says of it while it is read becomes an InputError."""
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            yield file
    except (soundfile.LibsndfileError, RuntimeError, OSError, ValueError) as error:
        raise _undecodable(path, str(error)) from error


def _undecodable(path: Path, found: str) -> InputError:
    return InputError(
        expected=f"sound in {path.name}, one of {', '.join(SUFFIXES)}",
        found=found,
        next_command="get the file again, or leave it out",
    )
