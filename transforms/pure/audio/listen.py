"""The complete analysis of a sound file with one decoding: technical measures and musical analysis.

It is the same for a file in batch and for a file in a request.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from transforms.pure.audio import quality
from transforms.pure.audio.decode import LONGEST, Resampler, opened, undecodable
from transforms.pure.audio.stft import RATE
from transforms.pure.audio.track import Analyzer, TrackAudio

METERED_SECONDS = 1_200
"""Number of seconds from the beginning of a sound that are measured."""
METERED_SAMPLES = METERED_SECONDS * 48_000 * 2
"""Greatest number of samples of all channels that are measured."""


@dataclass(frozen=True)
class Heard:
    """The analysis of one sound file.

    Attributes:
        rate: samples per second of the file.
        channels: number of channels of the file.
        measures: result of ``transforms.pure.audio.quality.measure``.
        analysis: result of ``transforms.pure.audio.track``.
        mono: (n,) float32 samples at ``stft.RATE`` if ``keep`` was set; else empty.
        missing_share: share of the sound that its header states and the file lacks; None if it states no length.
        cut: what is missing, in words; empty if nothing is.
    """

    rate: int
    channels: int
    measures: dict[str, float | None]
    analysis: TrackAudio
    mono: np.ndarray
    missing_share: float | None
    cut: str


def listen(
    source: Path | bytes,
    *,
    name: str = "",
    longest: float = LONGEST,
    metered: float = METERED_SECONDS,
    keep: bool = False,
) -> Heard:
    """Decode and analyse a sound.

    Args:
        source: a file, or its content.
        name: name for error messages.
        longest: greatest length in seconds.
        metered: number of seconds that are measured; each takes 2 MB for two channels at 44,100 samples per second.
        keep: whether to keep the mono samples.

    Raises:
        InputError: the source is not a sound, is too long, has no samples, or lacks most of them.
    """
    analyzer = Analyzer()
    measured_blocks: list[np.ndarray] = []
    mono_pieces: list[np.ndarray] = [np.empty(0, np.float32)]
    count = 0

    def add(piece: np.ndarray) -> None:
        analyzer.add(piece)
        if keep:
            mono_pieces.append(piece)

    with opened(source, name=name, longest=longest) as sound:
        resampler = Resampler(sound.rate, RATE)
        most_measured = min(int(metered * sound.rate), METERED_SAMPLES // sound.channels)
        for block in sound.blocks():
            if count < most_measured:
                measured_blocks.append(block[: most_measured - count])
            count += len(block)
            add(resampler.add(block))
        add(resampler.rest())
        if not count:
            raise undecodable(name or "the sound", "no sample")
        measures = quality.measure(np.concatenate(measured_blocks), sound.rate, count / sound.rate)
        return Heard(
            sound.rate,
            sound.channels,
            measures,
            analyzer.result(),
            np.concatenate(mono_pieces),
            sound.missing_share,
            sound.cut,
        )
