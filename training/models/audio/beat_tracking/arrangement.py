"""Random arrangements in General MIDI, with their beats: drums, bass, chords and melody in one of ``styles.STYLES``."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from training.models.audio.beat_tracking.styles import CHANCES, DRUMS, STYLES, Style

PERCUSSION = 9
"""MIDI channel of the drums."""
BASSES = (32, 33, 34, 35, 36, 37, 38, 39, 43, 58, 87)
LEADS = (0, 4, 11, 21, 22, 24, 26, 27, 29, 40, 41, 42, 52, 53, 56, 57, 60, 64, 65, 66, 68, 71, 72, 73, 74, 78, 80, 81)
PLUCKED = (0, 1, 2, 4, 5, 6, 7, 11, 12, 13, 15, 24, 25, 26, 27, 28, 29, 30, 46, 104, 105, 107, 108)
SUSTAINED = (16, 17, 18, 19, 21, 44, 48, 49, 50, 51, 52, 53, 54, 61, 62, 63, 88, 89, 90, 91, 94, 95)
"""Programs of General MIDI, from 0."""
PROGRESSIONS = (
    (0, 5, 3, 4),
    (0, 3, 4, 0),
    (0, 4, 5, 3),
    (5, 3, 0, 4),
    (1, 4, 0, 0),
    (0, 0, 3, 0, 4, 3, 0, 4),
    (0, 3),
    (0,),
)
"""Degrees of a scale that chords are built on."""
SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 3, 5, 7, 9, 10), (0, 2, 4, 5, 7, 9, 10))
COMPING = ("held", "beats", "halves", "offbeats", "after the bass", "arpeggio", "arpeggio", "cell", "cell")
BASS_LINES = ("first", "first and middle", "beats", "halves", "offbeats", "cell")


@dataclass(frozen=True)
class Note:
    """One note: MIDI channel, program, start and length in seconds, key and velocity."""

    channel: int
    program: int
    start_s: float
    length_s: float
    key: int
    velocity: int


@dataclass(frozen=True)
class Arrangement:
    """An arrangement and its beats.

    Attributes:
        style: name of the style.
        notes: notes in no order.
        beats: (n,) times in seconds.
        places: (n,) position of each beat in its bar, from 1.
        volumes: MIDI channel → volume, 0 to 127.
    """

    style: str
    notes: list[Note]
    beats: np.ndarray
    places: np.ndarray
    volumes: dict[int, int]


def arrange(rng: np.random.Generator, seconds: float = 50.0) -> Arrangement:
    """Draw an arrangement.

    Args:
        rng: where all choices come from; the same generator gives the same notes.
        seconds: least length.
    """
    weights = np.array([style.weight for style in STYLES.values()])
    name = list(STYLES)[rng.choice(len(STYLES), p=weights / weights.sum())]
    style = STYLES[name]
    has_drums = bool(style.drums) and rng.random() < 0.85
    beats = _beat_times(style, seconds, rng, is_free=not has_drums)
    band = _Band(style, beats, rng)
    if has_drums:
        band.play_drums()
    if rng.random() < (0.85 if has_drums else 0.45):
        band.play_bass()
    has_chords = rng.random() < 0.9 or not band.notes
    if has_chords:
        band.play_chords(2, str(rng.choice(COMPING)), rng.uniform(60, 95), 48 + int(rng.choice([0, 5, 12])))
    if rng.random() < 0.6:
        band.play_melody()
    if rng.random() < 0.45:
        band.play_chords(4, str(rng.choice(["held", "held", "arpeggio", "cell"])), rng.uniform(45, 85), 60)
    volumes = {channel: int(rng.uniform(60, 127)) for channel in (1, 2, 3, 4, PERCUSSION)}
    return Arrangement(name, band.notes, beats, np.arange(len(beats)) % style.meter + 1, volumes)


def _beat_times(style: Style, seconds: float, rng: np.random.Generator, *, is_free: bool) -> np.ndarray:
    """Times of the beats: a tempo that drifts, without drums also by phrases and from beat to beat."""
    low, high = style.tempos
    period = 60 / float(np.exp(rng.uniform(np.log(low), np.log(high))))
    count = (int(np.ceil(seconds / (period * style.meter))) + 1) * style.meter + 1
    drift = rng.choice([0.0, 0.003, 0.01, 0.03] if is_free else [0.0, 0.0, 0.002, 0.006])
    periods = period * np.exp(np.clip(np.cumsum(rng.normal(0, drift, count)), -0.25, 0.25))
    if is_free and rng.random() < 0.35:  # phrases that slow down at their ends
        phrase = style.meter * int(rng.choice([2, 4, 8]))
        place = np.arange(count) % phrase / phrase
        periods *= 1 + rng.uniform(0.03, 0.3) * np.clip((place - 0.7) / 0.3, 0, 1) ** 2
    if is_free and rng.random() < 0.2:
        periods *= np.exp(rng.normal(0, 0.03, count))
    return np.concatenate([[0.0], np.cumsum(periods)])[:count] + rng.uniform(0.0, 1.5)


class _Band:
    """Plays one style along given beats; notes collect in ``notes``."""

    def __init__(self, style: Style, beats: np.ndarray, rng: np.random.Generator) -> None:
        self.notes: list[Note] = []
        self._style, self._beats, self._rng = style, beats, rng
        self._bars = (len(beats) - 1) // style.meter
        self._swing = style.swing * rng.random()
        if style.division == 4 and not style.swing and rng.random() < 0.1:
            self._swing = rng.uniform(0, 0.12)
        self._jitter_s = float(rng.choice([0.0, 0.004, 0.008, 0.015]))
        self._scale, self._root = SCALES[rng.integers(len(SCALES))], int(rng.integers(12))
        self._chords = PROGRESSIONS[rng.integers(len(PROGRESSIONS))]
        self._bars_a_chord = float(rng.choice([1, 1, 1, 2, 0.5] if style.meter == 4 else [1, 1, 2]))
        self._section = int(rng.choice([4, 8, 8, 16]))

    def play_drums(self) -> None:
        """Play the patterns of the style, with fills and crashes at the ends of sections."""
        rng, style = self._rng, self._style
        kit, has_fills = int(rng.choice([0, 0, 0, 8, 16, 24, 25, 32, 40])), rng.random() < 0.6
        parts = {}
        for drum, pattern in style.drums.items():
            key = DRUMS[drum]
            if drum == "closed" and rng.random() < 0.25:
                key = DRUMS[str(rng.choice(["ride", "shaker", "tambourine", "open"]))]
            if drum == "snare" and rng.random() < 0.15:
                key = DRUMS[str(rng.choice(["rim", "clap"]))]
            loudness = rng.uniform(0.45, 0.95) if drum in ("closed", "ride") else rng.uniform(0.75, 1.1)
            chances = np.array([CHANCES[letter] for letter in pattern])
            parts[drum] = (key, loudness, chances, rng.random(style.steps) < chances)
        is_playing = self._presence()
        for bar in np.flatnonzero(is_playing).tolist():
            is_fill = has_fills and (bar + 1) % self._section == 0 and rng.random() < 0.7
            for drum, (key, loudness, chances, usual) in parts.items():
                hits = np.where(rng.random(style.steps) < 0.85, usual, rng.random(style.steps) < chances)
                for step in np.flatnonzero(hits).tolist():
                    if is_fill and step >= style.steps // 2 and drum != "kick":
                        continue
                    accent = 1.0 if step % style.division == 0 else 0.8
                    self._add(PERCUSSION, kit, bar, step, 0.2, key, 100 * loudness * accent + rng.normal(0, 6))
            if is_fill:
                for step in range(style.steps // 2, style.steps):
                    if rng.random() < 0.75:
                        key = int(rng.choice([38, 50, 47, 43]))  # snare and toms
                        self._add(PERCUSSION, kit, bar, step, 0.2, key, rng.normal(95, 10))
            if bar % self._section == 0 and rng.random() < 0.6:
                self._add(PERCUSSION, kit, bar, 0, 1.0, DRUMS["crash"], 100)

    def play_bass(self) -> None:
        """Play a line of roots and fifths."""
        rng, style = self._rng, self._style
        program, line = int(rng.choice(BASSES)), str(rng.choice(BASS_LINES))
        if style.division == 3 and style.meter == 4:
            line = str(rng.choice(["beats", "beats", "first and middle", line]))
        half = max(style.division // 2, 1)
        steps = {
            "first": [0],
            "first and middle": [0, style.steps // 2] if style.meter % 2 == 0 else [0],
            "beats": list(range(0, style.steps, style.division)),
            "halves": list(range(0, style.steps, half)),
            "offbeats": [beat * style.division + half for beat in range(style.meter)],
            "cell": self._cell(0.5, 0.25),
        }[line]
        for bar in np.flatnonzero(self._presence()).tolist():
            for step, length in _lengths(steps, style.steps):
                degree = self._chord(bar, step)
                if step and rng.random() < (0.7 if line == "beats" else 0.2):
                    degree += int(rng.choice([2, 4, 6, 1] if line == "beats" else [4]))
                key = 28 + (self._key(degree) + 8) % 12
                velocity = rng.normal(95, 8) + (6 if step == 0 else 0)
                self._add(1, program, bar, step, length * rng.uniform(0.5, 0.98), key, velocity)

    def play_chords(self, channel: int, comping: str, velocity: float, lowest: int) -> None:
        """Play chords in one way of comping.

        Args:
            channel: MIDI channel.
            comping: one of ``COMPING``.
            velocity: mean velocity.
            lowest: key of the lowest C.
        """
        rng, style = self._rng, self._style
        program = int(rng.choice(SUSTAINED if comping == "held" else PLUCKED if rng.random() < 0.8 else SUSTAINED))
        half, stride = max(style.division // 2, 1), int(rng.choice([1, 2])) if style.division == 4 else 1
        is_early, goes_up = style.division != 3 and rng.random() < 0.25, rng.random() < 0.5
        cell = self._cell(0.45, 0.25)
        every = {
            "beats": list(range(0, style.steps, style.division)),
            "halves": list(range(0, style.steps, half)),
            "offbeats": [beat * style.division + (2 if style.division == 3 else half) for beat in range(style.meter)],
            "after the bass": list(range(style.division, style.steps, style.division)) or [0],
            "arpeggio": list(range(0, style.steps, stride)),
            "cell": cell,
        }
        for bar in np.flatnonzero(self._presence()).tolist():
            changes = [
                step for step in range(style.steps) if not step or self._chord(bar, step) != self._chord(bar, step - 1)
            ]
            for step, length in _lengths(every.get(comping, changes), style.steps):
                early = half if is_early and comping in ("held", "cell") and not step and bar else 0
                degrees = [self._chord(bar, step) + third for third in (0, 2, 4)]
                accent = velocity + (6 if step == 0 else 0) + rng.normal(0, 6)
                if comping == "arpeggio":
                    number = step // stride if goes_up else -(step // stride)
                    key = lowest + self._key(degrees[number % 3]) % 12 + 12 * (number // 3 % 2)
                    self._add(channel, program, bar, step, length, key, accent)
                    continue
                for degree in degrees:
                    gate = rng.uniform(0.85, 1.0) if comping == "held" else rng.uniform(0.3, 0.9)
                    key = lowest + self._key(degree) % 12
                    self._add(channel, program, bar, step - early, (length + early) * gate, key, accent)
            if comping in ("after the bass", "arpeggio") and channel == 2:
                key = lowest - 12 + self._key(self._chord(bar, 0)) % 12
                self._add(channel, program, bar, 0, style.division, key, velocity + 8)

    def play_melody(self) -> None:
        """Play a melody of cells that come again, on tones of the chord where a beat begins."""
        rng, style = self._rng, self._style
        program, velocity = int(rng.choice(LEADS)), rng.uniform(70, 115)
        cells = [self._cell(rng.uniform(0.3, 0.75), rng.uniform(0.05, 0.35)) for _ in range(int(rng.integers(1, 4)))]
        order, degree = rng.integers(0, len(cells), 4), 7
        for bar in np.flatnonzero(self._presence()).tolist():
            steps = cells[order[bar % 4]]
            if bar % 4 == 3 and rng.random() < 0.4:
                steps = steps[:2]
            for step, length in _lengths(steps, style.steps):
                degree = int(np.clip(degree + rng.choice([-3, -2, -1, -1, 0, 1, 1, 2, 3, 4]), -3, 18))
                if step % style.division == 0 and rng.random() < 0.6:
                    root, near = self._chord(bar, step), degree
                    tones = [root + third + 7 * octave for third in (0, 2, 4) for octave in (-1, 0, 1, 2)]
                    degree = min(tones, key=_distance_from(near))
                accent = velocity + (7 if step % style.division == 0 else 0) + rng.normal(0, 7)
                self._add(3, program, bar, step, length * rng.uniform(0.6, 1.0), 60 + self._key(degree), accent)

    def _presence(self) -> np.ndarray:
        """(bars,) whether a layer plays: it rests in some sections."""
        sections = self._rng.random(self._bars // self._section + 1) < 0.87
        sections[0] |= not sections.any()
        return sections[np.arange(self._bars) // self._section]

    def _cell(self, on_beat: float, off_beat: float) -> list[int]:
        """Steps of a rhythm of one bar, drawn by the chance of a step on and off the beat."""
        chances = np.where(np.arange(self._style.steps) % self._style.division == 0, on_beat, off_beat)
        return np.flatnonzero(self._rng.random(self._style.steps) < chances).tolist() or [0]

    def _chord(self, bar: int, step: int) -> int:
        place = int((bar + step / self._style.steps) / self._bars_a_chord)
        return self._chords[place % len(self._chords)]

    def _key(self, degree: int) -> int:
        return self._root + self._scale[degree % 7] + 12 * (degree // 7)

    def _time(self, step: float) -> float:
        """Time of a step of the whole arrangement in seconds, swung."""
        place = step / self._style.division
        part = place - np.floor(place)
        if self._style.division == 4 and round(part * 4) % 2:
            part += self._swing / 2
        return float(np.interp(np.floor(place) + part, np.arange(len(self._beats)), self._beats))

    def _add(self, channel: int, program: int, bar: int, step: int, length: float, key: int, velocity: float) -> None:
        """Add a note that begins at a step of a bar and is some steps long."""
        first = bar * self._style.steps + step
        start = max(0.0, self._time(first) + self._rng.normal(0, self._jitter_s))
        length_s = max(self._time(first + length) - start, 0.04)
        note = Note(channel, program, start, length_s, int(np.clip(key, 12, 115)), int(np.clip(velocity, 12, 127)))
        self.notes.append(note)


def _lengths(steps: list[int], end: int) -> list[tuple[int, int]]:
    """Steps with their distance from the next, the last with that from the end of the bar."""
    return [(step, after - step) for step, after in zip(steps, [*steps[1:], end], strict=True)]


def _distance_from(degree: int) -> Callable[[int], int]:
    return lambda other: abs(other - degree)
