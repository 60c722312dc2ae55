"""The complete analysis of a sound file with one decoding: technical measures and musical analysis.

It is the same for a file in batch and for a file in a request.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from transforms.pure.audio.decode import LONGEST, MOST_SAMPLES, Resampler, opened, undecodable
from transforms.pure.audio.loudness.meter import Loudness
from transforms.pure.audio.quality import Meter
from transforms.pure.audio.stft import RATE
from transforms.pure.audio.structure.fingerprint import Fingerprinter
from transforms.pure.audio.structure.fingerprint_text import to_text
from transforms.pure.audio.track import Analyzer, TrackAudio

METERED_SECONDS = 1_200
"""Number of seconds from the beginning of a sound that are measured."""


@dataclass(frozen=True)
class Heard:
    """The analysis of one sound file.

    Attributes:
        rate: samples per second of the file.
        channels: number of channels of the file.
        measures: result of ``transforms.pure.audio.quality.Meter``.
        loudness: loudness of what was measured.
        analysis: result of ``transforms.pure.audio.track``.
        fingerprint: text of the fingerprint if it was asked for, and there are 3 seconds of sound; else empty.
        mono: (n,) float32 samples at ``stft.RATE`` if ``keep`` was set; else empty.
        missing_share: share of the sound that its header states and the file lacks; None if it states no length.
        cut: what is missing, in words; empty if nothing is.
    """

    rate: int
    channels: int
    measures: dict[str, float | None]
    loudness: Loudness
    analysis: TrackAudio
    fingerprint: str
    mono: np.ndarray
    missing_share: float | None
    cut: str


def listen(
    source: Path | bytes,
    *,
    name: str = "",
    longest: float = LONGEST,
    most_samples: float = MOST_SAMPLES,
    metered: float = METERED_SECONDS,
    true_peak: bool = False,
    keep: bool = False,
    fingerprint: bool = False,
) -> Heard:
    """Decode and analyse a sound.

    Args:
        source: a file, or its content.
        name: name for error messages.
        longest: greatest length in seconds.
        most_samples: greatest number of samples of all channels.
        metered: number of seconds that are measured.
        true_peak: whether to measure the true peak.
        keep: whether to keep the mono samples.
        fingerprint: whether to compute the fingerprint of the first two minutes.

    Raises:
        InputError: the source is not a sound, is too long, has no samples, or lacks most of them.
    """
    analyzer, fingerprinter = Analyzer(), Fingerprinter()
    mono_pieces: list[np.ndarray] = [np.empty(0, np.float32)]
    count = 0

    def add(piece: np.ndarray) -> None:
        analyzer.add(piece)
        if fingerprint:
            fingerprinter.add(piece)
        if keep:
            mono_pieces.append(piece)

    with opened(source, name=name, longest=longest, most_samples=most_samples) as sound:
        resampler = Resampler(sound.rate, RATE)
        meter = Meter(sound.rate, sound.channels, sound.layout, true_peak=true_peak)
        most_measured = int(min(metered, longest) * sound.rate)
        for block in sound.blocks():
            if count < most_measured:
                meter.add(block[: most_measured - count])
            count += len(block)
            add(resampler.add(block))
        add(resampler.rest())
        if not count:
            raise undecodable(name or "the sound", "no sample")
        return Heard(
            sound.rate,
            sound.channels,
            meter.result(count / sound.rate),
            meter.loudness(),
            analyzer.result(),
            to_text(fingerprinter.result()),
            np.concatenate(mono_pieces),
            sound.missing_share,
            sound.cut,
        )
