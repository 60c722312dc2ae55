"""A sound file as samples, or why not."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from feature_repo.errors import InputError

LONGEST = 1_200
"""Seconds of a file that are looked at, from its beginning."""
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
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            rate, frames = int(file.samplerate), int(file.frames)
            samples = file.read(min(frames, LONGEST * rate), dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError, OSError, ValueError) as error:
        raise _undecodable(path, str(error)) from error
    if not len(samples) or rate <= 0:
        raise _undecodable(path, "a file without samples")
    return Sound(samples, rate, frames / rate)


def _undecodable(path: Path, found: str) -> InputError:
    return InputError(
        expected=f"sound in {path.name}, one of {', '.join(SUFFIXES)}",
        found=found,
        next_command="get the file again, or leave it out",
    )
