"""Musical analysis of a sound in one pass, with one STFT: the features of view ``track_audio``.

A sound is processed span by span, so that hours need no more memory than minutes: spectra are summed and dropped; only
onsets (three numbers, 86 times per second), pitch classes and the odds of a beat are kept for the beats, and a level
and twelve numbers of timbre for the structure. Slopes in time (``delta``) end at the borders of a span. The features of
a frame equal librosa's centroid, rolloff, flatness, spectral_contrast, mfcc, chroma_stft and tonnetz;
``tests/transforms/pure/audio`` compares them.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from transforms.pure.audio import beats, chroma, key, mel, onsets, shape, stft
from transforms.pure.audio.beat_network import BeatNetwork
from transforms.pure.audio.beats import Beats
from transforms.pure.audio.key import Key
from transforms.pure.audio.structure.frame_loudness import block_power, weights
from transforms.pure.audio.structure.frames import TIMBRES, Frames

SPAN = 60 * stft.RATE // (stft.HOP * stft.STRIDE) * (stft.HOP * stft.STRIDE)
"""Number of samples of a span, about a minute."""
FRAMES = (
    "level",
    "crossings",
    *shape.NAMES,
    *(f"mfcc_{number}" for number in range(mel.COEFFICIENTS)),
    *(f"chroma_{name}" for name in chroma.CLASSES),
    *(f"tonnetz_{number}" for number in range(6)),
    *(f"delta_{number}" for number in range(mel.COEFFICIENTS)),
    *(f"delta2_{number}" for number in range(mel.COEFFICIENTS)),
)
"""Features of each frame (every 512 samples); their mean and standard deviation are kept."""
_QUIETEST = 100
"""Range of the level histogram in decibels below full scale."""
_TUNED_BY = 200
"""Number of frames of the first span that the tuning is estimated from."""


@dataclass(frozen=True)
class TrackAudio:
    """The analysis of one sound.

    Attributes:
        seconds: length of the sound.
        mean: (len(``FRAMES``),) mean of each frame feature; zeros for a sound without samples.
        spread: (len(``FRAMES``),) standard deviation of each frame feature.
        spectrum: (1,025,) mean power spectrum.
        dynamic_range: decibels between the 10th and the 95th percentile of the levels of frames that are not silent.
        onset_rate: onsets per second.
        pulse_clarity: 0 to 1, regularity of the onsets (Lartillot et al., ISMIR 2008: the largest autocorrelation).
        beats: tempo, beats and downbeats.
        key: key and mode; None for a sound without pitch.
        tuning: semitones above A = 440 Hz.
        frames: what is kept of each frame, for ``structure.describe``.
    """

    seconds: float
    mean: np.ndarray
    spread: np.ndarray
    spectrum: np.ndarray
    dynamic_range: float
    onset_rate: float
    pulse_clarity: float
    beats: Beats
    key: Key | None
    tuning: float
    frames: Frames

    def __getitem__(self, name: str) -> float:
        """Mean of one of ``FRAMES``."""
        return float(self.mean[FRAMES.index(name)])


class Analyzer:
    """An incremental analysis of a sound, in pieces of any length, mono at ``stft.RATE``."""

    def __init__(self) -> None:
        self._buffer: list[np.ndarray] = [np.zeros(stft.WINDOW // 2, np.float32)]
        self._length, self.samples = stft.WINDOW // 2, 0
        self._count = 0
        self._sum, self._squares = np.zeros(len(FRAMES)), np.zeros(len(FRAMES))
        self._spectrum = np.zeros(stft.BINS)
        self._levels = np.zeros(_QUIETEST + 1)
        self._rise: list[np.ndarray] = []
        self._chroma: list[np.ndarray] = []
        self._timbre: list[np.ndarray] = []
        self._power: list[np.ndarray] = []
        self._last_bands = np.empty((0, mel.BANDS), np.float32)
        self._tuning: float | None = None
        self._beat_network = BeatNetwork()

    def add(self, samples: np.ndarray) -> None:
        """Add the next (n,) samples, float32."""
        self._buffer.append(np.asarray(samples, np.float32))
        self._length += len(samples)
        self.samples += len(samples)
        while self._length >= SPAN + stft.WINDOW:
            around = np.concatenate(self._buffer)
            self._add_span(around, SPAN // stft.HOP)
            self._buffer = [around[SPAN:]]
            self._length = len(around) - SPAN

    def result(self) -> TrackAudio:
        """Return the analysis after all samples were added; only once, as it takes what was kept of them."""
        around = np.concatenate([*self._buffer, np.zeros(stft.WINDOW // 2, np.float32)])
        if self.samples:
            self._add_span(around, stft.frame_count(len(around) - stft.WINDOW))
        count = max(self._count, 1)
        mean = self._sum / count
        spread = np.sqrt(np.maximum(self._squares / count - mean**2, 0.0))
        standard = onsets.standardized(_taken(self._rise, (0, 3)))
        pitches = _taken(self._chroma, (0, 12))
        timbre = _taken(self._timbre, (0, TIMBRES))
        power = _taken(self._power, (0,))
        return TrackAudio(
            self.samples / stft.RATE,
            mean,
            spread,
            self._spectrum / count,
            self._dynamic_range(),
            onsets.rate(standard),
            onsets.regularity(standard),
            beats.track(standard, self._beat_network.result(), pitches),
            key.of_chroma(pitches.mean(axis=0)) if len(pitches) else None,
            self._tuning or 0.0,
            Frames(self.samples, standard.mean(axis=1, dtype=np.float32), power, pitches, timbre),
        )

    def _add_span(self, around: np.ndarray, frames: int) -> None:
        """Analyse the frames of one span; ``around`` has half a window before the first frame and after the last."""
        if self._tuning is None:
            every = max(frames // _TUNED_BY, 1)
            self._tuning = chroma.tuning(np.concatenate(list(stft.power(around, -(-frames // every), every=every))))
        bands = np.empty((frames, mel.BANDS), np.float32)
        totals = np.empty((frames, 2), np.float32)
        coarse = -(-frames // stft.STRIDE)
        rows = np.empty((coarse, len(FRAMES)), np.float32)
        pitches = np.empty((coarse, 12), np.float32)
        first = len(shape.NAMES) + 2
        for number, power in enumerate(stft.power(around, frames)):
            start = number * stft.CHUNK
            bands[start : start + len(power)] = mel.of_power(power)
            totals[start : start + len(power)] = power @ weights()
            strided = power[:: stft.STRIDE]
            part = slice(start // stft.STRIDE, start // stft.STRIDE + len(strided))
            rows[part, 2:first] = shape.of_power(strided)
            pitches[part] = chroma.of_power(strided, self._tuning)
            self._spectrum += strided.sum(axis=0)
        rows[:, 0] = shape.levels(around, coarse)
        rows[:, 1] = shape.crossings(around, coarse)
        cepstrum = mel.cepstrum(mel.decibels(bands[:: stft.STRIDE]))
        columns = np.cumsum([first, mel.COEFFICIENTS, 12, 6, mel.COEFFICIENTS, mel.COEFFICIENTS])
        parts = (cepstrum, pitches, chroma.tonnetz(pitches), mel.deltas(cepstrum), mel.deltas(cepstrum, 2))
        for start, stop, values in zip(columns[:-1], columns[1:], parts, strict=True):
            rows[:, start:stop] = values
        self._sum += rows.sum(axis=0, dtype=np.float64)
        self._squares += np.einsum("ij,ij->j", rows, rows, dtype=np.float64)
        self._count += coarse
        decibels = np.clip(-20 * np.log10(np.maximum(rows[:, 0], 1e-5)), 0, _QUIETEST)
        self._levels += np.bincount(decibels.astype(np.int64), minlength=_QUIETEST + 1)
        rise = onsets.strength(np.concatenate([self._last_bands, bands]))
        self._rise.append(rise[len(self._last_bands) :])
        self._last_bands = bands[-onsets.LAG :]
        self._chroma.append(pitches)
        self._timbre.append(cepstrum[:, :TIMBRES].copy())
        half = stft.WINDOW // 2
        stop = min(half + frames * stft.HOP, len(around) - half)
        self._power.append(block_power(around[half:stop], totals))
        self._beat_network.add(bands, pitches)

    def _dynamic_range(self) -> float:
        audible = self._levels[:60]  # louder than -60 dB
        total = audible.sum()
        if not total:
            return 0.0
        loud, quiet = np.searchsorted(np.cumsum(audible) / total, [0.05, 0.90])
        return float(quiet - loud)


def _taken(pieces: list[np.ndarray], empty: tuple[int, ...]) -> np.ndarray:
    """The pieces as one array; they are gone from the list, so that hours are not held twice."""
    joined = np.concatenate([np.empty(empty, np.float32), *pieces])
    pieces.clear()
    return joined


def analyze(pieces: Iterable[np.ndarray]) -> TrackAudio:
    """Analyse a whole sound.

    Args:
        pieces: consecutive samples, mono at ``stft.RATE``, float32.
    """
    analyzer = Analyzer()
    for piece in pieces:
        analyzer.add(piece)
    return analyzer.result()
