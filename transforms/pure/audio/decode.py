"""A sound file, or its bytes, as samples; or why not."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from feature_repo.errors import InputError

RATES = (1_000, 400_000)
"""Samples a second of what can be sound."""
LONGEST = 24 * 3_600.0
"""Seconds of what is decoded at all."""
PIECE = 1 << 19
"""Samples, of all channels together, that are read at once."""
_LOUDEST = 1e4
"""Times full scale; what is louder is no sound but damage."""
SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif")


@dataclass(frozen=True)
class Opened:
    """A sound that is being read.

    Attributes:
        rate: samples a second.
        channels: how many.
        seconds: that its header promises.
    """

    rate: int
    channels: int
    seconds: float
    _file: Any
    _name: str
    _longest: float

    def blocks(self) -> Iterator[np.ndarray]:
        """Its samples, (n, channels) float32 at a time; full scale is 1.

        Raises:
            InputError: it is longer than its header says it is, and than is allowed.
        """
        count = 0
        for block in self._file.blocks(max(PIECE // self.channels, 1), dtype="float32", always_2d=True):
            count += len(block)
            if count > self._longest * self.rate:
                raise undecodable(self._name, f"more than {self._longest:,.0f} seconds")
            yield block


@contextmanager
def opened(source: Path | bytes, *, name: str = "", longest: float = LONGEST) -> Iterator[Opened]:
    """Begin to read; what libsndfile says while it reads becomes an InputError.

    Args:
        source: a file, or what one holds.
        name: what it is called in errors; the file's own if left out.
        longest: seconds that are allowed, so that a small file that unpacks to days is refused.

    Raises:
        InputError: libsndfile does not read it, its rate is none of sound, or it is too long.
    """
    import soundfile

    name = name or (source.name if isinstance(source, Path) else "the sound")
    try:
        with soundfile.SoundFile(source if isinstance(source, Path) else _Held(source)) as file:
            rate = int(file.samplerate)
            if not RATES[0] <= rate <= RATES[1]:
                raise undecodable(name, f"{rate:,} samples a second")
            seconds = file.frames / rate
            if seconds > longest:
                raise undecodable(name, f"{seconds:,.0f} seconds of sound, where {longest:,.0f} are allowed")
            yield Opened(rate, int(file.channels), seconds, file, name, longest)
    except (soundfile.LibsndfileError, RuntimeError, OSError, ValueError, TypeError) as error:
        raise undecodable(name, _reason(error)) from error


class _Held(io.BytesIO):
    """Bytes as a file that stays where it is when a damaged header points before its beginning.

    libsndfile asks where it is after each seek; an error would be lost within its callback, and only be printed.
    """

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go there, if there is such a place."""
        try:
            return super().seek(offset, whence)
        except ValueError:
            return self.tell()


def _reason(error: Exception) -> str:
    """What libsndfile says, without the path; of an mp3 that is none it says that there is no file."""
    told = str(getattr(error, "error_string", error))
    return "Format not recognised." if told.startswith("File does not exist or is not") else told


class Resampler:
    """Blocks (n, channels) to mono at another rate; what is not finite counts as 0."""

    def __init__(self, given: int, wanted: int) -> None:
        import soxr

        self._change = soxr.ResampleStream(given, wanted, 1, dtype="float32") if given != wanted else None

    def add(self, block: np.ndarray) -> np.ndarray:
        """(m,) float32 of the next block."""
        finite = np.clip(np.nan_to_num(block), -_LOUDEST, _LOUDEST)  # first: a mean of damage may itself overflow
        piece = finite.mean(axis=1)
        return piece if self._change is None else np.asarray(self._change.resample_chunk(piece))

    def rest(self) -> np.ndarray:
        """What is left, after the last block."""
        nothing = np.empty(0, np.float32)
        return nothing if self._change is None else np.asarray(self._change.resample_chunk(nothing, last=True))


def mono(source: Path | bytes, rate: int) -> Iterator[np.ndarray]:
    """A whole sound, however long, as pieces (n,) float32 of the mean of its channels.

    Args:
        source: a file, or what one holds.
        rate: samples a second wanted.

    Raises:
        InputError: as of ``opened``.
    """
    with opened(source) as sound:
        change = Resampler(sound.rate, rate)
        for block in sound.blocks():
            yield change.add(block)
        yield change.rest()


def undecodable(name: str, found: str) -> InputError:
    """The error of what is no sound."""
    return InputError(
        expected=f"sound in {name}, one of {', '.join(SUFFIXES)}",
        found=found,
        next_command="get the file again, or leave it out",
    )
