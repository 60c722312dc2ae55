"""Decoding of sound files, or of their bytes, to samples."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from feature_repo.errors import InputError
from transforms.pure.audio import ffmpeg, sndfile
from transforms.pure.audio.ffmpeg import FfmpegSound, is_container, open_ffmpeg
from transforms.pure.audio.header import Header, read_header
from transforms.pure.audio.sndfile import SndfileSound, open_sndfile

RATES = (1_000, 400_000)
"""Lowest and highest valid sample rate in samples per second."""
LONGEST = 24 * 3_600.0
"""Longest sound that is decoded, in seconds."""
MOST_SAMPLES = float("inf")
"""Greatest number of samples of all channels that are decoded, if nothing else is said."""
PIECE = 1 << 19
"""Number of samples of all channels that are read at once."""
_LOUDEST = 1e4
"""Magnitude at which samples are clipped, relative to full scale; larger values come from damage."""
MOST_MISSING = 0.5
"""Greatest share of a sound that may be missing: of less than half of a sound nothing is said."""
SUFFIXES = (*sndfile.SUFFIXES, *ffmpeg.SUFFIXES)


class Opened:
    """An open sound file.

    Attributes:
        rate: samples per second.
        channels: number of channels.
        layout: names of the channels; None for the usual ones.
        count: samples of each channel that were read so far.
    """

    def __init__(
        self, sound: SndfileSound | FfmpegSound, header: Header, name: str, longest: float, most_samples: float
    ) -> None:
        self.rate, self.channels, self.count = sound.rate, sound.channels, 0
        self.layout = sound.layout
        self._sound, self._header, self._name = sound, header, name
        self._longest, self._most_samples = longest, most_samples

    @property
    def stated_samples(self) -> int:
        """Number of samples of all channels that the header states; 0 if it states none."""
        return (self._sound.frames or 0) * self.channels

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield the samples in blocks (n, channels) of float32 until the decoder gives nothing; full scale is 1.

        Raises:
            InputError: the sound is longer or has more samples than is allowed, or more than ``MOST_MISSING`` of it is
                missing.
        """
        for block in self._sound.pieces(max(PIECE // self.channels, 1)):
            self.count += len(block)
            if self.count * self.channels > self._most_samples:
                raise _too_many(self._name, f"more than {self._most_samples:,.0f}", self._most_samples)
            if self.count > self._longest * self.rate:
                raise undecodable(self._name, f"more than {self._longest:,.0f} seconds")
            yield block
        if self.count and (self.missing_share or 0.0) > MOST_MISSING:
            raise undecodable(self._name, self.cut)

    @property
    def missing_share(self) -> float | None:
        """Share of the sound, as its header states it, that was not there; known after all blocks were read.

        None if the length is not stated: in aac, mp3 without a table of contents, recordings of a stream, and Ogg
        without its last page.
        """
        frames = self._sound.frames
        if self._header.present < 1.0:
            return 1.0 - self._header.present
        if frames is None:
            return None
        missing = frames - self.count
        return missing / frames if missing > self._sound.tolerance else 0.0

    @property
    def cut(self) -> str:
        """What is missing, in words; empty if nothing is."""
        share = self.missing_share
        if share:
            there = self.count / self.rate
            return f"cut short: {100 * share:.3g} % is missing, and {there:,.1f} seconds are there"
        return "" if self._header.has_end else "cut short: its last page is missing, and an unknown part of the sound"


@contextmanager
def opened(
    source: Path | bytes, *, name: str = "", longest: float = LONGEST, most_samples: float = MOST_SAMPLES
) -> Iterator[Opened]:
    """Open a sound; errors of the decoder inside the block become an InputError.

    Args:
        source: a file, or its content.
        name: name for error messages; the file's own if empty.
        longest: greatest length in seconds, so that a small file that decodes to days is refused.
        most_samples: greatest number of samples of all channels; what the header states is refused at once.

    Raises:
        InputError: it is no sound, its sample rate is invalid, it is too long, or it has too many samples.
        ModuleNotFoundError: it is m4a, aac, wma or mka, and PyAV is not installed.
    """
    import soundfile

    name = name or (source.name if isinstance(source, Path) else "the sound")
    try:
        with source.open("rb") if isinstance(source, Path) else io.BytesIO(source) as file:
            size = file.seek(0, io.SEEK_END)
            header = read_header(file, size)
            file.seek(0)
            open_sound = open_ffmpeg if is_container(file.read(ffmpeg.HEAD)) else open_sndfile
            with open_sound(file, size, header) as sound:
                if not RATES[0] <= sound.rate <= RATES[1]:
                    raise undecodable(name, f"{sound.rate:,} samples a second")
                seconds = (sound.frames or 0) / sound.rate
                if seconds > longest:
                    raise undecodable(name, f"{seconds:,.0f} seconds of sound, where {longest:,.0f} are allowed")
                samples = (sound.frames or 0) * sound.channels
                if samples > most_samples:
                    raise _too_many(name, f"{samples:,}", most_samples)
                yield Opened(sound, header, name, longest, most_samples)
    except (soundfile.LibsndfileError, RuntimeError, OSError, ValueError, TypeError) as error:
        raise undecodable(name, _reason(error)) from error


def _reason(error: Exception) -> str:
    """The message of a decoder without the path; replaces libsndfile's misleading one for invalid mp3 files."""
    message = str(getattr(error, "error_string", None) or getattr(error, "strerror", None) or error)
    return "Format not recognised." if message.startswith("File does not exist or is not") else message


@contextmanager
def quiet() -> Iterator[None]:
    """Drop what the decoders' C code prints to the standard error of this process.

    For processes in which one thread decodes: lines of other threads are lost, too.

    >>> with quiet():
    ...     _ = os.write(2, b"Warning: Xing stream size off by more than 1%")
    """
    sys.stderr.flush()
    with Path(os.devnull).open("wb") as nowhere:
        before = os.dup(2)
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)


class Resampler:
    """Converts blocks (n, channels) to mono at another sample rate; NaN counts as 0, and extreme values are clipped."""

    def __init__(self, source_rate: int, target_rate: int) -> None:
        import soxr

        self._stream = (
            soxr.ResampleStream(source_rate, target_rate, 1, dtype="float32") if source_rate != target_rate else None
        )

    def add(self, block: np.ndarray) -> np.ndarray:
        """Convert the next block; returns (m,) float32."""
        if len(block) and not -_LOUDEST <= block.min() <= block.max() <= _LOUDEST:  # NaN is in no range
            block = np.clip(np.nan_to_num(block), -_LOUDEST, _LOUDEST)  # before the mean, which might overflow
        piece = block @ np.full(block.shape[1], 1 / block.shape[1], np.float32)
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


def _too_many(name: str, samples: str, most: float) -> InputError:
    return undecodable(name, f"{samples} samples of all channels, where {most:,.0f} are allowed")


def undecodable(name: str, found: str) -> InputError:
    """The error for a file that cannot be decoded as sound."""
    return InputError(
        expected=f"sound in {name}, one of {', '.join(SUFFIXES)}",
        found=found,
        next_command="get the file again, or leave it out",
    )
