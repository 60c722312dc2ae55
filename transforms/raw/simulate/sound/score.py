"""The notes of a song, instrument by instrument, mixed into two channels."""

from dataclasses import dataclass, field

import numpy as np

from transforms.pure.audio.stft import RATE
from transforms.raw.simulate.sound import timbre
from transforms.raw.simulate.sound.style import PATTERNS
from transforms.raw.simulate.sound.timbre import Voice

SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
_A4 = 440.0


@dataclass
class Score:
    """A song while its notes are added.

    Attributes:
        count: number of samples.
        starts: (n,) seconds at which quarters of beats begin.
        bar: number of quarter beats per bar.
        roots: root of the chord of each bar, as a degree of the scale.
        tonic: semitones above C, tuning included.
        mode: one of ``SCALES``.
        valence: 0 (sad) to 1 (happy).
        arousal: 0 (calm) to 1 (wild).
        rng: random generator of the performance.
        left: (count,) float32 samples of the left channel.
        right: (count,) float32 samples of the right channel.
    """

    count: int
    starts: np.ndarray
    bar: int
    roots: list[int]
    tonic: float
    mode: str
    valence: float
    arousal: float
    rng: np.random.Generator
    left: np.ndarray = field(init=False)
    right: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.left, self.right = np.zeros(self.count, np.float32), np.zeros(self.count, np.float32)
        self._step = float(np.diff(self.starts).mean())

    def chords(self, voice: Voice, comping: str, loud: float) -> None:
        """Add chords, as three notes together or one after the other; ``comping`` as in ``style.Style``."""
        for number, start in enumerate(self.starts):
            position, root = number % self.bar, self.roots[number // self.bar]
            if not self._chord_begins(comping, position):
                continue
            tones, length_steps = [root, root + 2, root + 4], 1.5
            if comping == "held":
                length_steps = self.bar * 0.95
            elif comping == "broken":
                tones, length_steps = [tones[(position // 2) % 3]], 3.0
            elif comping == "riff":
                tones, length_steps = [root, root + 4], 0.8
            strength = loud * (1.2 if position == 0 else 1.0) * self.rng.uniform(0.8, 1.1)
            octave = 3 if voice.kind in ("guitar", "organ") else 4
            for order, tone in enumerate(tones):
                sound = timbre.note(
                    voice, self._hertz(tone, octave), length_steps * self._step, 0.2 + 0.7 * self.arousal, self.rng
                )
                self._mix(sound, start + 0.008 * order * (comping == "strummed"), strength, voice.pan)

    def bass(self, voice: Voice) -> None:
        """Add a bass line of roots and fifths."""
        for number, start in enumerate(self.starts):
            position = number % self.bar
            on_beat = position == 0 or (position % 4 == 0 and self.rng.random() < 0.4 + 0.5 * self.arousal)
            if on_beat or self.rng.random() < 0.15 * self.arousal:
                tone = self.roots[number // self.bar] + (4 if position and self.rng.random() < 0.3 else 0)
                pitch, bright = self._hertz(tone, 2), 0.3 + 0.5 * self.arousal
                self._mix(timbre.note(voice, pitch, 3 * self._step, bright, self.rng), start, 0.35)

    def melody(self, voice: Voice) -> None:
        """Add a melody: a random walk on the scale that returns to the chord at every bar."""
        degree, number = int(self.rng.integers(0, 5)), 0
        octave = 4 if voice.kind in ("guitar", "voice", "brass") else 5
        lengths, steps = _lengths(self.arousal), _steps(self.valence)
        while number < len(self.starts):
            length = int(self.rng.choice([1, 2, 4, 8], p=lengths))
            if self.rng.random() < 0.85:
                if number % self.bar == 0:
                    degree = self.roots[number // self.bar] + int(self.rng.choice([0, 2, 4]))
                degree = int(np.clip(degree + self.rng.choice([-2, -1, 1, 2], p=steps), -2, 10))
                length_s = length * self._step * (0.95 - 0.4 * self.arousal * self.rng.random())
                sound = timbre.note(voice, self._hertz(degree, octave), length_s, 0.3 + 0.6 * self.arousal, self.rng)
                self._mix(sound, self.starts[number], 0.3 * self.rng.uniform(0.75, 1.1), voice.pan)
            number += length

    def drums(self, kind: str, kit: float) -> None:
        """Add a pattern of ``style.PATTERNS`` with rare extra strokes; ``kit`` (0 to 1) sets the drum sound."""
        samples = [timbre.kick(kit, self.rng), timbre.snare(kit, self.rng), timbre.hat(kit, self.rng)]
        loud = np.array([0.75, 0.5, 0.45]) * (0.35 if kind == "brushes" else 1.0) * (0.5 + 0.7 * self.arousal)
        for number, start in enumerate(self.starts):
            for drum, strength, pattern in zip(samples, loud, PATTERNS[kind], strict=True):
                if pattern[number % self.bar] == "x" or self.rng.random() < 0.02 * self.arousal:
                    self._mix(drum, start + self.rng.normal(0, 0.003), strength * self.rng.uniform(0.8, 1.1))

    def _chord_begins(self, comping: str, position: int) -> bool:
        """Whether a chord begins at a position of the bar."""
        if comping == "held":
            return position == 0
        if comping == "strummed":
            return position % 4 == 0 or (position % 2 == 0 and self.rng.random() < self.arousal)
        if comping == "offbeat":
            return position % 4 == 2 and self.rng.random() >= 0.25
        if comping == "broken":
            return position % 2 == 0
        return self.rng.random() <= 0.35 + 0.5 * self.arousal

    def _hertz(self, degree: int, octave: int) -> float:
        semitones = self.tonic - 9 + SCALES[self.mode][degree % 7]
        return float(_A4 * 2 ** (semitones / 12 + octave - 4 + degree // 7))

    def _mix(self, sound: np.ndarray, start_s: float, loud: float, pan: float = 0.0) -> None:
        first = max(int(start_s * RATE), 0)
        part = sound[: max(self.count - first, 0)] * np.float32(loud)
        self.left[first : first + len(part)] += part * np.float32(1 - max(pan, 0.0))
        self.right[first : first + len(part)] += part * np.float32(1 + min(pan, 0.0))


def _lengths(arousal: float) -> np.ndarray:
    weights = np.array([0.1 + 0.5 * arousal, 0.35, 0.3, 0.35 - 0.3 * arousal])
    return weights / weights.sum()


def _steps(valence: float) -> np.ndarray:
    weights = np.array([0.2, 0.35 - 0.1 * valence, 0.2 + 0.15 * valence, 0.1 + 0.2 * valence])
    return weights / weights.sum()
