"""A sound file to everything that is told of it, decoded once: what a meter says, and what it sounds like.

The same for a file of a batch and for one that comes with a request.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from transforms.pure.audio import quality
from transforms.pure.audio.decode import LONGEST, Resampler, opened, undecodable
from transforms.pure.audio.stft import RATE
from transforms.pure.audio.track import Analyzer, TrackAudio

METERED_SECONDS = 1_200
"""Of a sound, from its beginning, that the meter is told of."""
METERED_SAMPLES = METERED_SECONDS * 48_000 * 2
"""Of all channels together, that it is told of at the most."""


@dataclass(frozen=True)
class Heard:
    """One sound.

    Attributes:
        rate: samples a second.
        channels: how many.
        measures: of ``transforms.pure.audio.quality.measure``.
        analysis: of ``transforms.pure.audio.track``.
        mono: (n,) float32 at ``stft.RATE``, if it was to be kept; else nothing.
    """

    rate: int
    channels: int
    measures: dict[str, float | None]
    analysis: TrackAudio
    mono: np.ndarray


def listen(
    source: Path | bytes,
    *,
    name: str = "",
    longest: float = LONGEST,
    metered: float = METERED_SECONDS,
    keep: bool = False,
) -> Heard:
    """Decode and describe.

    Args:
        source: a file, or what one holds.
        name: what it is called in errors.
        longest: seconds that are allowed.
        metered: seconds that the meter is told of; each takes 2 MB for two channels at 44,100 samples a second.
        keep: the samples as well.

    Raises:
        InputError: it is no sound, too long, or holds no sample.
    """
    analyzer = Analyzer()
    first: list[np.ndarray] = []
    kept: list[np.ndarray] = [np.empty(0, np.float32)]
    count = 0

    def take(piece: np.ndarray) -> None:
        analyzer.add(piece)
        if keep:
            kept.append(piece)

    with opened(source, name=name, longest=longest) as sound:
        change = Resampler(sound.rate, RATE)
        most = min(int(metered * sound.rate), METERED_SAMPLES // sound.channels)
        for block in sound.blocks():
            if count < most:
                first.append(block[: most - count])
            count += len(block)
            take(change.add(block))
        take(change.rest())
        if not count:
            raise undecodable(name or "the sound", "no sample")
        measures = quality.measure(np.concatenate(first), sound.rate, count / sound.rate)
        return Heard(sound.rate, sound.channels, measures, analyzer.result(), np.concatenate(kept))
