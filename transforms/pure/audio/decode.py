"""Decoding of sound files, or of their bytes, to samples."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from feature_repo.errors import InputError

RATES = (1_000, 400_000)
"""Lowest and highest valid sample rate in samples per second."""
LONGEST = 24 * 3_600.0
"""Longest sound that is decoded, in seconds."""
PIECE = 1 << 19
"""Number of samples of all channels that are read at once."""
_LOUDEST = 1e4
"""Magnitude at which samples are clipped, relative to full scale; larger values come from damage."""
SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif")


@dataclass(frozen=True)
class Opened:
    """An open sound file.

    Attributes:
        rate: samples per second.
        channels: number of channels.
        seconds: length according to the header.
    """

    rate: int
    channels: int
    seconds: float
    _file: Any
    _name: str
    _longest: float

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield the samples in blocks (n, channels) of float32; full scale is 1.

        Raises:
            InputError: the sound is longer than the header states and than is allowed.
        """
        count = 0
        for block in self._file.blocks(max(PIECE // self.channels, 1), dtype="float32", always_2d=True):
            count += len(block)
            if count > self._longest * self.rate:
                raise undecodable(self._name, f"more than {self._longest:,.0f} seconds")
            yield block


@contextmanager
def opened(source: Path | bytes, *, name: str = "", longest: float = LONGEST) -> Iterator[Opened]:
    """Open a sound; errors of libsndfile inside the block become an InputError.

    Args:
        source: a file, or its content.
        name: name for error messages; the file's own if empty.
        longest: greatest length in seconds, so that a small file that decodes to days is refused.

    Raises:
        InputError: libsndfile cannot read the sound, its sample rate is invalid, or it is too long.
    """
    import soundfile

    name = name or (source.name if isinstance(source, Path) else "the sound")
    try:
        with soundfile.SoundFile(source if isinstance(source, Path) else _SeekableBytes(source)) as file:
            rate = int(file.samplerate)
            if not RATES[0] <= rate <= RATES[1]:
                raise undecodable(name, f"{rate:,} samples a second")
            seconds = file.frames / rate
            if seconds > longest:
                raise undecodable(name, f"{seconds:,.0f} seconds of sound, where {longest:,.0f} are allowed")
            yield Opened(rate, int(file.channels), seconds, file, name, longest)
    except (soundfile.LibsndfileError, RuntimeError, OSError, ValueError, TypeError) as error:
        raise undecodable(name, _reason(error)) from error


class _SeekableBytes(io.BytesIO):
    """Bytes as a file that ignores a seek before its beginning, as damaged headers cause.

    libsndfile asks for the position after each seek. An exception would be lost within its callback and only printed.
    """

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Seek if the position is valid; returns the position."""
        try:
            return super().seek(offset, whence)
        except ValueError:
            return self.tell()


def _reason(error: Exception) -> str:
    """The message of libsndfile without the path; replaces its misleading message for invalid mp3 files."""
    message = str(getattr(error, "error_string", error))
    return "Format not recognised." if message.startswith("File does not exist or is not") else message


class Resampler:
    """Converts blocks (n, channels) to mono at another sample rate; NaN counts as 0, and extreme values are clipped."""

    def __init__(self, source_rate: int, target_rate: int) -> None:
        import soxr

        self._stream = (
            soxr.ResampleStream(source_rate, target_rate, 1, dtype="float32") if source_rate != target_rate else None
        )

    def add(self, block: np.ndarray) -> np.ndarray:
        """Convert the next block; returns (m,) float32."""
        finite = np.clip(np.nan_to_num(block), -_LOUDEST, _LOUDEST)  # before the mean, which might overflow
        piece = finite.mean(axis=1)
        return piece if self._stream is None else np.asarray(self._stream.resample_chunk(piece))

    def rest(self) -> np.ndarray:
        """Return the remaining samples after the last block."""
        empty = np.empty(0, np.float32)
        return empty if self._stream is None else np.asarray(self._stream.resample_chunk(empty, last=True))


def mono(source: Path | bytes, rate: int) -> Iterator[np.ndarray]:
    """Yield a whole sound of any length in pieces (n,) of float32, the mean of its channels.

    Args:
        source: a file, or its content.
        rate: target sample rate.

    Raises:
        InputError: the sound cannot be decoded; see ``opened``.
    """
    with opened(source) as sound:
        resampler = Resampler(sound.rate, rate)
        for block in sound.blocks():
            yield resampler.add(block)
        yield resampler.rest()


def undecodable(name: str, found: str) -> InputError:
    """The error for a file that cannot be decoded as sound."""
    return InputError(
        expected=f"sound in {name}, one of {', '.join(SUFFIXES)}",
        found=found,
        next_command="get the file again, or leave it out",
    )
