"""What the players of a song play, note by note, and the two channels that it is played on."""

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
    """A song while it is played.

    Attributes:
        count: samples.
        starts: (n,) seconds at which quarters of beats begin.
        bar: of them in a bar.
        roots: degree of the scale that each bar is built on.
        tonic: semitones above C, tuning included.
        mode: of ``SCALES``.
        valence: 0 (sad) to 1 (happy).
        arousal: 0 (calm) to 1 (wild).
        rng: what is left to chance.
        left: (count,) float32.
        right: likewise.
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

    def chords(self, one: Voice, comping: str, loud: float) -> None:
        """Three notes at once, or one after the other; ``comping`` is of ``style.Style``."""
        for number, start in enumerate(self.starts):
            place, root = number % self.bar, self.roots[number // self.bar]
            if not self._comes(comping, place):
                continue
            tones, held = [root, root + 2, root + 4], 1.5
            if comping == "held":
                held = self.bar * 0.95
            elif comping == "broken":
                tones, held = [tones[(place // 2) % 3]], 3.0
            elif comping == "riff":
                tones, held = [root, root + 4], 0.8
            strength = loud * (1.2 if place == 0 else 1.0) * self.rng.uniform(0.8, 1.1)
            octave = 3 if one.kind in ("guitar", "organ") else 4
            for order, tone in enumerate(tones):
                sound = timbre.note(
                    one, self._hertz(tone, octave), held * self._step, 0.2 + 0.7 * self.arousal, self.rng
                )
                self._put(sound, start + 0.008 * order * (comping == "strummed"), strength, one.place)

    def bass(self, one: Voice) -> None:
        """Roots and fifths."""
        for number, start in enumerate(self.starts):
            place = number % self.bar
            on_beat = place == 0 or (place % 4 == 0 and self.rng.random() < 0.4 + 0.5 * self.arousal)
            if on_beat or self.rng.random() < 0.15 * self.arousal:
                tone = self.roots[number // self.bar] + (4 if place and self.rng.random() < 0.3 else 0)
                pitch, bright = self._hertz(tone, 2), 0.3 + 0.5 * self.arousal
                self._put(timbre.note(one, pitch, 3 * self._step, bright, self.rng), start, 0.35)

    def melody(self, one: Voice) -> None:
        """A walk on the scale that comes back to the chord at every bar."""
        degree, number = int(self.rng.integers(0, 5)), 0
        octave = 4 if one.kind in ("guitar", "voice", "brass") else 5
        lengths, steps = _lengths(self.arousal), _steps(self.valence)
        while number < len(self.starts):
            length = int(self.rng.choice([1, 2, 4, 8], p=lengths))
            if self.rng.random() < 0.85:
                if number % self.bar == 0:
                    degree = self.roots[number // self.bar] + int(self.rng.choice([0, 2, 4]))
                degree = int(np.clip(degree + self.rng.choice([-2, -1, 1, 2], p=steps), -2, 10))
                held = length * self._step * (0.95 - 0.4 * self.arousal * self.rng.random())
                sound = timbre.note(one, self._hertz(degree, octave), held, 0.3 + 0.6 * self.arousal, self.rng)
                self._put(sound, self.starts[number], 0.3 * self.rng.uniform(0.75, 1.1), one.place)
            number += length

    def drums(self, kind: str, kit: float) -> None:
        """A pattern of ``style.PATTERNS``, now and then with a stroke more; ``kit`` tells one set from another."""
        made = [timbre.kick(kit, self.rng), timbre.snare(kit, self.rng), timbre.hat(kit, self.rng)]
        loud = np.array([0.75, 0.5, 0.45]) * (0.35 if kind == "brushes" else 1.0) * (0.5 + 0.7 * self.arousal)
        for number, start in enumerate(self.starts):
            for drum, strength, pattern in zip(made, loud, PATTERNS[kind], strict=True):
                if pattern[number % self.bar] == "x" or self.rng.random() < 0.02 * self.arousal:
                    self._put(drum, start + self.rng.normal(0, 0.003), strength * self.rng.uniform(0.8, 1.1))

    def _comes(self, comping: str, place: int) -> bool:
        """Whether a chord begins at a place of the bar."""
        if comping == "held":
            return place == 0
        if comping == "strummed":
            return place % 4 == 0 or (place % 2 == 0 and self.rng.random() < self.arousal)
        if comping == "offbeat":
            return place % 4 == 2 and self.rng.random() >= 0.25
        if comping == "broken":
            return place % 2 == 0
        return self.rng.random() <= 0.35 + 0.5 * self.arousal

    def _hertz(self, degree: int, octave: int) -> float:
        semitones = self.tonic - 9 + SCALES[self.mode][degree % 7]
        return float(_A4 * 2 ** (semitones / 12 + octave - 4 + degree // 7))

    def _put(self, sound: np.ndarray, second: float, loud: float, place: float = 0.0) -> None:
        first = max(int(second * RATE), 0)
        part = sound[: max(self.count - first, 0)] * np.float32(loud)
        self.left[first : first + len(part)] += part * np.float32(1 - max(place, 0.0))
        self.right[first : first + len(part)] += part * np.float32(1 + min(place, 0.0))


def _lengths(arousal: float) -> np.ndarray:
    weights = np.array([0.1 + 0.5 * arousal, 0.35, 0.3, 0.35 - 0.3 * arousal])
    return weights / weights.sum()


def _steps(valence: float) -> np.ndarray:
    weights = np.array([0.2, 0.35 - 0.1 * valence, 0.2 + 0.15 * valence, 0.1 + 0.2 * valence])
    return weights / weights.sum()
